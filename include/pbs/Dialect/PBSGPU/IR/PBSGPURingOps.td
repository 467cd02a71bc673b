// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles that are filled and emptied again and again: rings, and who may touch
// a tile when.

#ifndef PBS_DIALECT_PBSGPU_IR_PBSGPURINGOPS_TD
#define PBS_DIALECT_PBSGPU_IR_PBSGPURINGOPS_TD

def PBSGPU_AllocRingOp : PBSGPU_Op<"alloc_ring", [PBSGPU_NamesResults]> {
  let summary = "a ring of tiles in the CTA's shared memory";
  let description = [{
    Lives as long as the CTA. Visits of the tiles are numbered: visit n uses tile
    n mod `stages`, which is empty before visit n and again once all have
    released it.

    With `filled_by` and `emptied_by` the ring has signals, two mbarriers for
    each tile (PTX ISA, "mbarrier"): a tile is full when `filled_by` threads have
    arrived and the bytes of its copy are there, and empty again when
    `emptied_by` warps have released it. A copy through a tensor map is one
    arrival; of a copy by threads each thread is one.

    Without them nobody waits at the ring: those who use it synchronise
    otherwise, as `pbsgpu.key_loop` does for the rings of its region `load`.

    ```mlir
    %keys = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !pbsgpu.ring<128x128xbf16, stages = 2>
    ```
  }];
  let arguments = (ins OptionalAttr<I64Attr>:$filledBy, OptionalAttr<I64Attr>:$emptiedBy);
  let results = (outs Res<PBSGPU_RingType, "", [MemAlloc<PBSGPU_SharedMemory>]>:$result);
  let assemblyFormat = [{
    (`filled_by` `=` $filledBy^)? (`emptied_by` `=` $emptiedBy^)? attr-dict `:` qualified(type($result))
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    bool hasSignals() { return getFilledBy().has_value(); }
  }];
}

/// An operation on the tile of one visit of a ring.
class PBSGPU_VisitOp<string opMnemonic, list<Trait> traits = []>
    : PBSGPU_Op<opMnemonic, traits # [PBSGPU_Synchronises, PBSGPU_NamesResults]> {
  let arguments = (ins PBSGPU_RingType:$ring, Index:$visit);
  let results = (outs PBSGPU_TileType:$result);
  let assemblyFormat = "$ring `[` $visit `]` attr-dict `:` qualified(type($ring)) `->` qualified(type($result))";
  let hasVerifier = 1;
}

def PBSGPU_AcquireOp : PBSGPU_VisitOp<"acquire"> {
  let summary = "waits until the tile of a visit is empty, to fill it";
  let description = [{
    The tile takes one `pbsgpu.copy_tile`, which signals the ring. The first
    visit of each tile does not wait. Where a tensor map fills the tile, the one
    thread that copies is the one that waits.

    ```mlir
    %slot = pbsgpu.acquire %keys[%visit] : !pbsgpu.ring<128x128xbf16, stages = 2> -> !pbsgpu.tile<128x128xbf16>
    pbsgpu.copy_tile %map[%batch, %head, %key] to %slot : ...
    ```
  }];
}

def PBSGPU_AwaitOp : PBSGPU_VisitOp<"await"> {
  let summary = "waits until the tile of a visit is full, to read it";
  let description = [{
    All threads of the role, or of the CTA outside of roles, wait. Who reads the
    tile releases it afterwards.

    ```mlir
    %tile = pbsgpu.await %keys[%visit] : !pbsgpu.ring<128x128xbf16, stages = 2> -> !pbsgpu.tile<128x128xbf16>
    ```
  }];
}

def PBSGPU_ReleaseOp : PBSGPU_Op<"release", [PBSGPU_Synchronises]> {
  let summary = "says that the warp has read an awaited tile";
  let description = [{
    Each warp of the role, or of the CTA outside of roles, arrives once. The tile
    is not read after it.

    ```mlir
    pbsgpu.release %tile : !pbsgpu.tile<128x128xbf16>
    ```
  }];
  let arguments = (ins PBSGPU_TileType:$tile);
  let assemblyFormat = "$tile attr-dict `:` qualified(type($tile))";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// What awaited the tile.
    AwaitOp getAwait();
  }];
}

#endif // PBS_DIALECT_PBSGPU_IR_PBSGPURINGOPS_TD
