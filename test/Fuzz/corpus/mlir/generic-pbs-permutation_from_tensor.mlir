  "func.func"() <{function_type = (tensor<?x32x?xi32>) -> !pbs.permutation<heads = 32, segment = 256>, sym_name = "permutation_from_tensor"}> ({
  ^bb0(%arg43: tensor<?x32x?xi32>):
    %26 = "pbs.permutation_from_tensor"(%arg43) : (tensor<?x32x?xi32>) -> !pbs.permutation<heads = 32, segment = 256>
    "func.return"(%26) : (!pbs.permutation<heads = 32, segment = 256>) -> ()
  }) : () -> ()
