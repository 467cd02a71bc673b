  "func.func"() <{function_type = (!pbsgpu.fragment<128x64xf32, accumulator, warps = 8>, !pbsgpu.fragment<128x1xf32, accumulator, warps = 8>, !pbsgpu.fragment<128x64xbf16, operand_a, warps = 8>, !pbsgpu.tile<64x128xbf16>, !pbsgpu.ring<64x128xf16, stages = 2>) -> (), sym_name = "types", sym_visibility = "private"}> ({
  }) : () -> ()
