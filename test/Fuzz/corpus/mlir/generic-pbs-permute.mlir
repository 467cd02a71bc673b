  "func.func"() <{function_type = (tensor<?x8x?x128xf16>, !pbs.permutation<heads = 32, segment = 256>) -> !pbs.permuted<tensor<?x32x?x128xf16>, segment = 256>, sym_name = "permute"}> ({
  ^bb0(%arg28: tensor<?x8x?x128xf16>, %arg29: !pbs.permutation<heads = 32, segment = 256>):
    %16 = "pbs.permute"(%arg28, %arg29) : (tensor<?x8x?x128xf16>, !pbs.permutation<heads = 32, segment = 256>) -> !pbs.permuted<tensor<?x32x?x128xf16>, segment = 256>
    "func.return"(%16) : (!pbs.permuted<tensor<?x32x?x128xf16>, segment = 256>) -> ()
  }) : () -> ()
