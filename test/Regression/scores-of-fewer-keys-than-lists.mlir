// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu --split-input-file --verify-diagnostics

// A kernel that computes the scores of its lists read pooled keys past the last
// where the lists were of more keys, and attention keys past the last where its
// lists were.

func.func @scores(%q: tensor<1x4x8x64xf32>, %k: tensor<1x4x8x64xf32>) -> !pbs.selection<128x128> {
  %queries = arith.constant 1000 : index
  %keys = arith.constant 1000 : index
  %more = arith.constant 2000 : index
  %s = pbs.block_scores %q, %k lengths(%queries, %keys) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<1x4x8x64xf32>, tensor<1x4x8x64xf32> -> tensor<1x4x8x?xf32>
  // expected-error@+1 {{the key lengths of scores and lists (1000 and 2000) must agree}}
  %l = pbs.select %s lengths(%queries, %more) rule = #pbs.all segment = 256 : tensor<1x4x8x?xf32> -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

// -----

func.func @lists(%q: tensor<1x4x1000x64xf16>, %k: tensor<1x1x1000x64xf16>) -> tensor<1x4x1000x64xf16> {
  %batch = arith.constant 1 : index
  %queries = arith.constant 1000 : index
  %more = arith.constant 2000 : index
  %s = pbs.full_selection %batch lengths(%queries, %more) heads = 4 : !pbs.selection<128x128>
  // expected-error@+1 {{the key lengths of attention and lists (1000 and 2000) must agree}}
  %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125
    : tensor<1x4x1000x64xf16>, tensor<1x1x1000x64xf16>, tensor<1x1x1000x64xf16>, !pbs.selection<128x128>
   -> tensor<1x4x1000x64xf16>, tensor<1x4x1000xf32>
  return %out : tensor<1x4x1000x64xf16>
}
