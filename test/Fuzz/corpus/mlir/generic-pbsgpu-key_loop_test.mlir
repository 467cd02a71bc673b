  "gpu.module"() <{sym_name = "kernels"}> ({
    "pbsgpu.kernel"() <{function_type = (memref<?x32x?x2xi32>, memref<?x32x?x?xi16>, index, f32) -> (), sym_name = "key_loop_test", warps = 4 : i64}> ({
    ^bb0(%arg9: memref<?x32x?x2xi32>, %arg10: memref<?x32x?x?xi16>, %arg11: index, %arg12: f32):
      %8 = "pbsgpu.key_loop"(%arg9, %arg10, %arg11, %arg11, %arg11, %arg11, %arg12) <{keyBlock = 128 : i64, keyTile = 64 : i64, stages = 1 : i64, walk = #pbsgpu<walk test>}> ({
      }, {
      ^bb0(%arg13: index, %arg14: index, %arg15: i1, %arg16: f32):
        "pbsgpu.yield"(%arg16) : (f32) -> ()
      }) : (memref<?x32x?x2xi32>, memref<?x32x?x?xi16>, index, index, index, index, f32) -> f32
      "pbsgpu.return"() : () -> ()
    }) : () -> ()
  }) : () -> ()
