  "gpu.module"() <{sym_name = "kernels"}> ({
    "pbsgpu.kernel"() <{function_type = (memref<?x128xbf16>, index) -> (), sym_name = "ring", warps = 4 : i64}> ({
    ^bb0(%arg33: memref<?x128xbf16>, %arg34: index):
      %36 = "pbsgpu.alloc_ring"() : () -> !pbsgpu.ring<64x128xbf16, stages = 2>
      %37 = "pbsgpu.acquire"(%36, %arg34) : (!pbsgpu.ring<64x128xbf16, stages = 2>, index) -> !pbsgpu.tile<64x128xbf16>
      "pbsgpu.copy_tile"(%arg33, %arg34, %37) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 1>}> : (memref<?x128xbf16>, index, !pbsgpu.tile<64x128xbf16>) -> ()
      %38 = "pbsgpu.await"(%36, %arg34) : (!pbsgpu.ring<64x128xbf16, stages = 2>, index) -> !pbsgpu.tile<64x128xbf16>
      "pbsgpu.release"(%38) : (!pbsgpu.tile<64x128xbf16>) -> ()
      "pbsgpu.return"() : () -> ()
    }) : () -> ()
  }) : () -> ()
