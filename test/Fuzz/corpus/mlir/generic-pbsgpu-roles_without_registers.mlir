  "gpu.module"() <{sym_name = "kernels"}> ({
    "pbsgpu.kernel"() <{function_type = (f32) -> (), sym_name = "roles_without_registers", warps = 3 : i64}> ({
    ^bb0(%arg30: f32):
      "pbsgpu.roles"() <{names = ["first", "second one"], registers = array<i64: 0, 0>, warps = array<i64: 1, 2>}> ({
        "pbsgpu.end_role"() : () -> ()
      }, {
        %32 = "pbsgpu.splat"(%arg30) : (f32) -> !pbsgpu.fragment<32x8xf32, accumulator, warps = 2>
        "pbsgpu.end_role"() : () -> ()
      }) {note = "kept"} : () -> ()
      "pbsgpu.return"() : () -> ()
    }) {note = "kept"} : () -> ()
  }) : () -> ()
