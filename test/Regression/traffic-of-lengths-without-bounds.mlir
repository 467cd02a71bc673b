// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The traffic of lengths that constants give was counted row by row, however
// many there were.
// RUN: pbs-opt %s --split-input-file --verify-diagnostics --pbs-print-traffic=key-length=1024

func.func @keys(%m: tensor<1x4x?x?xi1>) -> !pbs.selection<128x128> {
  %c2 = arith.constant 2 : index
  %n = arith.constant 100000000000 : index
  // expected-error @below {{'pbs.identity_permutation' op keys (100000000000) must be 1 to 2097152 for its traffic to be known}}
  %p = pbs.identity_permutation %c2, %n : !pbs.permutation<heads = 4, segment = 256>
  %l = pbs.selection_from_mask %m lengths(%n, %n) permutation(%p)
    : tensor<1x4x?x?xi1>, !pbs.permutation<heads = 4, segment = 256> -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

// -----

func.func @blocks_of_64(%m: tensor<1x4x?x?xi1>) -> !pbs.selection<128x64> {
  %n = arith.constant 2097152 : index
  // expected-error @below {{'pbs.selection_from_mask' op keys (2097152) must be 1 to 1048576 for its traffic to be known}}
  %l = pbs.selection_from_mask %m lengths(%n, %n) : tensor<1x4x?x?xi1> -> !pbs.selection<128x64>
  return %l : !pbs.selection<128x64>
}

// -----

func.func @queries(%m: tensor<1x4x?x?xi1>, %n: index) -> !pbs.selection<128x128> {
  %m1 = arith.constant 1025 : index
  // expected-error @below {{'pbs.selection_from_mask' op queries (1025) must be 1 to 1024 for its traffic to be known}}
  %l = pbs.selection_from_mask %m lengths(%m1, %n) : tensor<1x4x?x?xi1> -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

// -----

func.func @batches() -> !pbs.selection<128x128> {
  %n = arith.constant 1024 : index
  %b = arith.constant 65536 : index
  // expected-error @below {{'pbs.full_selection' op batches (65536) must be 1 to 65535 for its traffic to be known}}
  %l = pbs.full_selection %b lengths(%n, %n) heads = 4 : !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}
