// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s -split-input-file -verify-diagnostics

// Blocks that do not divide a segment, or are not those of a value's maker.

func.func @block_scores(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x?x64xf32>, %n: index) {
  // expected-error @below {{'pbs.block_scores' op block_scores_c11: segment (64) is not a multiple of the key block (128)}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [64, 128] segment = 64 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xf32>, %n: index) {
  %b = pbs.pool %q mean block = 128 : tensor<?x4x?x64xbf16> -> tensor<?x4x?x64xf32>
  // expected-error @below {{'pbs.block_scores' op block_scores_c12: query block (64) is not that of the pooling (128)}}
  %s = pbs.block_scores %b, %k lengths(%n, %n) blocks = [64, 128] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x?x64xbf16>, %n: index) {
  %b = pbs.pool %k max block = 64 : tensor<?x2x?x64xbf16> -> tensor<?x2x?x64xf32>
  // expected-error @below {{'pbs.block_scores' op block_scores_c12: key block (128) is not that of the pooling (64)}}
  %s = pbs.block_scores %q, %b lengths(%n, %n) blocks = [64, 128] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x?xf32>, %n: index) {
  // expected-error @below {{'pbs.select' op select_c12: segment (320) is not a multiple of the key block (128)}}
  %s = pbs.select %c lengths(%n, %n) rule = #pbs.all segment = 320
    : tensor<?x4x?x?xf32> -> !pbs.selection<64x128>
  return
}

// -----

func.func @select(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x?x64xf32>, %n: index) {
  %c = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 64] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  // expected-error @below {{'pbs.select' op select_c13: the selection is '!pbs.selection<64x128>', but the scores are those of '!pbs.selection<128x64>'}}
  %s = pbs.select %c lengths(%n, %n) rule = #pbs.all segment = 256
    : tensor<?x4x?x?xf32> -> !pbs.selection<64x128>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x?xf32>, %n: index) {
  // expected-error @below {{'pbs.select' op select_c8: capacity (3) must be from 4, the blocks that may be forced, to 16384}}
  %s, %cut = pbs.select %c lengths(%n, %n) rule = #pbs.all segment = 64 capacity = 3
    : tensor<?x4x?x?xf32> -> !pbs.selection<128x64>, tensor<?x4xi32>
  return
}
