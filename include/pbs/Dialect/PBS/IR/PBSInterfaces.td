// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_DIALECT_PBS_IR_PBSINTERFACES_TD
#define PBS_DIALECT_PBS_IR_PBSINTERFACES_TD

include "mlir/IR/OpBase.td"

def PBS_SelectionRule : AttrInterface<"SelectionRule"> {
  let cppNamespace = "::pbs";
  let description = [{
    Which candidates `pbs.select` takes. Candidates stand in falling score, ties
    by lower index, and a rule takes the first ones of them; it says how many.
    Any attribute with this interface is a rule.
  }];
  let methods = [
    InterfaceMethod<[{
      How many candidates are taken if `falling` are their scores, none of them
      NaN, and the sequence has `keyBlocks` key blocks. With a `slack` above 0 a
      rule takes more, with one below 0 fewer, as if scores or sums of them were
      so much off: 0, unless a check leaves room for rounding.
    }], "size_t", "countTaken",
    (ins "::llvm::ArrayRef<double>":$falling, "int64_t":$keyBlocks, "double":$slack)>,
    InterfaceMethod<[{
      The same as a kernel decides it, in f32.
    }], "::pbs::SelectionCut", "getCut", (ins)>,
    InterfaceMethod<[{
      Whether all candidates are taken whatever their scores, if there are at
      most `candidates`.
    }], "bool", "takesAll", (ins "int64_t":$candidates)>
  ];
}

def PBS_BlockScore : AttrInterface<"BlockScore"> {
  let cppNamespace = "::pbs";
  let description = [{
    What a query block's scores of key blocks are computed from, and how.
  }];
  let methods = [
    InterfaceMethod<[{
      What pools the rows of blocks whose dot products are the scores; none for
      a score of queries and keys themselves.
    }], "std::optional<::pbs::PoolingKind>", "getPooling", (ins),
    /*methodBody=*/"", /*defaultImplementation=*/"return std::nullopt;">
  ];
}

#endif // PBS_DIALECT_PBS_IR_PBSINTERFACES_TD
