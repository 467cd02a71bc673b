// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a CTA does: the kernel, tiles and copies, fragments, the key loop.

#ifndef PBS_DIALECT_PBSGPU_IR_PBSGPUOPS_TD
#define PBS_DIALECT_PBSGPU_IR_PBSGPUOPS_TD

include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/LoopLikeInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "pbs/Dialect/PBSGPU/IR/PBSGPUAttributes.td"
include "pbs/Dialect/PBSGPU/IR/PBSGPUDialect.td"
include "pbs/Dialect/PBSGPU/IR/PBSGPUTypes.td"

/// Its results have names in print.
defvar PBSGPU_NamesResults = DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>;

class PBSGPU_Op<string opMnemonic, list<Trait> traits = []>
    : Op<PBSGPU_Dialect, opMnemonic, traits>;

// What operations touch. Global memory is memrefs, of which upstream's
// operations say that they are the default resource: another one would claim
// that no memref.load sees what is stored here.

/// The tiles.
def PBSGPU_SharedMemory : Resource<"::pbsgpu::SharedMemory">;
/// Which copies have begun, and their groups.
def PBSGPU_Copies : Resource<"::pbsgpu::Copies">;

/// Threads wait for each other: tiles change, and each may see what others have
/// written to any memory.
defvar PBSGPU_Synchronises = MemoryEffects<[
    MemRead<PBSGPU_Copies>, MemWrite<PBSGPU_Copies>, MemRead<PBSGPU_SharedMemory>,
    MemWrite<PBSGPU_SharedMemory>, MemRead, MemWrite]>;

//===----------------------------------------------------------------------===//
// Kernel
//===----------------------------------------------------------------------===//

def PBSGPU_KernelOp : PBSGPU_Op<"kernel", [
    IsolatedFromAbove, Symbol, FunctionOpInterface, AutomaticAllocationScope,
    HasParent<"::mlir::gpu::GPUModuleOp">,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "what one CTA of a launch does";
  let description = [{
    A function inside a gpu.module, run by `warps` warps. Parameters are
    memrefs in global memory, tensor maps, index, i32, i64 and f32.
    `gpu.block_id` tells the CTA its place.

    A memref parameter is passed as its address, then its dynamic extents, then
    its dynamic strides, in dimension order. `pbs.name` on a parameter names it
    for those who read the kernel.

    ```mlir
    pbsgpu.kernel @attention(%q: memref<?x32x?x128xbf16, strided<[?, ?, ?, 1]>>) warps = 4 {
      pbsgpu.return
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<FunctionType>:$function_type,
                       I64Attr:$warps, OptionalAttr<DictArrayAttr>:$arg_attrs,
                       OptionalAttr<DictArrayAttr>:$res_attrs);
  let regions = (region MinSizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
  }];
}

def PBSGPU_ReturnOp : PBSGPU_Op<"return", [Pure, HasParent<"KernelOp">, Terminator]> {
  let summary = "ends a kernel";
  let assemblyFormat = "attr-dict";
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

def PBSGPU_AllocTileOp : PBSGPU_Op<"alloc_tile", [PBSGPU_NamesResults]> {
  let summary = "a tile in the CTA's shared memory";
  let description = [{
    Lives as long as the CTA.

    ```mlir
    %tile = pbsgpu.alloc_tile : !pbsgpu.tile<64x128xbf16>
    ```
  }];
  let results = (outs Res<PBSGPU_TileType, "", [MemAlloc<PBSGPU_SharedMemory>]>:$result);
  let assemblyFormat = "attr-dict `:` qualified(type($result))";
}

def PBSGPU_CopyTileOp : PBSGPU_Op<"copy_tile", [
    AttrSizedOperandSegments, MemoryEffects<[MemRead<PBSGPU_Copies>, MemWrite<PBSGPU_Copies>]>]> {
  let summary = "begins to copy rows from global memory into a tile";
  let description = [{
    Tile row r becomes source row `indices.back() + r` of the last two
    dimensions; with `through`, the source row that the permutation's row holds
    at that place. Rows past the source's (or the permutation's) last read as
    zero. The source's last dimension is contiguous, as wide as the tile, and its
    rows stand at multiples of 16 bytes. A tensor map of the source copies whole
    tiles with one request (PTX ISA, "cp.async.bulk.tensor"), into a tile that was
    acquired from a ring with signals.

    The copy is asynchronous. A tile that was acquired from a ring with signals
    tells the ring when it is full, and `pbsgpu.await` waits for that; any other
    tile holds the data after a `pbsgpu.await_copies` that covers it.

    ```mlir
    pbsgpu.copy_tile %k[%batch, %key_head, %key] through %permutation[%batch, %head] to %tile
      : memref<?x8x?x128xbf16, strided<[?, ?, ?, 1]>>, !pbsgpu.tile<64x128xbf16>, memref<?x32x?xi32>
    ```
  }];
  let arguments = (ins
    Arg<AnyTypeOf<[AnyStridedMemRef, PBSGPU_TensorMapType]>, "", [MemRead]>:$source, Variadic<Index>:$indices,
    Arg<Optional<AnyStridedMemRef>, "", [MemRead]>:$permutation, Variadic<Index>:$permutationIndices,
    Arg<PBSGPU_TileType, "", [MemWrite<PBSGPU_SharedMemory>]>:$tile);
  let assemblyFormat = [{
    $source `[` $indices `]` (`through` $permutation^ `[` $permutationIndices `]`)? `to` $tile
    attr-dict `:` type($source) `,` qualified(type($tile)) (`,` type($permutation)^)?
  }];
  let hasVerifier = 1;
}

def PBSGPU_CommitCopiesOp : PBSGPU_Op<"commit_copies", [
    MemoryEffects<[MemRead<PBSGPU_Copies>, MemWrite<PBSGPU_Copies>]>]> {
  let summary = "makes a group of the copies begun since the last one";
  let assemblyFormat = "attr-dict";
}

def PBSGPU_AwaitCopiesOp : PBSGPU_Op<"await_copies", [PBSGPU_Synchronises]> {
  let summary = "waits until copies have arrived, for the whole role or CTA";
  let description = [{
    Afterwards all groups of `pbsgpu.commit_copies` but the last `pending` are in
    their tiles, visible to every thread of the role, or of the CTA outside of
    roles. With `pending = 0` also the copies that no group holds yet. A barrier
    of the role or CTA is part of it.
  }];
  let arguments = (ins DefaultValuedAttr<I64Attr, "0">:$pending);
  let assemblyFormat = "(`pending` `=` $pending^)? attr-dict";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Fragments
//===----------------------------------------------------------------------===//

def PBSGPU_SplatOp : PBSGPU_Op<"splat", [Pure, PBSGPU_NamesResults]> {
  let summary = "a fragment of one value";
  let arguments = (ins AnyFloat:$value);
  let results = (outs PBSGPU_FragmentType:$result);
  let assemblyFormat = "$value attr-dict `:` type($value) `->` qualified(type($result))";
  let hasVerifier = 1;
}

def PBSGPU_MmaOp : PBSGPU_Op<"mma", [AllTypesMatch<["accumulator", "result"]>,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>, PBSGPU_NamesResults]> {
  let summary = "accumulator + A B, on the tensor cores";
  let description = [{
    A (M x K) is a tile or an `operand_a` fragment, B (K x N) a tile; with
    `transposed` the tile holds B's transpose (N x K). f32 accumulation.

    ```mlir
    %s = pbsgpu.mma %q, %k transposed, %zero
       : !pbsgpu.tile<128x128xbf16>, !pbsgpu.tile<64x128xbf16>, !pbsgpu.fragment<128x64xf32, accumulator, warps = 4>
    ```
  }];
  let arguments = (ins AnyTypeOf<[PBSGPU_TileType, PBSGPU_FragmentType]>:$a,
                       PBSGPU_TileType:$b, UnitAttr:$transposed,
                       PBSGPU_FragmentType:$accumulator);
  let results = (outs PBSGPU_FragmentType:$result);
  let assemblyFormat = [{
    $a `,` $b (`transposed` $transposed^)? `,` $accumulator attr-dict
    `:` type($a) `,` qualified(type($b)) `,` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def PBSGPU_StartMmaOp : PBSGPU_Op<"start_mma", [
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>, PBSGPU_NamesResults]> {
  let summary = "begins accumulator + A B on the tensor cores";
  let description = [{
    As `pbsgpu.mma`, but the product runs on beside the warps that began it
    (PTX ISA, "wgmma.mma_async"). Each group of four warps multiplies 64 rows, 16
    for each warp. Products end in the order in which they begin. Until the
    product is awaited nobody changes the tiles and the operand fragment.

    ```mlir
    %s_begun = pbsgpu.start_mma %q, %k transposed, %zero
       : !pbsgpu.tile<128x128xbf16>, !pbsgpu.tile<128x128xbf16>, !pbsgpu.fragment<128x128xf32, accumulator, warps = 8>
      -> !pbsgpu.pending<128x128xf32, accumulator, warps = 8>
    ```
  }];
  let arguments = (ins AnyTypeOf<[PBSGPU_TileType, PBSGPU_FragmentType]>:$a,
                       PBSGPU_TileType:$b, UnitAttr:$transposed,
                       PBSGPU_FragmentType:$accumulator);
  let results = (outs PBSGPU_PendingType:$result);
  let assemblyFormat = [{
    $a `,` $b (`transposed` $transposed^)? `,` $accumulator attr-dict
    `:` type($a) `,` qualified(type($b)) `,` qualified(type($accumulator)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def PBSGPU_AwaitMmaOp : PBSGPU_Op<"await_mma", [PBSGPU_NamesResults]> {
  let summary = "waits for a product that has begun";
  let description = [{
    Afterwards at most the last `pending` products begun before still run. Each
    product is awaited once, in the block where it begins (PTX ISA,
    "wgmma.wait_group").

    ```mlir
    %s = pbsgpu.await_mma %s_begun pending = 1
       : !pbsgpu.pending<128x128xf32, accumulator, warps = 8> -> !pbsgpu.fragment<128x128xf32, accumulator, warps = 8>
    ```
  }];
  // Reads tiles: what may be overwritten afterwards stays behind it.
  let arguments = (ins Arg<PBSGPU_PendingType, "", [MemRead<PBSGPU_SharedMemory>, MemWrite<PBSGPU_SharedMemory>]>:$product,
                       DefaultValuedAttr<I64Attr, "0">:$pending);
  let results = (outs PBSGPU_FragmentType:$result);
  let assemblyFormat = [{
    $product (`pending` `=` $pending^)? attr-dict `:` qualified(type($product)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def PBSGPU_MapOp : PBSGPU_Op<"map", [RecursiveMemoryEffects, SingleBlock,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames", "getAsmResultNames"]>,
    AttrSizedOperandSegments]> {
  let summary = "computes each element of a fragment from the same element of others";
  let description = [{
    The region takes the elements and the element's row and column in the
    fragment (i32) and yields the new element. It may read memory and must be
    safe to run for every element. With `if`, the first input stands where the
    condition is false; masks of the key loop's body are written so.

    ```mlir
    %masked_scores = pbsgpu.map %s if %masked
        : !pbsgpu.fragment<128x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<128x64xf32, accumulator, warps = 4> {
    ^bb0(%score: f32, %row: i32, %column: i32):
      ...
      pbsgpu.yield %kept : f32
    }
    ```
  }];
  let arguments = (ins Variadic<PBSGPU_FragmentType>:$inputs, Optional<I1>:$condition);
  let results = (outs PBSGPU_FragmentType:$result);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $inputs (`if` $condition^)? attr-dict (`:` type($inputs)^)? `->` qualified(type($result)) $body
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def PBSGPU_RowReduceOp : PBSGPU_Op<"row_reduce", [Pure, PBSGPU_NamesResults]> {
  let summary = "sum or maximum of each row";
  let description = [{
    Of four columns, each is the sum or maximum of the elements that one of the
    row's four lanes holds, so that no data moves between lanes. The maximum
    ignores NaN, as max.f32 does.

    ```mlir
    %m = pbsgpu.row_reduce max %s : !pbsgpu.fragment<128x64xf32, accumulator, warps = 4>
                                 -> !pbsgpu.fragment<128x1xf32, accumulator, warps = 4>
    ```
  }];
  let arguments = (ins PBSGPU_ReductionAttr:$kind, PBSGPU_FragmentType:$source);
  let results = (outs PBSGPU_FragmentType:$result);
  let assemblyFormat = "`` $kind $source attr-dict `:` qualified(type($source)) `->` qualified(type($result))";
  let hasVerifier = 1;
}

def PBSGPU_RowBroadcastOp : PBSGPU_Op<"row_broadcast", [Pure, PBSGPU_NamesResults]> {
  let summary = "a value for each row, in every column";
  let arguments = (ins PBSGPU_FragmentType:$source);
  let results = (outs PBSGPU_FragmentType:$result);
  let assemblyFormat = "$source attr-dict `:` qualified(type($source)) `->` qualified(type($result))";
  let hasVerifier = 1;
}

def PBSGPU_ToOperandOp : PBSGPU_Op<"to_operand", [Pure, PBSGPU_NamesResults]> {
  let summary = "rounds an accumulator to the A operand of the next product";
  let description = [{
    Round to nearest even; no data moves between lanes.

    ```mlir
    %a = pbsgpu.to_operand %p : !pbsgpu.fragment<128x64xf32, accumulator, warps = 4>
                             -> !pbsgpu.fragment<128x64xbf16, operand_a, warps = 4>
    ```
  }];
  let arguments = (ins PBSGPU_FragmentType:$source);
  let results = (outs PBSGPU_FragmentType:$result);
  let assemblyFormat = "$source attr-dict `:` qualified(type($source)) `->` qualified(type($result))";
  let hasVerifier = 1;
}

def PBSGPU_StoreFragmentOp : PBSGPU_Op<"store_fragment", [AttrSizedOperandSegments]> {
  let summary = "writes a fragment's rows to global memory";
  let description = [{
    Fragment row r becomes row `indices.back() + r` of the destination, rounded
    to its element type; rows past the destination's last are dropped. Rows of a
    destination of 16-bit elements begin at multiples of 16 bytes. A fragment of
    one column writes one element for each row: its destination has one
    dimension less.

    With `through` the rows pass through a tile of the same shape, in which each
    warp overwrites the rows that it holds of the fragment.

    ```mlir
    pbsgpu.store_fragment %o through %q_tile to %out[%batch, %head, %first_row]
      : !pbsgpu.fragment<128x128xf32, accumulator, warps = 8>, memref<?x32x?x128xbf16, strided<[?, ?, ?, 1]>>, !pbsgpu.tile<128x128xbf16>
    ```
  }];
  let arguments = (ins PBSGPU_FragmentType:$source,
                       Arg<Optional<PBSGPU_TileType>, "", [MemRead<PBSGPU_SharedMemory>, MemWrite<PBSGPU_SharedMemory>]>:$tile,
                       Arg<AnyStridedMemRef, "", [MemWrite]>:$destination, Variadic<Index>:$indices);
  let assemblyFormat = [{
    $source (`through` $tile^)? `to` $destination `[` $indices `]` attr-dict
    `:` qualified(type($source)) `,` type($destination) (`,` qualified(type($tile))^)?
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Key loop
//===----------------------------------------------------------------------===//

def PBSGPU_KeyLoopOp : PBSGPU_Op<"key_loop", [RecursiveMemoryEffects, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<RegionBranchOpInterface, ["getEntrySuccessorOperands"]>,
    DeclareOpInterfaceMethods<LoopLikeOpInterface>,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames", "getAsmResultNames"]>]> {
  let summary = "visits the selected keys of a query block, a key tile at a time";
  let description = [{
    `counts` and `indices` hold the selection (see `!pbs.selection`); the three
    indices pick its row: batch, head, query block. The count of whole blocks is
    taken as one of 0 to C, the last extent of `indices`, and that of masked ones
    as one of 0 to C less the former, so that no place beyond the row is read
    whatever the counts are. Each listed block of
    `key_block` keys is visited as key_block / key_tile tiles, each with the
    place of its first key and the values carried from the visit before.

    - `walk = test` goes through all `key_blocks` blocks in order and tests
      whether each is listed. One body, with the arguments (key: index,
      visit: index, masked: i1, carried...); `masked` tells whether the block
      needs an element mask.
    - `walk = list` goes through the list. Two bodies, first for whole blocks and
      then for masked ones, with the arguments (key: index, visit: index,
      carried...); or one for all blocks.
    - `walk = list_from_end` goes through the list from its end, so that the
      masked blocks come first. Its bodies are those of `walk = list`.

    Visits are numbered, from `from` on; the last result is the number after the
    last visit, for a loop that goes on with the same rings.

    With `ahead` above 0 the region `load` (key: index, visit: index) acquires
    tiles of rings and begins the copies of a visit `ahead` visits before its
    body. Of an empty list no copy into a ring with signals is begun, since nobody
    would await it. Where the rings have no signals the loop awaits the copies
    before the body, no tile is overwritten before every warp has left the body
    that reads it, and of an empty list, which holds 65535, the first copies are
    those of a key beyond all keys: nothing is read. With `ahead = 0` the region
    `load` is empty, and the body copies and synchronises for itself.

    With `lengths` the loop takes the numbers of whole and of masked blocks from
    there and not from `counts`; a third value is the block that it visits first. With `near_end = k` the region behind it runs
    once, before the visit when k visits are left, or first where there are less.

    A `deferred` loop runs the last product of a body, with the `pbsgpu.await`
    and `pbsgpu.release` of its tile, in the visit after it, behind that visit's
    first product; that of the last visit after the loop. The first visit runs the
    masked body, which is right for every block, and an empty list none. Its
    product adds to the initial value as it is: what a body does to the carried
    value before its product leaves the initial one unchanged.

    ```mlir
    %o, %next = pbsgpu.key_loop %counts, %indices[%batch, %head, %query_block] of %key_blocks from %c0
         walk = test key_block = 128 key_tile = 64 ahead = 0
         carry(%o0 : !pbsgpu.fragment<128x128xf32, accumulator, warps = 4>)
       : memref<?x32x?x2xi32>, memref<?x32x?x?xi16> -> !pbsgpu.fragment<128x128xf32, accumulator, warps = 4>
         load {} bodies {
    ^bb0(%key: index, %visit: index, %masked: i1, %o_in: !pbsgpu.fragment<128x128xf32, accumulator, warps = 4>):
      ...
      pbsgpu.yield %o_out : !pbsgpu.fragment<128x128xf32, accumulator, warps = 4>
    }
    ```
  }];
  let arguments = (ins Arg<AnyStridedMemRef, "", [MemRead]>:$counts,
                       Arg<AnyStridedMemRef, "", [MemRead]>:$indices,
                       Index:$batch, Index:$head, Index:$queryBlock, Index:$keyBlocks,
                       Index:$from, Variadic<Index>:$lengths, Variadic<AnyType>:$initial,
                       PBSGPU_WalkAttr:$walk, I64Attr:$keyBlock, I64Attr:$keyTile, I64Attr:$ahead,
                       UnitAttr:$deferred, OptionalAttr<I64Attr>:$nearEnd);
  let results = (outs Variadic<AnyType>:$carriedResults, Index:$next);
  let regions = (region AnyRegion:$load, AnyRegion:$atNearEnd, VariadicRegion<SizedRegion<1>>:$bodies);
  let assemblyFormat = [{
    $counts `,` $indices `[` $batch `,` $head `,` $queryBlock `]` `of` $keyBlocks `from` $from
    (`lengths` `(` $lengths^ `)`)?
    `\n` ` ` ` ` ` ` ` ` `walk` `=` `` $walk `key_block` `=` $keyBlock `key_tile` `=` $keyTile `ahead` `=` $ahead (`deferred` $deferred^)?
    (`\n` ` ` ` ` ` ` ` ` `carry` `(` $initial^ `:` type($initial) `)`)? attr-dict
    `\n` ` ` ` ` ` ` ` ` `:` type($counts) `,` type($indices) (`->` type($carriedResults)^)?
    `\n` ` ` ` ` ` ` ` ` `` custom<KeyLoopRegions>($load, $nearEnd, $atNearEnd, $bodies)
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    /// The arguments of a body that hold the carried values.
    ::mlir::Block::BlockArgListType getCarried(::mlir::Region &body);
    /// Whether only listed blocks are visited.
    bool walksList() { return getWalk() != Walk::Test; }
  }];
}

def PBSGPU_YieldOp : PBSGPU_Op<"yield", [Pure, Terminator, ReturnLike,
    ParentOneOf<["MapOp", "KeyLoopOp"]>]> {
  let summary = "ends a region and hands its values over";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

include "pbs/Dialect/PBSGPU/IR/PBSGPUPlanOps.td"
include "pbs/Dialect/PBSGPU/IR/PBSGPURingOps.td"
include "pbs/Dialect/PBSGPU/IR/PBSGPURoleOps.td"
include "pbs/Dialect/PBSGPU/IR/PBSGPUWorkOps.td"

#endif // PBS_DIALECT_PBSGPU_IR_PBSGPUOPS_TD
