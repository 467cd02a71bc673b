  "func.func"() <{function_type = (tensor<?x32x?xf32>) -> !pbs.permutation<heads = 32, segment = 256>, sym_name = "segment_sort"}> ({
  ^bb0(%arg30: tensor<?x32x?xf32>):
    %17 = "pbs.segment_sort"(%arg30) : (tensor<?x32x?xf32>) -> !pbs.permutation<heads = 32, segment = 256>
    "func.return"(%17) : (!pbs.permutation<heads = 32, segment = 256>) -> ()
  }) : () -> ()
