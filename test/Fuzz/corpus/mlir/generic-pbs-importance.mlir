  "func.func"() <{function_type = (tensor<?x32x?x64xbf16>, tensor<?x8x?x64xbf16>) -> (tensor<?x32x?xf32>, tensor<?x8x?xf32>), sym_name = "importance"}> ({
  ^bb0(%arg31: tensor<?x32x?x64xbf16>, %arg32: tensor<?x8x?x64xbf16>):
    %18 = "pbs.importance"(%arg31, %arg32) <{queryBlock = 128 : i64, scale = 1.250000e-01 : f64, segment = 256 : i64}> : (tensor<?x32x?x64xbf16>, tensor<?x8x?x64xbf16>) -> tensor<?x32x?xf32>
    %19 = "pbs.importance"(%arg31, %arg32) <{queryBlock = 128 : i64, scale = 1.250000e-01 : f64, segment = 256 : i64}> : (tensor<?x32x?x64xbf16>, tensor<?x8x?x64xbf16>) -> tensor<?x8x?xf32>
    "func.return"(%18, %19) : (tensor<?x32x?xf32>, tensor<?x8x?xf32>) -> ()
  }) : () -> ()
