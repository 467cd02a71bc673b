  "func.func"() <{function_type = (tensor<?x32x?x?xf32>, index, index, !pbs.permutation<heads = 32, segment = 256>) -> (!pbs.selection<128x128>, !pbs.selection<128x128>), sym_name = "select"}> ({
  ^bb0(%arg18: tensor<?x32x?x?xf32>, %arg19: index, %arg20: index, %arg21: !pbs.permutation<heads = 32, segment = 256>):
    %7 = "pbs.select"(%arg18, %arg19, %arg20, %arg21) <{causal, rule = #pbs.top_p<9.000000e-01 : f64>, segment = 256 : i64}> : (tensor<?x32x?x?xf32>, index, index, !pbs.permutation<heads = 32, segment = 256>) -> !pbs.selection<128x128>
    %8 = "pbs.select"(%arg18, %arg19, %arg20) <{rule = #pbs.top_p<5.000000e-01 : f64>, segment = 128 : i64}> : (tensor<?x32x?x?xf32>, index, index) -> !pbs.selection<128x128>
    %9 = "pbs.select"(%arg18, %arg19, %arg20) <{rule = #pbs.top_k<4>, segment = 128 : i64}> : (tensor<?x32x?x?xf32>, index, index) -> !pbs.selection<128x128>
    %10 = "pbs.select"(%arg18, %arg19, %arg20) <{rule = #pbs.all, segment = 128 : i64}> : (tensor<?x32x?x?xf32>, index, index) -> !pbs.selection<128x128>
    %11:2 = "pbs.select"(%arg18, %arg19, %arg20) <{capacity = 16 : i64, causal, rule = #pbs.all, segment = 128 : i64}> : (tensor<?x32x?x?xf32>, index, index) -> (!pbs.selection<128x128>, tensor<?x32xi32>)
    "func.return"(%7, %8) : (!pbs.selection<128x128>, !pbs.selection<128x128>) -> ()
  }) : () -> ()
