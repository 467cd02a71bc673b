// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// CTAs that work on one item after the other: who takes which, and how the roles
// of a CTA learn of it.

#ifndef PBS_DIALECT_PBSGPU_IR_PBSGPUWORKOPS_TD
#define PBS_DIALECT_PBSGPU_IR_PBSGPUWORKOPS_TD

def PBSGPU_ClaimOp : PBSGPU_Op<"claim"> {
  let summary = "takes the next number of a counter";
  let description = [{
    The first thread of the role, or of the CTA outside of roles, adds 1 to the
    counter and gets the number before. The other threads get 0.

    ```mlir
    %number = pbsgpu.claim %counter : memref<1xi32>
    ```
  }];
  let arguments = (ins Arg<AnyStridedMemRef, "", [MemRead, MemWrite]>:$counter);
  let results = (outs I32:$result);
  let assemblyFormat = "$counter attr-dict `:` type($counter)";
  let hasVerifier = 1;
}

def PBSGPU_AllocItemsOp : PBSGPU_Op<"alloc_items", [PBSGPU_NamesResults]> {
  let summary = "places for descriptions of work items in the CTA's shared memory";
  let description = [{
    Lives as long as the CTA. Items are numbered like the visits of a ring with
    signals: item n stands in place n mod `stages`, is there when the one thread
    that publishes it has arrived, and may be overwritten when every role that
    receives items has received it, with all its warps.

    ```mlir
    %items = pbsgpu.alloc_items : !pbsgpu.item_ring<stages = 2>
    ```
  }];
  let results = (outs Res<PBSGPU_ItemRingType, "", [MemAlloc<PBSGPU_SharedMemory>]>:$result);
  let assemblyFormat = "attr-dict `:` qualified(type($result))";
  let hasVerifier = 1;
}

def PBSGPU_PublishOp : PBSGPU_Op<"publish", [PBSGPU_Synchronises]> {
  let summary = "describes a work item to all who receive it";
  let description = [{
    The first thread of the role, or of the CTA, waits until the place is empty
    and writes. Where the first value is negative there are no more items.

    ```mlir
    pbsgpu.publish %items[%number], %x, %y, %whole, %masked : !pbsgpu.item_ring<stages = 2>
    ```
  }];
  let arguments = (ins PBSGPU_ItemRingType:$items, Index:$number, Variadic<I32>:$values);
  let assemblyFormat = "$items `[` $number `]` `,` $values attr-dict `:` qualified(type($items))";
  let hasVerifier = 1;
}

def PBSGPU_ReceiveOp : PBSGPU_Op<"receive", [PBSGPU_Synchronises, PBSGPU_NamesResults]> {
  let summary = "waits for the description of a work item";
  let description = [{
    All threads of the role wait; then each warp says that the place is empty.

    ```mlir
    %x, %y, %whole, %masked = pbsgpu.receive %items[%number] : !pbsgpu.item_ring<stages = 2>
    ```
  }];
  let arguments = (ins PBSGPU_ItemRingType:$items, Index:$number);
  let results = (outs I32:$first, I32:$second, I32:$third, I32:$fourth);
  let assemblyFormat = "$items `[` $number `]` attr-dict `:` qualified(type($items))";
  let hasVerifier = 1;
}

class PBSGPU_RequestedOp<string opMnemonic> : PBSGPU_Op<opMnemonic, [PBSGPU_Synchronises]> {
  let arguments = (ins PBSGPU_ItemRingType:$items, Index:$number);
  let assemblyFormat = "$items `[` $number `]` attr-dict `:` qualified(type($items))";
  let hasVerifier = 1;
}

def PBSGPU_RequestOp : PBSGPU_RequestedOp<"request"> {
  let summary = "asks for the description of a work item";
  let description = [{
    The first thread of the role asks whoever publishes items to claim one, once
    for each item but the first.

    ```mlir
    pbsgpu.request %items[%next] : !pbsgpu.item_ring<stages = 2>
    ```
  }];
}

def PBSGPU_AwaitRequestOp : PBSGPU_RequestedOp<"await_request"> {
  let summary = "waits until a work item is asked for";
  let description = [{
    All threads of the role wait.

    ```mlir
    pbsgpu.await_request %items[%next] : !pbsgpu.item_ring<stages = 2>
    ```
  }];
}

def PBSGPU_OpaqueOp : PBSGPU_Op<"opaque", [AllTypesMatch<["source", "result"]>, PBSGPU_NamesResults]> {
  let summary = "a value that compilers take for another one each time";
  let description = [{
    The same value. But no compiler knows, so that what is computed from it stays
    behind it, and holds no registers in front of a loop that this stands in. Of a
    memref that holds for sizes and strides, not for the address.

    ```mlir
    %queries = pbsgpu.opaque %query_length : index
    ```
  }];
  let arguments = (ins AnyTypeOf<[Index, AnyStridedMemRef]>:$source);
  let results = (outs Res<AnyTypeOf<[Index, AnyStridedMemRef]>, "", [MemAlloc]>:$result);
  let assemblyFormat = "$source attr-dict `:` type($result)";
}

#endif // PBS_DIALECT_PBSGPU_IR_PBSGPUWORKOPS_TD
