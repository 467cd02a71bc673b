// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_DIALECT_PBS_IR_PBSATTRIBUTES_TD
#define PBS_DIALECT_PBS_IR_PBSATTRIBUTES_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "pbs/Dialect/PBS/IR/PBSDialect.td"
include "pbs/Dialect/PBS/IR/PBSInterfaces.td"

def PBS_PoolingKind : I32EnumAttr<"PoolingKind", "how the rows of a block become one", [
    I32EnumAttrCase<"Mean", 0, "mean">,
    I32EnumAttrCase<"Max", 1, "max">
  ]> {
  let cppNamespace = "::pbs";
  let genSpecializedAttr = 0;
}

def PBS_PoolingKindAttr : EnumAttr<PBS_Dialect, PBS_PoolingKind, "pooling">;

def PBS_PermutationKind : I32EnumAttr<"PermutationKind", "for whom keys are permuted", [
    I32EnumAttrCase<"None", 0, "none">,
    I32EnumAttrCase<"PerQueryHead", 1, "per_query_head">,
    I32EnumAttrCase<"PerKeyHead", 2, "per_kv_head">
  ]> {
  let cppNamespace = "::pbs";
  let genSpecializedAttr = 0;
}

def PBS_PermutationKindAttr : EnumAttr<PBS_Dialect, PBS_PermutationKind, "permutation_kind">;

/// A rule of pbs.select.
class PBS_RuleAttr<string name, string attrMnemonic>
    : AttrDef<PBS_Dialect, name, [DeclareAttrInterfaceMethods<PBS_SelectionRule>]> {
  let mnemonic = attrMnemonic;
}

def PBS_AllAttr : PBS_RuleAttr<"All", "all"> {
  let summary = "select all candidates";
  let description = [{
    ```mlir
    #pbs.all
    ```
  }];
}

def PBS_TopKAttr : PBS_RuleAttr<"TopK", "top_k"> {
  let summary = "select the k candidates with the highest scores";
  let description = [{
    Ties by lower index; all candidates where there are no more than `k`.

    ```mlir
    #pbs.top_k<8>
    ```
  }];
  let parameters = (ins "int64_t":$k);
  let assemblyFormat = "`<` $k `>`";
  let genVerifyDecl = 1;
}

def PBS_TopPAttr : PBS_RuleAttr<"TopP", "top_p"> {
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

def PBS_ThresholdAttr : PBS_RuleAttr<"Threshold", "threshold"> {
  let summary = "select the candidates that score at least as much";
  let description = [{
    With scores that are shares of a query block's attention, `tau` is the
    smallest share that is worth a block.

    ```mlir
    #pbs.threshold<5.000000e-03 : f64>
    ```
  }];
  let parameters = (ins "::mlir::FloatAttr":$tau);
  let assemblyFormat = "`<` $tau `>`";
  let genVerifyDecl = 1;
}

def PBS_ThresholdByLengthAttr : PBS_RuleAttr<"ThresholdByLength", "threshold_by_length"> {
  let summary = "select the candidates that score at least c / sqrt(key blocks)";
  let description = [{
    A threshold for all lengths: the more blocks there are, the smaller the share
    of each.

    ```mlir
    #pbs.threshold_by_length<4.000000e-02 : f64>
    ```
  }];
  let parameters = (ins "::mlir::FloatAttr":$c);
  let assemblyFormat = "`<` $c `>`";
  let genVerifyDecl = 1;
}

def PBS_MaxThresholdAttr : PBS_RuleAttr<"MaxThreshold", "max_threshold"> {
  let summary = "select the candidates that score at least a share of the best one";
  let description = [{
    Those that score at least `alpha` times what the best candidate of the query
    block scores.

    ```mlir
    #pbs.max_threshold<1.000000e-01 : f64>
    ```
  }];
  let parameters = (ins "::mlir::FloatAttr":$alpha);
  let assemblyFormat = "`<` $alpha `>`";
  let genVerifyDecl = 1;
}

def PBS_PooledAttr : AttrDef<PBS_Dialect, "Pooled", [
    DeclareAttrInterfaceMethods<PBS_BlockScore, ["getPooling"]>]> {
  let mnemonic = "pooled";
  let summary = "score blocks by dot products of their pooled rows";
  let description = [{
    Softmax over the candidates of the scaled dot products of pooled queries and
    keys (PBS-Attn, section 3.3).

    ```mlir
    #pbs.pooled<mean>
    ```
  }];
  let parameters = (ins EnumParameter<PBS_PoolingKind>:$kind);
  let assemblyFormat = "`<` $kind `>`";
}

def PBS_RowsAttr : AttrDef<PBS_Dialect, "Rows", [PBS_BlockScore]> {
  let mnemonic = "rows";
  let summary = "score blocks by the attention of sampled rows";
  let description = [{
    One of each `stride` queries is exact: softmax over all keys that it may
    attend. A block scores what it has of that, on the average over the sampled
    queries of the query block. `stride = 1` is the attention itself.

    ```mlir
    #pbs.rows<stride = 16>
    ```
  }];
  let parameters = (ins "int64_t":$stride);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

#endif // PBS_DIALECT_PBS_IR_PBSATTRIBUTES_TD
