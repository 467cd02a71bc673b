  "func.func"() <{arg_attrs = [{pbs.name = "q"}], function_type = (tensor<?x8x?x128xbf16>) -> tensor<?x8x?x128xbf16>, res_attrs = [{pbs.name = "out"}], sym_name = "names", sym_visibility = "private"}> ({
  }) : () -> ()
