  "gpu.module"() <{sym_name = "kernels"}> ({
    "pbsgpu.kernel"() <{function_type = (memref<?x32x?x2xi32>, memref<?x32x?x?xi16>, index) -> (), sym_name = "key_loop_list", warps = 4 : i64}> ({
    ^bb0(%arg0: memref<?x32x?x2xi32>, %arg1: memref<?x32x?x?xi16>, %arg2: index):
      %12 = "arith.constant"() <{value = 0 : index}> : () -> index
      %13 = "pbsgpu.key_loop"(%arg0, %arg1, %arg2, %arg2, %arg2, %arg2, %12) <{ahead = 1 : i64, keyBlock = 128 : i64, keyTile = 64 : i64, walk = #pbsgpu<walk list>}> ({
      ^bb0(%arg7: index, %arg8: index):
        "pbsgpu.yield"() : () -> ()
      }, {
      ^bb0(%arg5: index, %arg6: index):
        "pbsgpu.yield"() : () -> ()
      }, {
      ^bb0(%arg3: index, %arg4: index):
        "pbsgpu.yield"() : () -> ()
      }) : (memref<?x32x?x2xi32>, memref<?x32x?x?xi16>, index, index, index, index, index) -> index
      "pbsgpu.return"() : () -> ()
    }) : () -> ()
  }) : () -> ()
