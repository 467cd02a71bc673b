func.func @f(%a: !pbsgpu.ring<32x64xbf16, stages = 9223372036854775807>)
