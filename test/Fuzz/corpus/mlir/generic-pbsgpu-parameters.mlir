  "gpu.module"() <{sym_name = "kernels"}> ({
    "pbsgpu.kernel"() <{arg_attrs = [{pbs.name = "x"}, {}, {}], function_type = (memref<?x8xf32>, index, f32) -> (), sym_name = "parameters", warps = 1 : i64}> ({
    ^bb0(%arg40: memref<?x8xf32>, %arg41: index, %arg42: f32):
      "pbsgpu.return"() : () -> ()
    }) {note = "kept"} : () -> ()
  }) : () -> ()
