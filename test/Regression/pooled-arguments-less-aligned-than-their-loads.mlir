// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu | FileCheck %s

// Kernels load 16 bytes of a pooled row at once; the plan asked callers for 4
// only.

// CHECK: vector.load %{{.*}} {alignment = 16 : i64}
// CHECK: pbsgpu.argument "q" input {{.*}} align 16
// CHECK: pbsgpu.argument "k" input {{.*}} align 16
// Of what another kernel may write, the caller's memory too.
// CHECK: pbsgpu.argument "pooled" output {{.*}} align 16
func.func @scores(%q: tensor<1x4x8x128xf32> {pbs.name = "q"}, %k: tensor<1x4x8x128xf32> {pbs.name = "k"},
    %x: tensor<1x4x1000x128xbf16>) -> (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>, tensor<1x4x8x128xf32> {pbs.name = "pooled"}) {
  %n = arith.constant 1000 : index
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<1x4x8x128xf32>, tensor<1x4x8x128xf32> -> tensor<1x4x8x8xf32>
  %p = pbs.pool %x mean block = 128 : tensor<1x4x1000x128xbf16> -> tensor<1x4x8x128xf32>
  %t = pbs.block_scores %p, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<1x4x8x128xf32>, tensor<1x4x8x128xf32> -> tensor<1x4x8x8xf32>
  return %s, %t, %p : tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>, tensor<1x4x8x128xf32>
}
