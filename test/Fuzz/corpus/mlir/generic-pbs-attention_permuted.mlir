  "func.func"() <{function_type = (tensor<?x4x?x64xf16>, !pbs.permuted<tensor<?x4x?x64xf16>, segment = 256>, !pbs.permuted<tensor<?x4x?x64xf16>, segment = 256>, !pbs.selection<128x128>, !pbs.permutation<heads = 4, segment = 256>) -> (tensor<?x4x?x64xf16>, tensor<?x4x?xf32>), sym_name = "attention_permuted"}> ({
  ^bb0(%arg0: tensor<?x4x?x64xf16>, %arg1: !pbs.permuted<tensor<?x4x?x64xf16>, segment = 256>, %arg2: !pbs.permuted<tensor<?x4x?x64xf16>, segment = 256>, %arg3: !pbs.selection<128x128>, %arg4: !pbs.permutation<heads = 4, segment = 256>):
    %0:2 = "pbs.attention"(%arg0, %arg1, %arg2, %arg3, %arg4) <{causal, operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 0>, scale = 1.250000e-01 : f64}> ({
    }) : (tensor<?x4x?x64xf16>, !pbs.permuted<tensor<?x4x?x64xf16>, segment = 256>, !pbs.permuted<tensor<?x4x?x64xf16>, segment = 256>, !pbs.selection<128x128>, !pbs.permutation<heads = 4, segment = 256>) -> (tensor<?x4x?x64xf16>, tensor<?x4x?xf32>)
    "func.return"(%0#0, %0#1) : (tensor<?x4x?x64xf16>, tensor<?x4x?xf32>) -> ()
  }) : () -> ()
