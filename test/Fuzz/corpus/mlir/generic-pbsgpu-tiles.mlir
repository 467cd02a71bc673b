  "gpu.module"() <{sym_name = "kernels"}> ({
    "pbsgpu.kernel"() <{function_type = (memref<?x8x?x128xbf16, strided<[?, ?, ?, 1]>>, memref<?x32x?xi32>, index) -> (), sym_name = "tiles", warps = 4 : i64}> ({
    ^bb0(%arg35: memref<?x8x?x128xbf16, strided<[?, ?, ?, 1]>>, %arg36: memref<?x32x?xi32>, %arg37: index):
      %39 = "pbsgpu.alloc_tile"() : () -> !pbsgpu.tile<64x128xbf16>
      "pbsgpu.copy_tile"(%arg35, %arg37, %arg37, %arg37, %39) <{operandSegmentSizes = array<i32: 1, 3, 0, 0, 1>}> : (memref<?x8x?x128xbf16, strided<[?, ?, ?, 1]>>, index, index, index, !pbsgpu.tile<64x128xbf16>) -> ()
      "pbsgpu.copy_tile"(%arg35, %arg37, %arg37, %arg37, %arg36, %arg37, %arg37, %39) <{operandSegmentSizes = array<i32: 1, 3, 1, 2, 1>}> : (memref<?x8x?x128xbf16, strided<[?, ?, ?, 1]>>, index, index, index, memref<?x32x?xi32>, index, index, !pbsgpu.tile<64x128xbf16>) -> ()
      "pbsgpu.commit_copies"() : () -> ()
      "pbsgpu.await_copies"() <{pending = 1 : i64}> : () -> ()
      "pbsgpu.await_copies"() <{pending = 0 : i64}> : () -> ()
      "pbsgpu.return"() : () -> ()
    }) : () -> ()
  }) : () -> ()
