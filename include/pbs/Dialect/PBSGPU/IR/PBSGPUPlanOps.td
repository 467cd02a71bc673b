// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the host does: the launch plan.

#ifndef PBS_DIALECT_PBSGPU_IR_PBSGPUPLANOPS_TD
#define PBS_DIALECT_PBSGPU_IR_PBSGPUPLANOPS_TD

def PBSGPU_PlanOp : PBSGPU_Op<"plan", [
    IsolatedFromAbove, Symbol, SingleBlock, NoTerminator, NoRegionArguments]> {
  let summary = "the launches of one entry, with everything a launcher needs";
  let description = [{
    Written to JSON as `docs/plan-format.md` says. Its body names sizes, declares
    arguments whose shapes bind them, and lists the steps in order. Expressions
    are `arith` on index and i1, `memref.dim` and
    `memref.extract_strided_metadata` of arguments; whatever the plan format can
    express, and no more.

    ```mlir
    pbsgpu.plan @prefill {
      %B = pbsgpu.size "B"
      %Nq = pbsgpu.size "Nq"
      %q = pbsgpu.argument "q" input [%B, 32, %Nq, 128] align 16
         : memref<?x32x?x128xbf16, strided<[?, ?, ?, 1]>>
      %c128 = arith.constant 128 : index
      %query_blocks = arith.ceildivsi %Nq, %c128 : index
      %heads = arith.constant 32 : index
      pbsgpu.launch @kernels::@attention grid(%query_blocks, %heads, %B)
        arguments(%q : memref<?x32x?x128xbf16, strided<[?, ?, ?, 1]>>)
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
}

def PBSGPU_SizeOp : PBSGPU_Op<"size", [Pure, HasParent<"PlanOp">, PBSGPU_NamesResults]> {
  let summary = "a size that the arguments' shapes bind";
  let arguments = (ins StrAttr:$name);
  let results = (outs Index:$result);
  let assemblyFormat = "$name attr-dict";
  let hasVerifier = 1;
}

def PBSGPU_MultiprocessorsOp : PBSGPU_Op<"multiprocessors", [
    Pure, HasParent<"PlanOp">, PBSGPU_NamesResults]> {
  let summary = "the number of multiprocessors of the device";
  let results = (outs Index:$result);
  let assemblyFormat = "attr-dict";
}

def PBSGPU_ArgumentOp : PBSGPU_Op<"argument", [HasParent<"PlanOp">, PBSGPU_NamesResults]> {
  let summary = "an argument of the entry";
  let description = [{
    The shape in brackets is an extent for each dimension, static or an index
    value of the plan. A memref with `strided<[?, ..., 1]>` may have any stride
    that is a multiple of `align` bytes, one without a layout is contiguous.
    `contents` goes into the plan as it is and says what the values satisfy.

    ```mlir
    %p = pbsgpu.argument "permutation" input [%B, 32, %Nkv] align 4
         contents = {kind = "permutation", segment = 256 : i64} : memref<?x32x?xi32>
    ```
  }];
  let arguments = (ins StrAttr:$name, PBSGPU_RoleAttr:$role,
                       Variadic<Index>:$dynamicShape, DenseI64ArrayAttr:$staticShape,
                       I64Attr:$alignment, OptionalAttr<DictionaryAttr>:$contents);
  let results = (outs AnyStridedMemRef:$result);
  let assemblyFormat = [{
    $name `` $role custom<DynamicIndexList>($dynamicShape, $staticShape) `align` $alignment
    (`contents` `=` $contents^)? attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

def PBSGPU_BufferOp : PBSGPU_Op<"buffer", [HasParent<"PlanOp">, PBSGPU_NamesResults]> {
  let summary = "workspace in global memory";
  let arguments = (ins StrAttr:$name, Variadic<Index>:$dynamicShape,
                       DenseI64ArrayAttr:$staticShape, I64Attr:$alignment);
  let results = (outs AnyStridedMemRef:$result);
  let assemblyFormat = [{
    $name custom<DynamicIndexList>($dynamicShape, $staticShape) `align` $alignment
    attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

def PBSGPU_TensorMapOp : PBSGPU_Op<"tensor_map", [Pure, HasParent<"PlanOp">]> {
  let summary = "a tensor map of an argument or a buffer";
  let description = [{
    Encoded by the launcher before the first launch, with the source's extents
    and strides. A launch hands it to its kernel; nothing else takes it.

    The source has as many dimensions as the map and elements of its type. Its
    last extent is static and a multiple of the map's columns. Its `align` is at
    least 16, so that its strides are multiples of 16 bytes, as TMA demands.

    ```mlir
    %map = pbsgpu.tensor_map %k : memref<?x8x?x128xbf16, strided<[?, ?, ?, 1]>>
                               -> !pbsgpu.tensor_map<128x128xbf16, dimensions = 4>
    ```
  }];
  let arguments = (ins AnyStridedMemRef:$source);
  let results = (outs PBSGPU_TensorMapType:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` qualified(type($result))";
  let hasVerifier = 1;
}

def PBSGPU_RequireOp : PBSGPU_Op<"require", [HasParent<"PlanOp">]> {
  let summary = "what must hold of the sizes";
  let arguments = (ins I1:$condition, StrAttr:$message);
  let assemblyFormat = "$condition `,` $message attr-dict";
}

def PBSGPU_MemsetOp : PBSGPU_Op<"memset", [HasParent<"PlanOp">]> {
  let summary = "sets every byte of a buffer or an output";
  let arguments = (ins AnyStridedMemRef:$buffer, I8Attr:$value, Optional<I1>:$guard);
  let assemblyFormat = "$buffer `to` $value (`if` $guard^)? attr-dict `:` type($buffer)";
}

def PBSGPU_LaunchOp : PBSGPU_Op<"launch", [
    AttrSizedOperandSegments, HasParent<"PlanOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "launches a kernel";
  let description = [{
    Before kernels become instructions `arguments` are the kernel's parameters
    one by one; afterwards a memref stands for its address alone, and extents and
    strides are index values of their own. Each CTA has the threads of the
    kernel's warps.

    `dynamic_shared_bytes` is the size of what `gpu.dynamic_shared_memory` gives
    the kernel. The shared memory that the kernel allocates itself comes beside
    it: `shared_bytes`, known once it is instructions.

    ```mlir
    pbsgpu.launch @kernels::@select grid(%query_blocks, %heads, %B)
      dynamic_shared_bytes(%bytes) arguments(%scores, %counts : memref<?x8x?x?xf32>, memref<?x8x?x2xi32>)
    ```
  }];
  let arguments = (ins SymbolRefAttr:$kernel, Index:$gridX, Index:$gridY, Index:$gridZ,
                       OptionalAttr<I64Attr>:$sharedBytes,
                       Optional<Index>:$dynamicSharedBytes,
                       Optional<I1>:$guard, Variadic<AnyType>:$parameters);
  let assemblyFormat = [{
    $kernel `grid` `(` $gridX `,` $gridY `,` $gridZ `)`
    (`shared_bytes` `=` $sharedBytes^)? (`dynamic_shared_bytes` `(` $dynamicSharedBytes^ `)`)?
    (`if` $guard^)?
    `` custom<LaunchArguments>($parameters, type($parameters)) attr-dict
  }];
  let hasVerifier = 1;
}

#endif // PBS_DIALECT_PBSGPU_IR_PBSGPUPLANOPS_TD
