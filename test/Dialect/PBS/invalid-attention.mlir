// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s -split-input-file -verify-diagnostics

// One broken constraint of docs/spec.md each.

func.func @attention(%q: tensor<?x4x?x64x1xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c1: query 'tensor<?x4x?x64x1xbf16>' must be B x H x N x D with static H and D, no dimension of 0 and no encoding}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64x1xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x?x?x64xbf16>, %v: tensor<?x?x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c1: key 'tensor<?x?x?x64xbf16>' must be B x H x N x D with static H and D, no dimension of 0 and no encoding}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x0x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c1: value 'tensor<?x2x0x64xbf16>' must be B x H x N x D with static H and D, no dimension of 0 and no encoding}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x0x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xf16>, %v: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c2: query, key and value have different element types}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c2: query, key and value have different element types}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x80xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c3: head dimension (80) must be 64 or 128}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x80xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x6x?x64xbf16>, %k: tensor<?x4x?x64xbf16>, %v: tensor<?x4x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c4: query heads (6) are not a multiple of key heads (4)}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x6x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x128xbf16>, %v: tensor<?x2x?x128xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c5: key is 'tensor<?x2x?x128xbf16>' but must agree with 'tensor<?x2x?x64xbf16>'}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x128xbf16>, tensor<?x2x?x128xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x4x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c6: value is 'tensor<?x4x?x64xbf16>' but must agree with 'tensor<?x2x?x64xbf16>'}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x4x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x5x64xbf16>, %v: tensor<?x2x6x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c6: value is 'tensor<?x2x6x64xbf16>' but must agree with 'tensor<?x2x5x64xbf16>'}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x5x64xbf16>, tensor<?x2x6x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<1x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<2x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c6: value is 'tensor<2x2x?x64xbf16>' but must agree with 'tensor<1x2x?x64xbf16>'}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<1x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<2x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x129x64xbf16>, %k: tensor<?x2x128x64xbf16>, %v: tensor<?x2x128x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c7: queries (129) are more than keys (128)}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x129x64xbf16>, tensor<?x2x128x64xbf16>, tensor<?x2x128x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x2097153x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c8: key blocks (16385) are more than 16384}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x2097153x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, %v: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c9: key and value must both be plain or both be permuted}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, %v: !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 512>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c10: key and value are permuted in segments of 256 and 512}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 512>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, %v: !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c11: causal attention over permuted keys needs their permutation}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, %v: !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, %s: !pbs.selection<128x128>,
    %p: !pbs.permutation<heads = 4, segment = 256>) {
  // expected-error @below {{'pbs.attention' op attention_c12: the permutation's heads (4) are not those of the permuted keys (2)}}
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, !pbs.selection<128x128>, !pbs.permutation<heads = 4, segment = 256>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>,
    %p: !pbs.permutation<heads = 3, segment = 256>) {
  // expected-error @below {{'pbs.attention' op attention_c13: the permutation's heads (3) are neither the query heads (4) nor the key heads (2)}}
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>, !pbs.permutation<heads = 3, segment = 256>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, %v: !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, %s: !pbs.selection<128x128>,
    %p: !pbs.permutation<heads = 2, segment = 512>) {
  // expected-error @below {{'pbs.attention' op attention_c14: the permutation's segment (512) is not that of the permuted keys (256)}}
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, !pbs.selection<128x128>, !pbs.permutation<heads = 2, segment = 512>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>,
    %n: index) {
  %s = pbs.full_selection %n lengths(%n, %n) heads = 8 : !pbs.selection<128x128>
  // expected-error @below {{'pbs.attention' op attention_c15: the selection's heads (8) are not the query heads (4)}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>,
    %c: tensor<?x2x?x2xi32>, %i: tensor<?x2x?x?xi16>) {
  %s = pbs.selection_from_lists %c, %i : tensor<?x2x?x2xi32>, tensor<?x2x?x?xi16> -> !pbs.selection<128x128>
  // expected-error @below {{'pbs.attention' op attention_c15: the selection's heads (2) are not the query heads (4)}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>,
    %m: tensor<?x4x?x?xi1>, %n: index) {
  %s = pbs.selection_from_mask %m lengths(%n, %n) : tensor<?x4x?x?xi1> -> !pbs.selection<128x128>
  // expected-error @below {{'pbs.attention' op attention_c16: causality is not that of the selection}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>,
    %c: tensor<?x4x?x?xf32>, %n: index) {
  %s = pbs.select %c lengths(%n, %n) rule = #pbs.top_p<0.9> segment = 256 causal : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  // expected-error @below {{'pbs.attention' op attention_c16: causality is not that of the selection}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>,
    %p: !pbs.permutation<heads = 4, segment = 256>,
    %n: index) {
  %s = pbs.full_selection %n lengths(%n, %n) heads = 4 causal : !pbs.selection<128x128>
  // expected-error @below {{'pbs.attention' op attention_c17: attention has a permutation, but its selection was made without one}}
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>, !pbs.permutation<heads = 4, segment = 256>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>,
    %n: index, %o: !pbs.permutation<heads = 4, segment = 256>) {
  %s = pbs.full_selection %n lengths(%n, %n) permutation(%o : !pbs.permutation<heads = 4, segment = 256>) heads = 4 causal : !pbs.selection<128x128>
  // expected-error @below {{'pbs.attention' op attention_c17: the selection was made with a permutation, but attention has none}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c18: scale (INF) must be finite and greater than 0}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0x7FF0000000000000
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c19: output has element type 'f16', but the query 'bf16'}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c20: output 'tensor<?x4x?x?xbf16>' must be B x H x N x D with static H and D, no dimension of 0 and no encoding}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x?xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c20: output is 'tensor<?x2x?x64xbf16>' but must agree with 'tensor<?x4x?x64xbf16>'}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x2x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c21: log-sum-exp 'tensor<?x4x?x1xf32>' must be B x H x N with static H, no dimension of 0 and no encoding}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?x1xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c21: log-sum-exp is 'tensor<?x2x?xf32>' but must agree with 'tensor<?x4x?xf32>'}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x2x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xf16>, %s: !pbs.selection<128x128>, %n: index) {
  // expected-error @below {{'pbs.attention' op attention_c22: window (0) must be positive}}
  %out, %lse = pbs.attention %q, %q, %q, %s scale = 0.125 causal window = 0
    : tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, !pbs.selection<128x128> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xf16>, %n: index) {
  %s = pbs.full_selection %n lengths(%n, %n) heads = 4 causal : !pbs.selection<128x128>
  // expected-error @below {{'pbs.attention' op attention_c23: the window is not that of the selection}}
  %out, %lse = pbs.attention %q, %q, %q, %s scale = 0.125 causal window = 300
    : tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, !pbs.selection<128x128> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xf16>, %n: index) {
  %s = pbs.full_selection %n lengths(%n, %n) heads = 4 causal window = 300 : !pbs.selection<128x128>
  // expected-error @below {{'pbs.attention' op attention_c23: the window is not that of the selection}}
  %out, %lse = pbs.attention %q, %q, %q, %s scale = 0.125 causal
    : tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, !pbs.selection<128x128> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xf16>, %c: tensor<?x4x?x?xf32>, %n: index) {
  %s = pbs.select %c lengths(%n, %n) rule = #pbs.all segment = 256 causal window = 299 : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  // expected-error @below {{'pbs.attention' op attention_c23: the window is not that of the selection}}
  %out, %lse = pbs.attention %q, %q, %q, %s scale = 0.125 causal window = 300
    : tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, !pbs.selection<128x128> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @attention(%q: tensor<?x4x?x64xf16>, %m: tensor<?x4x?x?xi1>, %n: index) {
  %s = pbs.selection_from_mask %m lengths(%n, %n) causal : tensor<?x4x?x?xi1> -> !pbs.selection<128x128>
  // expected-error @below {{'pbs.attention' op attention_c23: the window is not that of the selection}}
  %out, %lse = pbs.attention %q, %q, %q, %s scale = 0.125 causal window = 300
    : tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, !pbs.selection<128x128> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @score(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>, %c: tensor<f32>) {
  // expected-error @below {{'pbs.attention' op attention_c25: has scalars, but no score region that takes them}}
  %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score(%c : tensor<f32>) {}
  return
}

// -----

func.func @score(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>, %c: tensor<f32, 1 : i32>) {
  // expected-error @below {{'pbs.attention' op attention_c25: scalar 'tensor<f32, 1 : i32>' must have no encoding}}
  %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score(%c : tensor<f32, 1 : i32>) {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32, %x: f32):
      pbs.yield %score
    }
  return
}

// -----

func.func @score(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c26: the score region takes ('f32', 'i32', 'i32', 'i32'), but must take ('f32', 'i32', 'i32', 'i32', 'i32')}}
  %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32):
      pbs.yield %score
    }
  return
}

// -----

func.func @score(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>, %n: tensor<i32>) {
  // expected-error @below {{'pbs.attention' op attention_c26: the score region takes ('f32', 'i32', 'i32', 'i32', 'i32', 'f32'), but must take ('f32', 'i32', 'i32', 'i32', 'i32', 'i32')}}
  %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score(%n : tensor<i32>) {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32, %x: f32):
      pbs.yield %score
    }
  return
}

// -----

func.func @score(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      // expected-error @below {{'llvm.unreachable' op attention_c27: a score region must end with pbs.yield}}
      llvm.unreachable
    }
  return
}

// -----

func.func @score(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      // expected-error @below {{'math.sin' op attention_c28: has no place in a score region}}
      %x = math.sin %score : f32
      pbs.yield %x
    }
  return
}

// -----

func.func @score(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      // expected-error @below {{'arith.constant' op attention_c29: a score region computes with f32, i32 and i1, not with 'f64'}}
      %x = arith.constant 1.0 : f64
      pbs.yield %score
    }
  return
}

// -----

func.func @score(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>) {
  %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      // expected-error @below {{'arith.mulf' op attention_c30: a score may be infinite or NaN: fastmath flags nnan and ninf do not hold}}
      %x = arith.mulf %score, %score fastmath<ninf> : f32
      pbs.yield %x
    }
  return
}

// -----

func.func @score(%q: tensor<?x4x?x64xbf16>, %k: !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op attention_c31: a score region over permuted keys needs their permutation}}
  %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      pbs.yield %score
    }
  return
}
