  "func.func"() <{function_type = (index, index) -> !pbs.permutation<heads = 8, segment = 256>, sym_name = "identity_permutation"}> ({
  ^bb0(%arg44: index, %arg45: index):
    %27 = "pbs.identity_permutation"(%arg44, %arg45) : (index, index) -> !pbs.permutation<heads = 8, segment = 256>
    "func.return"(%27) : (!pbs.permutation<heads = 8, segment = 256>) -> ()
  }) : () -> ()
