// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention is cut as its schedule says, and its kernel keeps it.
// RUN: pbs-opt %s --split-input-file --convert-pbs-to-pbsgpu | FileCheck %s

// CHECK-LABEL: gpu.module @given_kernels
// CHECK: pbsgpu.kernel @attention(
// CHECK: ) warps = 2 attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 32, warps = 2, stages = 3, off = ["walk-list"]>}
// CHECK: pbsgpu.alloc_tile : !tile_128x128xbf16
// CHECK: pbsgpu.alloc_tile : !tile_32x128xbf16
// CHECK: key_block = 128 key_tile = 32
// CHECK: pbsgpu.launch {{.*}}
func.func @given(%q: tensor<?x4x?x128xbf16>, %k: tensor<?x1x?x128xbf16>, %v: tensor<?x1x?x128xbf16>,
                 %s: !pbs.selection<128x128>) -> tensor<?x4x?x128xbf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 32, warps = 2, stages = 3, off = ["walk-list"]>}
    : tensor<?x4x?x128xbf16>, tensor<?x1x?x128xbf16>, tensor<?x1x?x128xbf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x128xbf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x128xbf16>
}

// -----

// Without one, that of --pbs-choose-schedule.
// CHECK-LABEL: gpu.module @chosen_kernels
// CHECK: pbsgpu.kernel @attention(
// CHECK: ) warps = 4 attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 2>}
// CHECK: key_block = 64 key_tile = 64
func.func @chosen(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>,
                  %s: !pbs.selection<64x64>) -> tensor<?x4x?x64xbf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>, !pbs.selection<64x64>
   -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xbf16>
}
