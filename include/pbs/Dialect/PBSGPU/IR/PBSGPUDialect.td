// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_DIALECT_PBSGPU_IR_PBSGPUDIALECT_TD
#define PBS_DIALECT_PBSGPU_IR_PBSGPUDIALECT_TD

include "mlir/IR/OpBase.td"

def PBSGPU_Dialect : Dialect {
  let name = "pbsgpu";
  let cppNamespace = "::pbsgpu";
  let summary = "Attention kernels as tiles, fragments and a key loop, and their launch plan";
  let description = [{
    The `pbsgpu` dialect states what one CTA does and how the CTAs are launched,
    without naming instructions: tiles in shared memory and the copies into
    them, matrices spread over the registers of the CTA's warps, the walk over
    the selected key blocks, and the plan of launches on the host.

    It stands between upstream's dialects: control flow is `scf`, scalars are
    `arith` and `math`, global memory is `memref` with runtime strides, and
    identifiers and barriers are `gpu`. Why each op here is not upstream's is in
    `docs/Rationale/PBSGPU.md`; who may touch a tile when, and the numbered
    constraints behind the verifiers, are in `docs/spec-pbsgpu.md`.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::gpu::GPUDialect", "::mlir::scf::SCFDialect"];
  let extraClassDeclaration = [{
  private:
    void registerTypes();
    void registerAttributes();
    void registerInterfaces();

  public:
  }];
}

#endif // PBS_DIALECT_PBSGPU_IR_PBSGPUDIALECT_TD
