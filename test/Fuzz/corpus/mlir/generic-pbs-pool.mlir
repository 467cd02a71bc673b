  "func.func"() <{function_type = (tensor<?x32x?x128xbf16>, !pbs.permuted<tensor<?x8x?x128xbf16>, segment = 256>) -> (tensor<?x32x?x128xf32>, tensor<?x8x?x128xf32>), sym_name = "pool"}> ({
  ^bb0(%arg26: tensor<?x32x?x128xbf16>, %arg27: !pbs.permuted<tensor<?x8x?x128xbf16>, segment = 256>):
    %14 = "pbs.pool"(%arg26) <{block = 128 : i64, kind = #pbs<pooling mean>}> : (tensor<?x32x?x128xbf16>) -> tensor<?x32x?x128xf32>
    %15 = "pbs.pool"(%arg27) <{block = 128 : i64, kind = #pbs<pooling max>}> : (!pbs.permuted<tensor<?x8x?x128xbf16>, segment = 256>) -> tensor<?x8x?x128xf32>
    "func.return"(%14, %15) : (tensor<?x32x?x128xf32>, tensor<?x8x?x128xf32>) -> ()
  }) : () -> ()
