  "func.func"() <{function_type = () -> (), sym_name = "attributes", sym_visibility = "private"}> ({
  }) {all = #pbs.all, best = #pbs.top_k<8>, limit = #pbs.threshold<5.000000e-01 : f64>, max = #pbs<pooling max>, mean = #pbs<pooling mean>, most = #pbs.top_p<9.000000e-01 : f64>, none = #pbs.top_p<0.000000e+00 : f64>} : () -> ()
