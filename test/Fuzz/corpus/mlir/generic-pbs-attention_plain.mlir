  "func.func"() <{function_type = (tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>) -> (tensor<?x4x?x64xf16>, tensor<?x4x?xf32>), sym_name = "attention_plain"}> ({
  ^bb0(%arg14: tensor<?x4x?x64xf16>, %arg15: tensor<?x1x?x64xf16>, %arg16: tensor<?x1x?x64xf16>, %arg17: !pbs.selection<128x128>):
    %6:2 = "pbs.attention"(%arg14, %arg15, %arg16, %arg17) <{operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>, scale = 1.250000e-01 : f64}> ({
    }) : (tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>) -> (tensor<?x4x?x64xf16>, tensor<?x4x?xf32>)
    "func.return"(%6#0, %6#1) : (tensor<?x4x?x64xf16>, tensor<?x4x?xf32>) -> ()
  }) : () -> ()
