  "gpu.module"() <{sym_name = "kernels"}> ({
    "pbsgpu.kernel"() <{function_type = (memref<?x8x?x128xbf16, strided<[?, ?, ?, 1]>>, memref<?x32x?xi32>, index) -> (), sym_name = "tiles", warps = 4 : i64}> ({
    ^bb0(%arg27: memref<?x8x?x128xbf16, strided<[?, ?, ?, 1]>>, %arg28: memref<?x32x?xi32>, %arg29: index):
      %24 = "pbsgpu.alloc_tile"() : () -> !pbsgpu.ring<64x128xbf16, stages = 2>
      %25 = "pbsgpu.await"(%24, %arg29) : (!pbsgpu.ring<64x128xbf16, stages = 2>, index) -> !pbsgpu.tile<64x128xbf16>
      "pbsgpu.copy_tile"(%arg27, %arg29, %arg29, %arg29, %25) <{operandSegmentSizes = array<i32: 1, 3, 0, 0, 1>}> : (memref<?x8x?x128xbf16, strided<[?, ?, ?, 1]>>, index, index, index, !pbsgpu.tile<64x128xbf16>) -> ()
      "pbsgpu.copy_tile"(%arg27, %arg29, %arg29, %arg29, %arg28, %arg29, %arg29, %25) <{operandSegmentSizes = array<i32: 1, 3, 1, 2, 1>}> : (memref<?x8x?x128xbf16, strided<[?, ?, ?, 1]>>, index, index, index, memref<?x32x?xi32>, index, index, !pbsgpu.tile<64x128xbf16>) -> ()
      "pbsgpu.commit_copies"() : () -> ()
      "pbsgpu.await_copies"() <{pending = 1 : i64}> : () -> ()
      "pbsgpu.await_copies"() <{pending = 0 : i64}> : () -> ()
      "pbsgpu.return"() : () -> ()
    }) : () -> ()
  }) : () -> ()
