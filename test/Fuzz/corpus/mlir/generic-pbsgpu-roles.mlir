  "gpu.module"() <{sym_name = "kernels"}> ({
    "pbsgpu.kernel"() <{function_type = (!pbsgpu.tensor_map<64x128xbf16, dimensions = 3>, index) -> (), sym_name = "roles", warps = 12 : i64}> ({
    ^bb0(%arg31: !pbsgpu.tensor_map<64x128xbf16, dimensions = 3>, %arg32: index):
      %33 = "pbsgpu.alloc_ring"() <{emptiedBy = 8 : i64, filledBy = 1 : i64}> : () -> !pbsgpu.ring<64x128xbf16, stages = 2>
      "pbsgpu.roles"() <{names = ["producer", "consumer"], registers = array<i64: 56, 224>, warps = array<i64: 4, 8>}> ({
        %35 = "pbsgpu.acquire"(%33, %arg32) : (!pbsgpu.ring<64x128xbf16, stages = 2>, index) -> !pbsgpu.tile<64x128xbf16>
        "pbsgpu.copy_tile"(%arg31, %arg32, %arg32, %35) <{operandSegmentSizes = array<i32: 1, 2, 0, 0, 1>}> : (!pbsgpu.tensor_map<64x128xbf16, dimensions = 3>, index, index, !pbsgpu.tile<64x128xbf16>) -> ()
        "pbsgpu.end_role"() : () -> ()
      }, {
        "cf.br"()[^bb1] : () -> ()
      ^bb1:  // pred: ^bb0
        %34 = "pbsgpu.await"(%33, %arg32) : (!pbsgpu.ring<64x128xbf16, stages = 2>, index) -> !pbsgpu.tile<64x128xbf16>
        "pbsgpu.release"(%34) : (!pbsgpu.tile<64x128xbf16>) -> ()
        "pbsgpu.role_barrier"() : () -> ()
        "pbsgpu.end_role"() : () -> ()
      }) : () -> ()
      "pbsgpu.return"() : () -> ()
    }) : () -> ()
  }) : () -> ()
