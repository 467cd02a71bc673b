// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_DIALECT_PBS_IR_PBSATTRIBUTES_TD
#define PBS_DIALECT_PBS_IR_PBSATTRIBUTES_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "pbs/Dialect/PBS/IR/PBSDialect.td"

def PBS_PoolingKind : I32EnumAttr<"PoolingKind", "how the rows of a block become one", [
    I32EnumAttrCase<"Mean", 0, "mean">,
    I32EnumAttrCase<"Max", 1, "max">
  ]> {
  let cppNamespace = "::pbs";
  let genSpecializedAttr = 0;
}

def PBS_PoolingKindAttr : EnumAttr<PBS_Dialect, PBS_PoolingKind, "pooling">;

class PBS_Attr<string name, string attrMnemonic> : AttrDef<PBS_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def PBS_TopPAttr : PBS_Attr<"TopP", "top_p"> {
  let summary = "select the shortest prefix of the candidates whose scores sum to p";
  let description = [{
    Candidates in falling score, ties by lower index, until their sum reaches
    `p`. All of them where p >= 1 or the sum never reaches it; none where p = 0.

    ```mlir
    #pbs.top_p<9.000000e-01 : f64>
    ```
  }];
  let parameters = (ins "::mlir::FloatAttr":$p);
  let assemblyFormat = "`<` $p `>`";
  let genVerifyDecl = 1;
}

#endif // PBS_DIALECT_PBS_IR_PBSATTRIBUTES_TD
