  "gpu.module"() <{sym_name = "kernels"}> ({
    "pbsgpu.kernel"() <{function_type = (memref<?x32x?x2xi32>, memref<?x32x?x?xi16>, index, f32) -> (), sym_name = "key_loop_test", warps = 4 : i64}> ({
    ^bb0(%arg9: memref<?x32x?x2xi32>, %arg10: memref<?x32x?x?xi16>, %arg11: index, %arg12: f32):
      %14 = "arith.constant"() <{value = 0 : index}> : () -> index
      %15:2 = "pbsgpu.key_loop"(%arg9, %arg10, %arg11, %arg11, %arg11, %arg11, %14, %arg12) <{ahead = 0 : i64, keyBlock = 128 : i64, keyTile = 64 : i64, walk = #pbsgpu<walk test>}> ({
      }, {
      ^bb0(%arg16: index, %arg17: index, %arg18: i1, %arg19: f32):
        "pbsgpu.yield"(%arg19) : (f32) -> ()
      }) : (memref<?x32x?x2xi32>, memref<?x32x?x?xi16>, index, index, index, index, index, f32) -> (f32, index)
      %16 = "pbsgpu.key_loop"(%arg9, %arg10, %arg11, %arg11, %arg11, %arg11, %15#1) <{ahead = 0 : i64, keyBlock = 128 : i64, keyTile = 64 : i64, walk = #pbsgpu<walk test>}> ({
      }, {
      ^bb0(%arg13: index, %arg14: index, %arg15: i1):
        "pbsgpu.yield"() : () -> ()
      }) : (memref<?x32x?x2xi32>, memref<?x32x?x?xi16>, index, index, index, index, index) -> index
      "pbsgpu.return"() : () -> ()
    }) : () -> ()
  }) : () -> ()
