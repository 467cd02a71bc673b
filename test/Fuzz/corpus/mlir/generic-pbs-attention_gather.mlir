  "func.func"() <{function_type = (tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>, !pbs.permutation<heads = 4, segment = 256>) -> (tensor<?x4x?x64xf16>, tensor<?x4x?xf32>), sym_name = "attention_gather"}> ({
  ^bb0(%arg5: tensor<?x4x?x64xf16>, %arg6: tensor<?x1x?x64xf16>, %arg7: tensor<?x1x?x64xf16>, %arg8: !pbs.selection<128x128>, %arg9: !pbs.permutation<heads = 4, segment = 256>):
    %1:2 = "pbs.attention"(%arg5, %arg6, %arg7, %arg8, %arg9) <{causal, operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 0>, scale = 1.250000e-01 : f64}> ({
    }) : (tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>, !pbs.permutation<heads = 4, segment = 256>) -> (tensor<?x4x?x64xf16>, tensor<?x4x?xf32>)
    "func.return"(%1#0, %1#1) : (tensor<?x4x?x64xf16>, tensor<?x4x?xf32>) -> ()
  }) : () -> ()
