// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_DIALECT_PBS_IR_PBSDIALECT_TD
#define PBS_DIALECT_PBS_IR_PBSDIALECT_TD

include "mlir/IR/OpBase.td"

def PBS_Dialect : Dialect {
  let name = "pbs";
  let cppNamespace = "::pbs";
  let summary = "Permuted block-sparse attention as an algorithm on tensors";
  let description = [{
    The `pbs` dialect states permuted block-sparse attention (PBS-Attn, arXiv
    2510.21270) on ranked tensors, without any decision about kernels: which
    keys are important, how they are reordered inside segments, how blocks are
    scored and selected, and attention over the selected blocks.

    Tensors of queries, keys and values are `B x H x N x D`: batch, heads, rows,
    head dimension. H and D are static, B and N may be dynamic. Query i of Nq
    stands at position `i + Nkv - Nq` among the Nkv keys.

    Permutations, selections and permuted tensors have types of their own, so
    that a permutation with the wrong segment or a selection of other blocks is
    an error at once, and none of it can be dropped on the way down. The
    numbered constraints behind the verifiers are in `docs/spec.md`.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let extraClassDeclaration = [{
    /// Names an argument or a result of a function for those who call it.
    static constexpr llvm::StringLiteral getNameAttrName() { return "pbs.name"; }
    /// Says of a function what share of the blocks its attentions will list.
    static constexpr llvm::StringLiteral getExpectedDensityAttrName() {
      return "pbs.expected_density";
    }
    /// Says of a module which GPU it is compiled for.
    static constexpr llvm::StringLiteral getTargetAttrName() { return "pbs.target"; }

  private:
    void registerTypes();
    void registerAttributes();

  public:
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::NVVM::NVVMDialect", "::mlir::tensor::TensorDialect"
  ];
}

#endif // PBS_DIALECT_PBS_IR_PBSDIALECT_TD
