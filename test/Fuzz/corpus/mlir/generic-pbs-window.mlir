  "func.func"() <{function_type = (tensor<?x4x?x64xf16>, tensor<?x4x?x?xf32>, tensor<?x4x?x?xi1>, index) -> (tensor<?x4x?x64xf16>, !pbs.selection<128x128>, !pbs.selection<128x128>), sym_name = "window"}> ({
  ^bb0(%arg10: tensor<?x4x?x64xf16>, %arg11: tensor<?x4x?x?xf32>, %arg12: tensor<?x4x?x?xi1>, %arg13: index):
    %2 = "pbs.full_selection"(%arg13, %arg13, %arg13) <{causal, heads = 4 : i64, window = 300 : i64}> : (index, index, index) -> !pbs.selection<128x128>
    %3 = "pbs.select"(%arg11, %arg13, %arg13) <{rule = #pbs.all, segment = 256 : i64, window = 1 : i64}> : (tensor<?x4x?x?xf32>, index, index) -> !pbs.selection<128x128>
    %4 = "pbs.selection_from_mask"(%arg12, %arg13, %arg13) <{causal, window = 128 : i64}> : (tensor<?x4x?x?xi1>, index, index) -> !pbs.selection<128x128>
    %5:2 = "pbs.attention"(%arg10, %arg10, %arg10, %2) <{causal, operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>, scale = 1.250000e-01 : f64, window = 300 : i64}> ({
    }) : (tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, !pbs.selection<128x128>) -> (tensor<?x4x?x64xf16>, tensor<?x4x?xf32>)
    "func.return"(%5#0, %3, %4) : (tensor<?x4x?x64xf16>, !pbs.selection<128x128>, !pbs.selection<128x128>) -> ()
  }) : () -> ()
