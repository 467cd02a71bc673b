// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s -split-input-file -verify-diagnostics

func.func @swapped_lengths(%q: tensor<1x4x200x64xbf16>, %k: tensor<1x2x900x64xbf16>, %batch: index) {
  %two = arith.constant 2 : index
  %nq = tensor.dim %q, %two : tensor<1x4x200x64xbf16>
  %nk = tensor.dim %k, %two : tensor<1x2x900x64xbf16>
  // expected-error @below {{'pbs.full_selection' op full_selection_c5: query length (900) is more than key length (200)}}
  %s = pbs.full_selection %batch lengths(%nk, %nq) heads = 4 : !pbs.selection<128x128>
  return
}

// -----

func.func @swapped_lengths(%m: tensor<1x4x2x8xi1>) {
  %nq = arith.constant 200 : index
  %nk = arith.constant 900 : index
  // expected-error @below {{'pbs.selection_from_mask' op selection_from_mask_c9: query length (900) is more than key length (200)}}
  %s = pbs.selection_from_mask %m lengths(%nk, %nq) : tensor<1x4x2x8xi1> -> !pbs.selection<128x128>
  return
}

// -----

func.func @swapped_lengths(%q: tensor<1x4x2x64xf32>, %k: tensor<1x2x8x64xf32>, %nk: index) {
  %nq = arith.constant 200 : index
  // Of one length alone.
  // expected-error @below {{'pbs.block_scores' op block_scores_c13: key length (200) has 2 blocks of 128, not 8}}
  %c = pbs.block_scores %q, %k lengths(%nk, %nq) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<1x4x2x64xf32>, tensor<1x2x8x64xf32> -> tensor<1x4x2x8xf32>
  return
}

// -----

func.func @swapped_lengths(%c: tensor<1x4x4x8xf32>, %q: tensor<1x4x512x64xbf16>) {
  %two = arith.constant 2 : index
  %nq = tensor.dim %q, %two : tensor<1x4x512x64xbf16>
  %nk = arith.constant 1024 : index
  %s = pbs.select %c lengths(%nq, %nk) rule = #pbs.all segment = 256 : tensor<1x4x4x8xf32> -> !pbs.selection<128x128>
  // expected-error @below {{'pbs.select' op select_c14: query length (1024) is more than key length (512)}}
  %t = pbs.select %c lengths(%nk, %nq) rule = #pbs.all segment = 256 : tensor<1x4x4x8xf32> -> !pbs.selection<128x128>
  return
}
