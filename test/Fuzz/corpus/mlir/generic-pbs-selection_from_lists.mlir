  "func.func"() <{function_type = (tensor<?x32x?x2xi32>, tensor<?x32x?x?xi16>) -> !pbs.selection<128x128>, sym_name = "selection_from_lists"}> ({
  ^bb0(%arg37: tensor<?x32x?x2xi32>, %arg38: tensor<?x32x?x?xi16>):
    %23 = "pbs.selection_from_lists"(%arg37, %arg38) : (tensor<?x32x?x2xi32>, tensor<?x32x?x?xi16>) -> !pbs.selection<128x128>
    "func.return"(%23) : (!pbs.selection<128x128>) -> ()
  }) : () -> ()
