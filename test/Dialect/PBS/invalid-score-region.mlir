// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s -split-input-file -verify-diagnostics

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
