  "func.func"() <{function_type = (index, index, index, !pbs.permutation<heads = 8, segment = 256>) -> (!pbs.selection<128x128>, !pbs.selection<128x128>), sym_name = "full_selection"}> ({
  ^bb0(%arg39: index, %arg40: index, %arg41: index, %arg42: !pbs.permutation<heads = 8, segment = 256>):
    %24 = "pbs.full_selection"(%arg39, %arg40, %arg41) <{heads = 32 : i64}> : (index, index, index) -> !pbs.selection<128x128>
    %25 = "pbs.full_selection"(%arg39, %arg40, %arg41, %arg42) <{causal, heads = 32 : i64}> : (index, index, index, !pbs.permutation<heads = 8, segment = 256>) -> !pbs.selection<128x128>
    "func.return"(%24, %25) : (!pbs.selection<128x128>, !pbs.selection<128x128>) -> ()
  }) : () -> ()
