  "func.func"() <{function_type = (!pbs.permutation<heads = 32, segment = 256>, !pbs.selection<128x128>, !pbs.permuted<tensor<?x8x?x128xbf16>, segment = 1024>, !pbs.permuted<tensor<2x1x77x64xf16>, segment = 128>) -> (), sym_name = "types", sym_visibility = "private"}> ({
  }) : () -> ()
