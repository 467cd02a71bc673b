// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_DIALECT_PBS_IR_PBSOPS_TD
#define PBS_DIALECT_PBS_IR_PBSOPS_TD

include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "pbs/Dialect/PBS/IR/PBSAttributes.td"
include "pbs/Dialect/PBS/IR/PBSDialect.td"
include "pbs/Dialect/PBS/IR/PBSTypes.td"

class PBS_Op<string opMnemonic, list<Trait> traits = []>
    : Op<PBS_Dialect, opMnemonic, !listconcat([Pure], traits)>;

def PBS_HalfTensor : RankedTensorOf<[BF16, F16]>;
def PBS_FloatTensor : RankedTensorOf<[F32]>;
def PBS_CountTensor : RankedTensorOf<[I32]>;
def PBS_KeyTensor : AnyTypeOf<[PBS_HalfTensor, PBS_PermutedType],
                              "a bf16 or f16 tensor, or a permuted one">;
def PBS_ScoredTensor : RankedTensorOf<[BF16, F16, F32]>;
def PBS_ScalarTensor : 0DTensorOf<[F32, I32]>;

//===----------------------------------------------------------------------===//
// Ops that make the typed values
//===----------------------------------------------------------------------===//

def PBS_IdentityPermutationOp : PBS_Op<"identity_permutation"> {
  let summary = "the permutation that leaves every key where it is";
  let description = [{
    ```mlir
    %p = pbs.identity_permutation %batch, %key_length : !pbs.permutation<heads = 8, segment = 256>
    ```
  }];
  let arguments = (ins Index:$batch, Index:$keyLength);
  let results = (outs PBS_PermutationType:$result);
  let assemblyFormat = "$batch `,` $keyLength attr-dict `:` qualified(type($result))";
}

def PBS_PermutationFromTensorOp : PBS_Op<"permutation_from_tensor"> {
  let summary = "a given tensor of original indices as a permutation";
  let description = [{
    The tensor is i32 `B x heads x Nkv`. That it holds a permutation inside
    each segment is a contract on the data, checked where data is loaded.

    ```mlir
    %p = pbs.permutation_from_tensor %indices
       : tensor<?x32x?xi32> -> !pbs.permutation<heads = 32, segment = 256>
    ```
  }];
  let arguments = (ins RankedTensorOf<[I32]>:$indices);
  let results = (outs PBS_PermutationType:$result);
  let assemblyFormat = "$indices attr-dict `:` type($indices) `->` qualified(type($result))";
  let hasVerifier = 1;
}

def PBS_FullSelectionOp : PBS_Op<"full_selection"> {
  let summary = "the selection of every block that may be attended";
  let description = [{
    Each query block lists all key blocks in which one of its rows may attend a
    key. `causal`, `window` and the permutation decide which of them are masked.

    ```mlir
    %s = pbs.full_selection %batch lengths(%query_length, %key_length)
         permutation(%p : !pbs.permutation<heads = 32, segment = 256>)
         heads = 32 causal : !pbs.selection<128x128>
    ```
  }];
  let arguments = (ins Index:$batch, Index:$queryLength, Index:$keyLength,
                       Optional<PBS_PermutationType>:$permutation,
                       I64Attr:$heads, UnitAttr:$causal, OptionalAttr<I64Attr>:$window);
  let results = (outs PBS_SelectionType:$result);
  let assemblyFormat = [{
    $batch `lengths` `(` $queryLength `,` $keyLength `)`
    (`permutation` `(` $permutation^ `:` type($permutation) `)`)?
    `heads` `=` $heads (`causal` $causal^)? (`window` `=` $window^)? attr-dict
    `:` qualified(type($result))
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def PBS_SelectionFromListsOp : PBS_Op<"selection_from_lists"> {
  let summary = "given counts and index lists as a selection";
  let description = [{
    Counts are i32 `B x Hq x Qb x 2`, indices i16 (read as unsigned)
    `B x Hq x Qb x C`, in the form that `!pbs.selection` states. The lists stand
    as they are; that they are well-formed is a contract on the data, checked
    where data is loaded.

    ```mlir
    %s = pbs.selection_from_lists %counts, %indices
       : tensor<?x32x?x2xi32>, tensor<?x32x?x?xi16> -> !pbs.selection<128x128>
    ```
  }];
  let arguments = (ins RankedTensorOf<[I32]>:$counts, RankedTensorOf<[I16]>:$indices);
  let results = (outs PBS_SelectionType:$result);
  let assemblyFormat = [{
    $counts `,` $indices attr-dict `:` type($counts) `,` type($indices) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def PBS_SelectionFromMaskOp : PBS_Op<"selection_from_mask"> {
  let summary = "a given block mask as a selection";
  let description = [{
    The mask is i1 `B x Hq x Qb x Kb`, true where a block is to be attended.
    Nothing is forced; blocks that no row may attend are dropped. With a
    `capacity` the first blocks stay, and a second result counts for each head
    the query blocks that lost some: i32 `B x Hq`.

    ```mlir
    %s = pbs.selection_from_mask %mask lengths(%query_length, %key_length) causal
       : tensor<?x32x?x?xi1> -> !pbs.selection<128x128>
    %t, %cut = pbs.selection_from_mask %mask lengths(%query_length, %key_length)
               capacity = 64 causal
       : tensor<?x32x?x?xi1> -> !pbs.selection<128x128>, tensor<?x32xi32>
    ```
  }];
  let arguments = (ins RankedTensorOf<[I1]>:$mask, Index:$queryLength, Index:$keyLength,
                       Optional<PBS_PermutationType>:$permutation,
                       OptionalAttr<I64Attr>:$capacity, UnitAttr:$causal,
                       OptionalAttr<I64Attr>:$window);
  let results = (outs PBS_SelectionType:$result, Optional<PBS_CountTensor>:$cut);
  let assemblyFormat = [{
    $mask `lengths` `(` $queryLength `,` $keyLength `)` (`permutation` `(` $permutation^ `)`)?
    (`capacity` `=` $capacity^)? (`causal` $causal^)? (`window` `=` $window^)? attr-dict
    `:` type($mask) (`,` type($permutation)^)? `->` qualified(type($result)) (`,` type($cut)^)?
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

//===----------------------------------------------------------------------===//
// The algorithm
//===----------------------------------------------------------------------===//

def PBS_ImportanceOp : PBS_Op<"importance"> {
  let summary = "how much the last queries attend each key";
  let description = [{
    Softmax of the last min(query_block, Nq) queries over the keys of all
    complete segments, averaged over those queries; scaled, without any mask;
    0 for the keys beyond the complete segments. f32 `B x Hp x Nkv` with Hp = Hq,
    or Hp = Hkv where the heads of a group are averaged (PBS-Attn, section 3.2;
    the average over a group is ours).

    ```mlir
    %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
       : tensor<?x32x?x64xbf16>, tensor<?x8x?x64xbf16> -> tensor<?x32x?xf32>
    ```
  }];
  let arguments = (ins PBS_HalfTensor:$query, PBS_HalfTensor:$key,
                       I64Attr:$queryBlock, I64Attr:$segment, F64Attr:$scale);
  let results = (outs PBS_FloatTensor:$result);
  let assemblyFormat = [{
    $query `,` $key `query_block` `=` $queryBlock `segment` `=` $segment `scale` `=` $scale
    attr-dict `:` type($query) `,` type($key) `->` type($result)
  }];
  let hasVerifier = 1;
}

def PBS_SegmentSortOp : PBS_Op<"segment_sort"> {
  let summary = "orders the keys of each segment by falling importance";
  let description = [{
    Ties go to the lower index, NaN ranks last, the incomplete tail stays. With
    at most one segment of keys (Nkv <= segment) the result is the identity.
    Only which keys share a block is contractual; the order inside a block is
    free.

    ```mlir
    %p = pbs.segment_sort %importance
       : tensor<?x32x?xf32> -> !pbs.permutation<heads = 32, segment = 256>
    ```
  }];
  let arguments = (ins PBS_FloatTensor:$importance);
  let results = (outs PBS_PermutationType:$result);
  let assemblyFormat = "$importance attr-dict `:` type($importance) `->` qualified(type($result))";
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def PBS_PermuteOp : PBS_Op<"permute"> {
  let summary = "puts keys or values into permuted order";
  let description = [{
    Row j of result head h is row permutation[b, h, j] of the source head that
    serves it. A permutation of Hp heads yields Hp heads: with one order for each
    query head, a key head is written once for each query head that reads it.

    ```mlir
    %kp = pbs.permute %k, %p
        : tensor<?x8x?x128xbf16>, !pbs.permutation<heads = 32, segment = 256>
       -> !pbs.permuted<tensor<?x32x?x128xbf16>, segment = 256>
    ```
  }];
  let arguments = (ins PBS_HalfTensor:$source, PBS_PermutationType:$permutation);
  let results = (outs PBS_PermutedType:$result);
  let assemblyFormat = [{
    $source `,` $permutation attr-dict `:` type($source) `,` qualified(type($permutation)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def PBS_PoolOp : PBS_Op<"pool"> {
  let summary = "one row for each block of rows";
  let description = [{
    Mean or maximum over the rows of each block: f32 `B x H x ceil(N / block) x
    D`. The mean divides by the full block size even where the last block is
    short; the maximum is over the rows that exist.

    With a permutation the rows are gathered through it, as if `pbs.permute` had
    put them into its order.

    ```mlir
    %kb = pbs.pool %kp mean block = 128
        : !pbs.permuted<tensor<?x32x?x128xbf16>, segment = 256> -> tensor<?x32x?x128xf32>
    %kb = pbs.pool %k permutation(%p) mean block = 128
        : tensor<?x8x?x128xbf16>, !pbs.permutation<heads = 32, segment = 256> -> tensor<?x32x?x128xf32>
    ```
  }];
  let arguments = (ins PBS_KeyTensor:$source, Optional<PBS_PermutationType>:$permutation,
                       PBS_PoolingKindAttr:$kind, I64Attr:$block);
  let results = (outs PBS_FloatTensor:$result);
  let assemblyFormat = [{
    $source (`permutation` `(` $permutation^ `)`)? `` $kind `block` `=` $block attr-dict
    `:` type($source) (`,` type($permutation)^)? `->` type($result)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def PBS_BlockScoresOp : PBS_Op<"block_scores"> {
  let summary = "scores each candidate key block for each query block";
  let description = [{
    f32 `B x Hq x Qb x Kb`, 0 where a block is no candidate. The own segments of
    a query block are all from that of its first row's position to that of its
    last row's. Candidates are the blocks of segments before the first own one
    (causal), or all blocks outside the own segments (not causal). A row that
    contains NaN becomes all 0.

    Without a `score`, the operands are pooled rows, f32, and scores their dot
    products, scaled, softmax over the candidates. With one, the operands are
    queries and keys, and the attribute says what is computed of them. Keys in
    another order than the original one come with their permutation, through
    which they are read.

    ```mlir
    %s = pbs.block_scores %qb, %kb lengths(%query_length, %key_length)
         blocks = [128, 128] segment = 256 scale = 0.125 causal
       : tensor<?x32x?x64xf32>, tensor<?x32x?x64xf32> -> tensor<?x32x?x?xf32>
    %t = pbs.block_scores %q, %k lengths(%query_length, %key_length) permutation(%p)
         score = #pbs.rows<stride = 16> blocks = [128, 128] segment = 256 scale = 0.125 causal
       : tensor<?x32x?x64xbf16>, tensor<?x8x?x64xbf16>, !pbs.permutation<heads = 8, segment = 256>
      -> tensor<?x32x?x?xf32>
    ```
  }];
  let arguments = (ins PBS_ScoredTensor:$query, PBS_ScoredTensor:$key,
                       Index:$queryLength, Index:$keyLength,
                       Optional<PBS_PermutationType>:$permutation,
                       OptionalAttr<PBS_BlockScore>:$score,
                       I64Attr:$queryBlock, I64Attr:$keyBlock,
                       I64Attr:$segment, F64Attr:$scale, UnitAttr:$causal);
  let results = (outs PBS_FloatTensor:$result);
  let assemblyFormat = [{
    $query `,` $key `lengths` `(` $queryLength `,` $keyLength `)`
    (`permutation` `(` $permutation^ `)`)? (`score` `=` $score^)?
    `blocks` `=` `[` $queryBlock `,` $keyBlock `]` `segment` `=` $segment `scale` `=` $scale
    (`causal` $causal^)? attr-dict
    `:` type($query) `,` type($key) (`,` type($permutation)^)? `->` type($result)
  }];
  let extraClassDeclaration = [{
    /// Whether the selections that use the scores compute them themselves, so
    /// that the scores of a query block never leave its CTA.
    bool isFused();
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def PBS_SelectOp : PBS_Op<"select"> {
  let summary = "selects the key blocks that each query block attends";
  let description = [{
    Takes the candidates of `pbs.block_scores` that `rule` takes: `#pbs.top_p`,
    `#pbs.top_k`, `#pbs.all`, or another attribute with the rule interface. It
    forces the block that holds token 0 (it stays a candidate, and its score counts) and every
    block of the own segments. Blocks that no row may attend are not listed. The
    permutation, where keys were permuted, decides which blocks are masked.

    With a `capacity`, the blocks with the highest scores stay beside the forced
    ones, and a second result counts for each head the query blocks that lost
    some: i32 `B x Hq`.

    ```mlir
    %sel = pbs.select %scores lengths(%query_length, %key_length) permutation(%p)
           rule = #pbs.top_p<0.9 : f64> segment = 256 causal
         : tensor<?x32x?x?xf32>, !pbs.permutation<heads = 32, segment = 256>
        -> !pbs.selection<128x128>
    %few, %cut = pbs.select %scores lengths(%query_length, %key_length)
                 rule = #pbs.top_k<32> segment = 256 capacity = 16 causal
         : tensor<?x32x?x?xf32> -> !pbs.selection<128x128>, tensor<?x32xi32>
    ```
  }];
  let arguments = (ins PBS_FloatTensor:$scores, Index:$queryLength, Index:$keyLength,
                       Optional<PBS_PermutationType>:$permutation,
                       PBS_SelectionRule:$rule, I64Attr:$segment,
                       OptionalAttr<I64Attr>:$capacity, UnitAttr:$causal,
                       OptionalAttr<I64Attr>:$window);
  let results = (outs PBS_SelectionType:$result, Optional<PBS_CountTensor>:$cut);
  let assemblyFormat = [{
    $scores `lengths` `(` $queryLength `,` $keyLength `)` (`permutation` `(` $permutation^ `)`)?
    `rule` `=` $rule `segment` `=` $segment (`capacity` `=` $capacity^)? (`causal` $causal^)?
    (`window` `=` $window^)? attr-dict `:` type($scores) (`,` type($permutation)^)?
    `->` qualified(type($result)) (`,` type($cut)^)?
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def PBS_AttentionOp : PBS_Op<"attention", [
    IsolatedFromAbove, SingleBlock, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames", "getAsmResultNames"]>]> {
  let summary = "attention over the selected blocks";
  let description = [{
    Softmax(scale * Q K^T) V of each row over the keys of the blocks that its
    query block lists, without those it may not attend: causal rows attend keys
    whose original position is at most their own, and with a window W those of
    the positions after their own less W. Query head h reads key head
    h / (Hq / Hk); key heads are never repeated in memory.

    The permutation gives original positions. With plain keys and values it also
    means that the attention gathers their rows through it; `!pbs.permuted` keys
    and values are in order already. Over permuted keys, attention that is causal
    or has a window needs it.

    Results are the output in the queries' type and the log-sum-exp of the
    scaled scores, f32 `B x Hq x Nq`, natural logarithm. A row without a key
    gives 0 and -inf.

    ```mlir
    %out, %lse = pbs.attention %q, %k, %v, %sel permutation(%p) scale = 0.125 causal
        : tensor<?x32x?x64xbf16>, tensor<?x8x?x64xbf16>, tensor<?x8x?x64xbf16>,
          !pbs.selection<128x128>, !pbs.permutation<heads = 32, segment = 256>
       -> tensor<?x32x?x64xbf16>, tensor<?x32x?xf32>
    ```

    A score region, if there is one, gives each scaled score a new value. It
    takes the score, the batch, the query head, the positions of query and key,
    and the elements of further operands, and is made of the scalar operations
    of arith and math that the specification lists. Masks come after it.

    ```mlir
    %out, %lse = pbs.attention %q, %k, %v, %sel scale = 0.125 causal
        : tensor<?x32x?x64xbf16>, tensor<?x8x?x64xbf16>, tensor<?x8x?x64xbf16>,
          !pbs.selection<128x128>
       -> tensor<?x32x?x64xbf16>, tensor<?x32x?xf32> score(%cap : tensor<f32>) {
    ^bb0(%score: f32, %batch: i32, %head: i32, %query: i32, %key: i32, %c: f32):
      %share = arith.divf %score, %c : f32
      %bounded = math.tanh %share : f32
      %capped = arith.mulf %bounded, %c : f32
      pbs.yield %capped
    }
    ```
  }];
  let arguments = (ins PBS_HalfTensor:$query, PBS_KeyTensor:$key, PBS_KeyTensor:$value,
                       PBS_SelectionType:$selection,
                       Optional<PBS_PermutationType>:$permutation,
                       F64Attr:$scale, UnitAttr:$causal, OptionalAttr<I64Attr>:$window,
                       Variadic<PBS_ScalarTensor>:$scalars);
  let results = (outs PBS_HalfTensor:$output, PBS_FloatTensor:$logSumExp);
  let regions = (region AnyRegion:$score);
  let assemblyFormat = [{
    $query `,` $key `,` $value `,` $selection (`permutation` `(` $permutation^ `)`)?
    `scale` `=` $scale (`causal` $causal^)? (`window` `=` $window^)? attr-dict
    `:` type($query) `,` type($key) `,` type($value) `,` qualified(type($selection))
    (`,` type($permutation)^)? `->` type($output) `,` type($logSumExp)
    (`score` custom<ScoreRegion>($scalars, type($scalars), $score)^)?
  }];
  let extraClassDeclaration = [{
    /// Whether keys and values are read through the permutation.
    bool gathers() {
      return getPermutation() && !::llvm::isa<PermutedType>(getKey().getType());
    }
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let hasCanonicalizer = 1;
}

def PBS_PrefillOp : PBS_Op<"prefill", [
    IsolatedFromAbove, SingleBlock,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames", "getAsmResultNames"]>]> {
  let summary = "the whole algorithm, from queries, keys and values on";
  let description = [{
    Stands for the operations that `--pbs-expand-prefill` writes in its place:
    importance and permutation, unless `permutation` is `none`; block scores,
    with pooling before them where the `block_score` asks for it; selection; and
    attention, with the score region. Its attributes are theirs. With a `capacity` a third result counts for each head the query
    blocks that lost some key blocks: i32 `B x Hq`.

    ```mlir
    %out, %lse = pbs.prefill %q, %k, %v permutation = per_query_head blocks = [128, 128]
                 segment = 256 block_score = #pbs.pooled<mean> rule = #pbs.top_p<0.9 : f64> scale = 0.125 causal
        : tensor<?x32x?x64xbf16>, tensor<?x8x?x64xbf16>, tensor<?x8x?x64xbf16>
       -> tensor<?x32x?x64xbf16>, tensor<?x32x?xf32>
    ```
  }];
  let arguments = (ins PBS_HalfTensor:$query, PBS_HalfTensor:$key, PBS_HalfTensor:$value,
                       PBS_PermutationKindAttr:$permutation,
                       I64Attr:$queryBlock, I64Attr:$keyBlock, I64Attr:$segment,
                       PBS_BlockScore:$blockScore, PBS_SelectionRule:$rule,
                       OptionalAttr<I64Attr>:$capacity, F64Attr:$scale,
                       UnitAttr:$causal, OptionalAttr<I64Attr>:$window,
                       Variadic<PBS_ScalarTensor>:$scalars);
  let results = (outs PBS_HalfTensor:$output, PBS_FloatTensor:$logSumExp, Optional<PBS_CountTensor>:$cut);
  let regions = (region AnyRegion:$score);
  let assemblyFormat = [{
    $query `,` $key `,` $value `permutation` `=` `` $permutation
    `blocks` `=` `[` $queryBlock `,` $keyBlock `]` `segment` `=` $segment `block_score` `=` $blockScore
    `rule` `=` $rule (`capacity` `=` $capacity^)? `scale` `=` $scale
    (`causal` $causal^)? (`window` `=` $window^)? attr-dict
    `:` type($query) `,` type($key) `,` type($value)
    `->` type($output) `,` type($logSumExp) (`,` type($cut)^)?
    (`score` custom<ScoreRegion>($scalars, type($scalars), $score)^)?
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def PBS_ScoreYieldOp : PBS_Op<"yield", [
    Terminator, ReturnLike, ParentOneOf<["AttentionOp", "PrefillOp"]>]> {
  let summary = "ends a score region with the new score";
  let arguments = (ins F32:$score);
  let assemblyFormat = "$score attr-dict";
}

#endif // PBS_DIALECT_PBS_IR_PBSOPS_TD
