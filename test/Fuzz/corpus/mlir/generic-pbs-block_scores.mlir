  "func.func"() <{function_type = (tensor<?x32x?x64xf32>, tensor<?x8x?x64xf32>, index, index) -> (tensor<?x32x?x?xf32>, tensor<?x32x?x?xf32>), sym_name = "block_scores"}> ({
  ^bb0(%arg22: tensor<?x32x?x64xf32>, %arg23: tensor<?x8x?x64xf32>, %arg24: index, %arg25: index):
    %12 = "pbs.block_scores"(%arg22, %arg23, %arg24, %arg25) <{causal, keyBlock = 128 : i64, queryBlock = 128 : i64, scale = 1.250000e-01 : f64, segment = 256 : i64}> : (tensor<?x32x?x64xf32>, tensor<?x8x?x64xf32>, index, index) -> tensor<?x32x?x?xf32>
    %13 = "pbs.block_scores"(%arg22, %arg23, %arg24, %arg25) <{keyBlock = 128 : i64, queryBlock = 128 : i64, scale = 1.250000e-01 : f64, segment = 256 : i64}> : (tensor<?x32x?x64xf32>, tensor<?x8x?x64xf32>, index, index) -> tensor<?x32x?x?xf32>
    "func.return"(%12, %13) : (tensor<?x32x?x?xf32>, tensor<?x32x?x?xf32>) -> ()
  }) : () -> ()
