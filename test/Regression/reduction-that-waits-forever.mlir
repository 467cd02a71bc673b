// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --verify-diagnostics

// A reduction that some threads do not reach became instructions that wait for
// all of them.

gpu.module @kernels {
  pbsgpu.kernel @divergent(%x: f32, %out: memref<64xf32>) warps = 2 {
    %c5 = arith.constant 5 : index
    %t = gpu.thread_id x
    %reaches = arith.cmpi slt, %t, %c5 : index
    cf.cond_br %reaches, ^reduce, ^end
  ^reduce:
    // expected-error@+1 {{'gpu.all_reduce' op must be uniform}}
    %y = gpu.all_reduce add %x {} : (f32) -> f32
    memref.store %y, %out[%t] : memref<64xf32>
    cf.br ^end
  ^end:
    pbsgpu.return
  }
}
