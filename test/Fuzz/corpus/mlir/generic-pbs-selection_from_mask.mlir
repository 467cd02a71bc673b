  "func.func"() <{function_type = (tensor<?x32x?x?xi1>, index, index, !pbs.permutation<heads = 32, segment = 256>) -> (!pbs.selection<128x128>, !pbs.selection<128x128>), sym_name = "selection_from_mask"}> ({
  ^bb0(%arg33: tensor<?x32x?x?xi1>, %arg34: index, %arg35: index, %arg36: !pbs.permutation<heads = 32, segment = 256>):
    %20 = "pbs.selection_from_mask"(%arg33, %arg34, %arg35) : (tensor<?x32x?x?xi1>, index, index) -> !pbs.selection<128x128>
    %21 = "pbs.selection_from_mask"(%arg33, %arg34, %arg35, %arg36) <{causal}> : (tensor<?x32x?x?xi1>, index, index, !pbs.permutation<heads = 32, segment = 256>) -> !pbs.selection<128x128>
    %22:2 = "pbs.selection_from_mask"(%arg33, %arg34, %arg35) <{capacity = 1 : i64}> : (tensor<?x32x?x?xi1>, index, index) -> (!pbs.selection<128x128>, tensor<?x32xi32>)
    "func.return"(%20, %21) : (!pbs.selection<128x128>, !pbs.selection<128x128>) -> ()
  }) : () -> ()
