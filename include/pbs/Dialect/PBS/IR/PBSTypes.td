// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_DIALECT_PBS_IR_PBSTYPES_TD
#define PBS_DIALECT_PBS_IR_PBSTYPES_TD

include "mlir/IR/AttrTypeBase.td"
include "pbs/Dialect/PBS/IR/PBSDialect.td"

class PBS_Type<string name, string typeMnemonic> : TypeDef<PBS_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def PBS_PermutationType : PBS_Type<"Permutation", "permutation"> {
  let summary = "an order of the keys inside their segments";
  let description = [{
    For each batch and head, the original index of the key at each place: i32,
    `B x heads x Nkv`. Complete segments of `segment` keys are permuted in
    themselves; the incomplete tail stays where it is. A segment is a multiple
    of 64, at most 1024, and of the key block of those who use both.

    `heads` is the number of query heads (one order for each of them) or of key
    heads (one for each group that shares a key head).

    ```mlir
    !pbs.permutation<heads = 32, segment = 256>
    ```
  }];
  let parameters = (ins "int64_t":$heads, "int64_t":$segment);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def PBS_SelectionType : PBS_Type<"Selection", "selection"> {
  let summary = "the key blocks that each query block attends";
  let description = [{
    For each batch, query head and query block two ascending lists of key
    blocks: the *whole* ones, in which every row may attend every key, and the
    *masked* ones, which need an element mask. Stored as counts i32
    `B x Hq x Qb x 2` = [whole, masked] and indices u16 `B x Hq x Qb x C`, whole
    ones first, 65535 beyond the last; C is the capacity. A query block has 64,
    128 or 192 rows, a key block 64 or 128.

    ```mlir
    !pbs.selection<64x128>   // query block x key block
    ```
  }];
  let parameters = (ins "int64_t":$queryBlock, "int64_t":$keyBlock);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def PBS_PermutedType : PBS_Type<"Permuted", "permuted"> {
  let summary = "a tensor of keys or values whose rows are in permuted order";
  let description = [{
    Row j of head h is the row of the original tensor that a
    `!pbs.permutation` of the same segment holds at place j.

    ```mlir
    !pbs.permuted<tensor<?x32x?x128xbf16>, segment = 256>
    ```
  }];
  let parameters = (ins "::mlir::RankedTensorType":$tensor, "int64_t":$segment);
  let assemblyFormat = "`<` $tensor `,` `segment` `=` $segment `>`";
  let genVerifyDecl = 1;
}

#endif // PBS_DIALECT_PBS_IR_PBSTYPES_TD
