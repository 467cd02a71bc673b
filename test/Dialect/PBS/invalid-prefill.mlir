// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s -split-input-file -verify-diagnostics

// One broken constraint of docs/spec.md each.

func.func @prefill(%q: tensor<?x4x?x?xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c1: query 'tensor<?x4x?x?xbf16>' must be B x H x N x D with static H and D, no dimension of 0 and no encoding}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x?xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xf16>, %v: tensor<?x2x?x64xf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c2: query, key and value have different element types}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xf16>, tensor<?x2x?x64xf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x96xbf16>, %k: tensor<?x2x?x96xbf16>, %v: tensor<?x2x?x96xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c3: head dimension (96) must be 64 or 128}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x96xbf16>, tensor<?x2x?x96xbf16>, tensor<?x2x?x96xbf16> -> tensor<?x4x?x96xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x3x?x64xbf16>, %v: tensor<?x3x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c4: query heads (4) are not a multiple of key heads (3)}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x3x?x64xbf16>, tensor<?x3x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x128xbf16>, %v: tensor<?x2x?x128xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c5: key is 'tensor<?x2x?x128xbf16>' but must agree with 'tensor<?x2x?x64xbf16>'}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x128xbf16>, tensor<?x2x?x128xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x1x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c6: value is 'tensor<?x1x?x64xbf16>' but must agree with 'tensor<?x2x?x64xbf16>'}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x1x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x300x64xbf16>, %k: tensor<?x2x200x64xbf16>, %v: tensor<?x2x200x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c7: queries (300) are more than keys (200)}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x300x64xbf16>, tensor<?x2x200x64xbf16>, tensor<?x2x200x64xbf16> -> tensor<?x4x300x64xbf16>, tensor<?x4x300xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x2097153x64xbf16>, %v: tensor<?x2x2097153x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c8: key blocks (16385) are more than 16384}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x2097153x64xbf16>, tensor<?x2x2097153x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c9: query block (32) must be 64, 128 or 192}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [32, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c10: key block (256) must be 64 or 128}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 256] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c11: segment (2048) must be a positive multiple of 64, at most 1024}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 2048 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c12: scale (0.000000e+00) must be finite and greater than 0}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.0 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c13: window (0) must be positive}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 window = 0 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c14: capacity (4) must be from 5, the blocks that may be forced, to 16384}}
  %out, %lse, %cut = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all capacity = 4 scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>, tensor<?x4xi32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x300x64xbf16>, %v: tensor<?x2x300x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c14: capacity (2) must be from 3, the blocks that may be forced, to 16384}}
  %out, %lse, %cut = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all capacity = 2 scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x300x64xbf16>, tensor<?x2x300x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>, tensor<?x4xi32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c15: a capacity needs a third result, the counts of cut query blocks}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all capacity = 8 scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c15: counts of cut query blocks need a capacity}}
  %out, %lse, %cut = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>, tensor<?x4xi32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c16: cut is 'tensor<?x2xi32>' but must agree with 'tensor<?x4xi32>'}}
  %out, %lse, %cut = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all capacity = 8 scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>, tensor<?x2xi32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c17: output has element type 'f16', but the query 'bf16'}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c18: output is 'tensor<?x2x?x64xbf16>' but must agree with 'tensor<?x4x?x64xbf16>'}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x2x?x64xbf16>, tensor<?x4x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c19: log-sum-exp is 'tensor<?x2x?xf32>' but must agree with 'tensor<?x4x?xf32>'}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x2x?xf32>
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>, %c: tensor<f32>) {
  // expected-error @below {{'pbs.prefill' op prefill_c20: has scalars, but no score region that takes them}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score(%c : tensor<f32>) {}
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c21: the score region takes ('f32'), but must take ('f32', 'i32', 'i32', 'i32', 'i32')}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score {
    ^bb0(%score: f32):
      pbs.yield %score
    }
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      // expected-error @below {{'llvm.unreachable' op prefill_c22: a score region must end with pbs.yield}}
      llvm.unreachable
    }
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      // expected-error @below {{'math.cos' op prefill_c23: has no place in a score region}}
      %x = math.cos %score : f32
      pbs.yield %x
    }
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      // expected-error @below {{'arith.constant' op prefill_c24: a score region computes with f32, i32 and i1, not with 'index'}}
      %x = arith.constant 1 : index
      pbs.yield %score
    }
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      // expected-error @below {{'arith.addf' op prefill_c25: a score may be infinite or NaN: fastmath flags nnan and ninf do not hold}}
      %x = arith.addf %score, %score fastmath<nnan> : f32
      pbs.yield %x
    }
  return
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>) {
  // expected-error @below {{'pbs.prefill' op prefill_c26: segment (192) is not a multiple of the key block (128)}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [64, 128] segment = 192 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}
