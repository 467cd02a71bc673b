// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s -split-input-file -verify-diagnostics

// One broken constraint of docs/spec.md each.

func.func @block_scores(%q: tensor<?x4x?xf32>, %k: tensor<?x2x?x64xf32>, %n: index) {
  // expected-error @below {{'pbs.block_scores' op block_scores_c1: query 'tensor<?x4x?xf32>' must be B x H x N x D with static H and D, no dimension of 0 and no encoding}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<?x4x?xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xf32>, %k: tensor<?x?x?x64xf32>, %n: index) {
  // expected-error @below {{'pbs.block_scores' op block_scores_c1: key 'tensor<?x?x?x64xf32>' must be B x H x N x D with static H and D, no dimension of 0 and no encoding}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x?x?x64xf32> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x65xf32>, %k: tensor<?x2x?x64xf32>, %n: index) {
  // expected-error @below {{'pbs.block_scores' op block_scores_c2: head dimension (65) must be 64 or 128}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<?x4x?x65xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<1x4x?x64xf32>, %k: tensor<2x2x?x64xf32>, %n: index) {
  // expected-error @below {{'pbs.block_scores' op block_scores_c3: key is 'tensor<2x2x?x64xf32>' but must agree with 'tensor<1x2x?x64xf32>'}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<1x4x?x64xf32>, tensor<2x2x?x64xf32> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xf32>, %k: tensor<?x3x?x64xf32>, %n: index) {
  // expected-error @below {{'pbs.block_scores' op block_scores_c4: query heads (4) are not a multiple of key heads (3)}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x3x?x64xf32> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x16385x64xf32>, %n: index) {
  // expected-error @below {{'pbs.block_scores' op block_scores_c5: key blocks (16385) are more than 16384}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x2x16385x64xf32> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x?x64xf32>, %n: index) {
  // expected-error @below {{'pbs.block_scores' op block_scores_c6: query block (256) must be 64, 128 or 192}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [256, 128] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x?x64xf32>, %n: index) {
  // expected-error @below {{'pbs.block_scores' op block_scores_c7: key block (32) must be 64 or 128}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 32] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x?x64xf32>, %n: index) {
  // expected-error @below {{'pbs.block_scores' op block_scores_c8: segment (32) must be a positive multiple of 64, at most 1024}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 32 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x?x64xf32>, %n: index) {
  // expected-error @below {{'pbs.block_scores' op block_scores_c9: scale (0.000000e+00) must be finite and greater than 0}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.0
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x?x64xf32>, %n: index) {
  // expected-error @below {{'pbs.block_scores' op block_scores_c10: result 'tensor<?x?x?x?xf32>' must be B x Hq x Qb x Kb with static Hq, no dimension of 0 and no encoding}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x?x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x?x64xf32>, %n: index) {
  // expected-error @below {{'pbs.block_scores' op block_scores_c10: result is 'tensor<?x2x?x?xf32>' but must agree with 'tensor<?x4x?x?xf32>'}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x2x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x7x64xf32>, %n: index) {
  // expected-error @below {{'pbs.block_scores' op block_scores_c10: result is 'tensor<?x4x?x8xf32>' but must agree with 'tensor<?x4x?x7xf32>'}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x2x7x64xf32> -> tensor<?x4x?x8xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x?x64xf32>, %n: index, %p: !pbs.permutation<heads = 2, segment = 256>,
    %r: !pbs.permutation<heads = 1, segment = 256>, %t: !pbs.permutation<heads = 4, segment = 128>) {
  // expected-error @below {{block_scores_c14: score #pbs.pooled<mean> is that of pooled rows, for which none is stated}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) score = #pbs.pooled<mean> blocks = [128, 128] segment = 256 scale = 0.125 causal
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x?x64xf32>, %n: index, %p: !pbs.permutation<heads = 2, segment = 256>,
    %r: !pbs.permutation<heads = 1, segment = 256>, %t: !pbs.permutation<heads = 4, segment = 128>) {
  // expected-error @below {{block_scores_c15: query and key must be both bf16 or both f16 for score #pbs.rows<stride = 16>}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) score = #pbs.rows<stride = 16> blocks = [128, 128] segment = 256 scale = 0.125 causal
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %n: index, %p: !pbs.permutation<heads = 2, segment = 256>,
    %r: !pbs.permutation<heads = 1, segment = 256>, %t: !pbs.permutation<heads = 4, segment = 128>) {
  // expected-error @below {{block_scores_c15: query and key must be f32 without a score}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x?x64xf32>, %n: index, %p: !pbs.permutation<heads = 2, segment = 256>,
    %r: !pbs.permutation<heads = 1, segment = 256>, %t: !pbs.permutation<heads = 4, segment = 128>) {
  // expected-error @below {{block_scores_c16: pooled rows have an order, and no permutation}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) permutation(%p) blocks = [128, 128] segment = 256 scale = 0.125 causal
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32>, !pbs.permutation<heads = 2, segment = 256> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %n: index, %p: !pbs.permutation<heads = 2, segment = 256>,
    %r: !pbs.permutation<heads = 1, segment = 256>, %t: !pbs.permutation<heads = 4, segment = 128>) {
  // expected-error @below {{block_scores_c17: segment (256) is not that of the permutation (128)}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) permutation(%t) score = #pbs.rows<stride = 16> blocks = [128, 128] segment = 256 scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.permutation<heads = 4, segment = 128> -> tensor<?x4x?x?xf32>
  return
}

// -----

func.func @block_scores(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %n: index, %p: !pbs.permutation<heads = 2, segment = 256>,
    %r: !pbs.permutation<heads = 1, segment = 256>, %t: !pbs.permutation<heads = 4, segment = 128>) {
  // expected-error @below {{block_scores_c18: the permutation's heads (1) are neither the query heads (4) nor the key heads (2)}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) permutation(%r) score = #pbs.rows<stride = 16> blocks = [128, 128] segment = 256 scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.permutation<heads = 1, segment = 256> -> tensor<?x4x?x?xf32>
  return
}
