// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes that are computed from each other ended in an endless recursion.
// RUN: pbs-opt %s --split-input-file --verify-diagnostics --convert-pbs-to-pbsgpu

// expected-error @below {{entry @itself has a size that depends on itself: arg0_2 is arg0_2 / 128 rounded up}}
func.func @itself(%q: tensor<?x4x?x64xf32>, %k: tensor<?x4x?x64xf32>) -> tensor<?x4x?x?xf32> {
  %c2 = arith.constant 2 : index
  %n = tensor.dim %q, %c2 : tensor<?x4x?x64xf32>
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32> -> tensor<?x4x?x?xf32>
  return %s : tensor<?x4x?x?xf32>
}

// -----

// expected-error @below {{entry @each_other has a size that depends on itself: q_2 is k_2 / 128 rounded up, k_2 is q_2 / 64 rounded up}}
func.func @each_other(%q: tensor<?x4x?x64xf32> {pbs.name = "q"}, %k: tensor<?x4x?x64xf32> {pbs.name = "k"}) -> tensor<?x4x?x?xf32> {
  %c2 = arith.constant 2 : index
  %n = tensor.dim %q, %c2 : tensor<?x4x?x64xf32>
  %m = tensor.dim %k, %c2 : tensor<?x4x?x64xf32>
  %s = pbs.block_scores %q, %k lengths(%m, %n) blocks = [128, 64] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32> -> tensor<?x4x?x?xf32>
  return %s : tensor<?x4x?x?xf32>
}
