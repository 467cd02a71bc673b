// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s -split-input-file -verify-diagnostics

// One broken constraint of docs/spec.md each.

func.func @importance(%q: tensor<?x4x64xbf16>, %k: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c1: query 'tensor<?x4x64xbf16>' must be B x H x N x D with static H and D, no dimension of 0 and no encoding}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
    : tensor<?x4x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x?x?x64xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c1: key 'tensor<?x?x?x64xbf16>' must be B x H x N x D with static H and D, no dimension of 0 and no encoding}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x?x?x64xbf16> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xf16>) {
  // expected-error @below {{'pbs.importance' op importance_c2: query and key have different element types}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xf16> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x?x32xbf16>, %k: tensor<?x2x?x32xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c3: head dimension (32) must be 64 or 128}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
    : tensor<?x4x?x32xbf16>, tensor<?x2x?x32xbf16> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x128xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c4: key is 'tensor<?x2x?x128xbf16>' but must agree with 'tensor<?x2x?x64xbf16>'}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x128xbf16> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x3x?x64xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c5: query heads (4) are not a multiple of key heads (3)}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x3x?x64xbf16> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x9x64xbf16>, %k: tensor<?x2x8x64xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c6: queries (9) are more than keys (8)}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
    : tensor<?x4x9x64xbf16>, tensor<?x2x8x64xbf16> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x2097153x64xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c7: key blocks (16385) are more than 16384}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x2097153x64xbf16> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c8: query block (96) must be 64, 128 or 192}}
  %i = pbs.importance %q, %k query_block = 96 segment = 256 scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c9: segment (-256) must be a positive multiple of 64, at most 1024}}
  %i = pbs.importance %q, %k query_block = 128 segment = -256 scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c10: scale (0.000000e+00) must be finite and greater than 0}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.0
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c10: scale (-1.000000e+00) must be finite and greater than 0}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = -1.0
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c10: scale (INF) must be finite and greater than 0}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0x7FF0000000000000
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c10: scale (nan) must be finite and greater than 0}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0x7FF8000000000000
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c11: result 'tensor<?x4xf32>' must be B x H x N with static H, no dimension of 0 and no encoding}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x8x64xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c11: result is 'tensor<?x4x7xf32>' but must agree with 'tensor<?x4x8xf32>'}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x8x64xbf16> -> tensor<?x4x7xf32>
  return
}

// -----

func.func @importance(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.importance' op importance_c12: result heads (1) are neither the query heads (4) nor the key heads (2)}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x1x?xf32>
  return
}

// -----

func.func @segment_sort(%i: tensor<?x8x?x1xf32>) {
  // expected-error @below {{'pbs.segment_sort' op segment_sort_c1: importance 'tensor<?x8x?x1xf32>' must be B x H x N with static H, no dimension of 0 and no encoding}}
  %p = pbs.segment_sort %i : tensor<?x8x?x1xf32> -> !pbs.permutation<heads = 8, segment = 256>
  return
}

// -----

func.func @segment_sort(%i: tensor<?x4x?xf32>) {
  // expected-error @below {{'pbs.segment_sort' op segment_sort_c2: the importance's heads (4) are not those of the permutation (8)}}
  %p = pbs.segment_sort %i : tensor<?x4x?xf32> -> !pbs.permutation<heads = 8, segment = 256>
  return
}

// -----

func.func @segment_sort(%i: tensor<?x8x2097153xf32>) {
  // expected-error @below {{'pbs.segment_sort' op segment_sort_c3: key blocks (16385) are more than 16384}}
  %p = pbs.segment_sort %i : tensor<?x8x2097153xf32> -> !pbs.permutation<heads = 8, segment = 256>
  return
}

// -----

func.func @permute(%k: tensor<?x?x?x64xbf16>, %p: !pbs.permutation<heads = 8, segment = 256>) {
  // expected-error @below {{'pbs.permute' op permute_c1: source 'tensor<?x?x?x64xbf16>' must be B x H x N x D with static H and D, no dimension of 0 and no encoding}}
  %kp = pbs.permute %k, %p : tensor<?x?x?x64xbf16>, !pbs.permutation<heads = 8, segment = 256>
    -> !pbs.permuted<tensor<?x8x?x64xbf16>, segment = 256>
  return
}

// -----

func.func @permute(%k: tensor<?x3x?x64xbf16>, %p: !pbs.permutation<heads = 8, segment = 256>) {
  // expected-error @below {{'pbs.permute' op permute_c2: the permutation's heads (8) are not a multiple of the source's (3)}}
  %kp = pbs.permute %k, %p : tensor<?x3x?x64xbf16>, !pbs.permutation<heads = 8, segment = 256>
    -> !pbs.permuted<tensor<?x8x?x64xbf16>, segment = 256>
  return
}

// -----

func.func @permute(%k: tensor<?x4x?x64xf16>, %p: !pbs.permutation<heads = 8, segment = 256>) {
  // expected-error @below {{'pbs.permute' op permute_c3: source and result have different element types}}
  %kp = pbs.permute %k, %p : tensor<?x4x?x64xf16>, !pbs.permutation<heads = 8, segment = 256>
    -> !pbs.permuted<tensor<?x8x?x64xbf16>, segment = 256>
  return
}

// -----

func.func @permute(%k: tensor<?x4x?x64xbf16>, %p: !pbs.permutation<heads = 8, segment = 256>) {
  // expected-error @below {{'pbs.permute' op permute_c4: result is 'tensor<?x4x?x64xbf16>' but must agree with 'tensor<?x8x?x64xbf16>'}}
  %kp = pbs.permute %k, %p : tensor<?x4x?x64xbf16>, !pbs.permutation<heads = 8, segment = 256>
    -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
  return
}

// -----

func.func @permute(%k: tensor<?x4x?x64xbf16>, %p: !pbs.permutation<heads = 8, segment = 256>) {
  // expected-error @below {{'pbs.permute' op permute_c5: the result's segment (128) is not that of the permutation (256)}}
  %kp = pbs.permute %k, %p : tensor<?x4x?x64xbf16>, !pbs.permutation<heads = 8, segment = 256>
    -> !pbs.permuted<tensor<?x8x?x64xbf16>, segment = 128>
  return
}

// -----

func.func @permute(%k: tensor<?x4x2097153x64xbf16>, %p: !pbs.permutation<heads = 8, segment = 256>) {
  // expected-error @below {{'pbs.permute' op permute_c6: key blocks (16385) are more than 16384}}
  %kp = pbs.permute %k, %p : tensor<?x4x2097153x64xbf16>, !pbs.permutation<heads = 8, segment = 256>
    -> !pbs.permuted<tensor<?x8x?x64xbf16>, segment = 256>
  return
}

// -----

func.func @pool(%k: tensor<?x4x?x?xbf16>) {
  // expected-error @below {{'pbs.pool' op pool_c1: source 'tensor<?x4x?x?xbf16>' must be B x H x N x D with static H and D, no dimension of 0 and no encoding}}
  %b = pbs.pool %k mean block = 128 : tensor<?x4x?x?xbf16> -> tensor<?x4x?x64xf32>
  return
}

// -----

func.func @pool(%k: tensor<?x4x?x256xbf16>) {
  // expected-error @below {{'pbs.pool' op pool_c2: head dimension (256) must be 64 or 128}}
  %b = pbs.pool %k mean block = 128 : tensor<?x4x?x256xbf16> -> tensor<?x4x?x64xf32>
  return
}

// -----

func.func @pool(%k: tensor<?x4x?x64xbf16>) {
  // expected-error @below {{'pbs.pool' op pool_c3: block (0) must be 64, 128 or 192}}
  %b = pbs.pool %k mean block = 0 : tensor<?x4x?x64xbf16> -> tensor<?x4x?x64xf32>
  return
}

// -----

func.func @pool(%k: tensor<?x4x?x64xbf16>) {
  // expected-error @below {{'pbs.pool' op pool_c4: result 'tensor<?x4x?xf32>' must be B x H x N x D with static H and D, no dimension of 0 and no encoding}}
  %b = pbs.pool %k mean block = 128 : tensor<?x4x?x64xbf16> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @pool(%k: tensor<?x4x257x64xbf16>) {
  // expected-error @below {{'pbs.pool' op pool_c4: result is 'tensor<?x4x2x64xf32>' but must agree with 'tensor<?x4x3x64xf32>'}}
  %b = pbs.pool %k mean block = 128 : tensor<?x4x257x64xbf16> -> tensor<?x4x2x64xf32>
  return
}

// -----

func.func @pool(%k: !pbs.permuted<tensor<?x8x?x64xbf16>, segment = 128>) {
  // expected-error @below {{'pbs.pool' op pool_c4: result is 'tensor<?x4x?x64xf32>' but must agree with 'tensor<?x8x?x64xf32>'}}
  %b = pbs.pool %k mean block = 128 : !pbs.permuted<tensor<?x8x?x64xbf16>, segment = 128> -> tensor<?x4x?x64xf32>
  return
}

// -----

func.func @pool(%k: !pbs.permuted<tensor<?x8x?x64xbf16>, segment = 128>, %p: !pbs.permutation<heads = 8, segment = 128>) {
  // expected-error @below {{'pbs.pool' op pool_c5: rows that are permuted already have a permutation}}
  %b = pbs.pool %k permutation(%p) mean block = 128
     : !pbs.permuted<tensor<?x8x?x64xbf16>, segment = 128>, !pbs.permutation<heads = 8, segment = 128> -> tensor<?x8x?x64xf32>
  return
}

// -----

func.func @pool(%k: tensor<?x8x?x64xbf16>, %p: !pbs.permutation<heads = 12, segment = 128>) {
  // expected-error @below {{'pbs.pool' op pool_c6: the permutation's heads (12) are not a multiple of the source's (8)}}
  %b = pbs.pool %k permutation(%p) mean block = 128
     : tensor<?x8x?x64xbf16>, !pbs.permutation<heads = 12, segment = 128> -> tensor<?x12x?x64xf32>
  return
}

// -----

func.func @select(%c: tensor<?x?x?x?xf32>, %n: index) {
  // expected-error @below {{'pbs.select' op select_c1: scores 'tensor<?x?x?x?xf32>' must be B x Hq x Qb x Kb with static Hq, no dimension of 0 and no encoding}}
  %s = pbs.select %c lengths(%n, %n) rule = #pbs.top_p<0.9> segment = 256
    : tensor<?x?x?x?xf32> -> !pbs.selection<128x128>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x16385xf32>, %n: index) {
  // expected-error @below {{'pbs.select' op select_c2: key blocks (16385) are more than 16384}}
  %s = pbs.select %c lengths(%n, %n) rule = #pbs.top_p<0.9> segment = 256
    : tensor<?x4x?x16385xf32> -> !pbs.selection<128x128>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x?xf32>, %n: index) {
  // expected-error @below {{'pbs.select' op select_c3: segment (2048) must be a positive multiple of 64, at most 1024}}
  %s = pbs.select %c lengths(%n, %n) rule = #pbs.top_p<0.9> segment = 2048
    : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x?xf32>, %n: index, %p: !pbs.permutation<heads = 8, segment = 256>) {
  // expected-error @below {{'pbs.select' op select_c4: query heads (4) are not a multiple of the permutation's heads (8)}}
  %s = pbs.select %c lengths(%n, %n) permutation(%p) rule = #pbs.top_p<0.9> segment = 256
    : tensor<?x4x?x?xf32>, !pbs.permutation<heads = 8, segment = 256> -> !pbs.selection<128x128>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x?xf32>, %n: index, %p: !pbs.permutation<heads = 4, segment = 512>) {
  // expected-error @below {{'pbs.select' op select_c5: segment (256) is not that of the permutation (512)}}
  %s = pbs.select %c lengths(%n, %n) permutation(%p) rule = #pbs.top_p<0.9> segment = 256
    : tensor<?x4x?x?xf32>, !pbs.permutation<heads = 4, segment = 512> -> !pbs.selection<128x128>
  return
}

// -----

func.func @select(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x?x64xf32>, %n: index) {
  %c = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  // expected-error @below {{'pbs.select' op select_c6: causality is not that of the scores}}
  %s = pbs.select %c lengths(%n, %n) rule = #pbs.top_p<0.9> segment = 256 causal
    : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  return
}

// -----

func.func @select(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x?x64xf32>, %n: index) {
  %c = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  // expected-error @below {{'pbs.select' op select_c7: segment (512) is not that of the scores (256)}}
  %s = pbs.select %c lengths(%n, %n) rule = #pbs.top_p<0.9> segment = 512
    : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x?xf32>, %n: index) {
  // expected-error @below {{'pbs.select' op select_c8: capacity (4) must be from 5, the blocks that may be forced, to 16384}}
  %s, %cut = pbs.select %c lengths(%n, %n) rule = #pbs.all segment = 256 capacity = 4
    : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>, tensor<?x4xi32>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x?xf32>, %n: index) {
  // expected-error @below {{'pbs.select' op select_c8: capacity (2) must be from 3, the blocks that may be forced, to 16384}}
  %s, %cut = pbs.select %c lengths(%n, %n) rule = #pbs.all segment = 128 capacity = 2
    : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>, tensor<?x4xi32>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x3xf32>, %n: index) {
  // expected-error @below {{'pbs.select' op select_c8: capacity (2) must be from 3, the blocks that may be forced, to 16384}}
  %s, %cut = pbs.select %c lengths(%n, %n) rule = #pbs.all segment = 1024 capacity = 2
    : tensor<?x4x?x3xf32> -> !pbs.selection<128x128>, tensor<?x4xi32>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x?xf32>, %n: index) {
  // expected-error @below {{'pbs.select' op select_c8: capacity (16385) must be from 5, the blocks that may be forced, to 16384}}
  %s, %cut = pbs.select %c lengths(%n, %n) rule = #pbs.all segment = 256 capacity = 16385
    : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>, tensor<?x4xi32>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x?xf32>, %n: index) {
  // expected-error @below {{'pbs.select' op select_c9: a capacity needs a second result, the counts of cut query blocks}}
  %s = pbs.select %c lengths(%n, %n) rule = #pbs.all segment = 256 capacity = 16
    : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x?xf32>, %n: index) {
  // expected-error @below {{'pbs.select' op select_c9: counts of cut query blocks need a capacity}}
  %s, %cut = pbs.select %c lengths(%n, %n) rule = #pbs.all segment = 256
    : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>, tensor<?x4xi32>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x?xf32>, %n: index) {
  // expected-error @below {{'pbs.select' op select_c10: cut 'tensor<?x?xi32>' must be B x Hq with static Hq, no dimension of 0 and no encoding}}
  %s, %cut = pbs.select %c lengths(%n, %n) rule = #pbs.all segment = 256 capacity = 16
    : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>, tensor<?x?xi32>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x?xf32>, %n: index) {
  // expected-error @below {{'pbs.select' op select_c10: cut is 'tensor<?x8xi32>' but must agree with 'tensor<?x4xi32>'}}
  %s, %cut = pbs.select %c lengths(%n, %n) rule = #pbs.all segment = 256 capacity = 16
    : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>, tensor<?x8xi32>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x?xf32>, %n: index) {
  // expected-error @below {{'pbs.select' op select_c11: window (0) must be positive}}
  %s = pbs.select %c lengths(%n, %n) rule = #pbs.all segment = 256 causal window = 0
    : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  return
}
