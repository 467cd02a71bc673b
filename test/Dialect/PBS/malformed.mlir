// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s -split-input-file -verify-diagnostics

// Input that is no pbs at all is refused before any constraint is looked at.

// expected-error @below {{expected <query block>x<key block>}}
func.func private @type(!pbs.selection<128>)

// -----

// expected-error @below {{expected <query block>x<key block>}}
func.func private @type(!pbs.selection<128x128x128>)

// -----

// expected-error @below {{expected static shape}}
func.func private @type(!pbs.selection<?x128>)

// -----

// expected-error @below {{expected <query block>x<key block>}}
func.func private @type(!pbs.selection<>)

// -----

// expected-error @below {{expected '<'}}
func.func private @type(!pbs.selection)

// -----

// expected-error @below {{invalid dimension}}
func.func private @type(!pbs.selection<99999999999999999999x128>)

// -----

// expected-error @below {{integer value too large}}
// expected-error @below {{failed to parse PBS_PermutationType parameter 'heads'}}
func.func private @type(!pbs.permutation<heads = 99999999999999999999, segment = 128>)

// -----

// expected-error @below {{unknown  type `nothing` in dialect `pbs`}}
func.func private @type(!pbs.nothing)

// -----

// expected-error @below {{invalid kind of type specified}}
// expected-error @below {{failed to parse PBS_PermutedType parameter 'tensor'}}
func.func private @type(!pbs.permuted<tensor<*xbf16>, segment = 128>)

// -----

// expected-error @below {{invalid kind of attribute specified}}
// expected-error @below {{failed to parse PBS_TopPAttr parameter 'p'}}
func.func private @attribute() attributes {a = #pbs.top_p<"most">}

// -----

func.func @select(%c: tensor<?x4x?x?xf32>, %n: index) {
  // expected-error @below {{invalid kind of attribute specified}}
  %s = pbs.select %c lengths(%n, %n) rule = 0.9 segment = 256 : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  return
}

// -----

func.func @select(%c: tensor<?x4x?x?xf32>, %n: index) {
  // expected-error @below {{'rule' failed to satisfy constraint: SelectionRule instance}}
  %s = "pbs.select"(%c, %n, %n) {rule = 0.9 : f64, segment = 256 : i64} : (tensor<?x4x?x?xf32>, index, index) -> !pbs.selection<128x128>
  return
}

// -----

// expected-error @below {{expected ::pbs::PoolingKind to be one of: mean, max}}
// expected-error @below {{failed to parse PBS_PoolingKindAttr parameter 'value'}}
func.func private @attribute() attributes {a = #pbs<pooling median>}

// -----

func.func @attention(%q: tensor<*xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{operand #0 must be ranked tensor of bfloat16 type or 16-bit float values}}
  %0:2 = "pbs.attention"(%q, %q, %q, %s) <{operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>, scale = 1.0 : f64}> ({}) : (tensor<*xbf16>, tensor<*xbf16>, tensor<*xbf16>, !pbs.selection<128x128>) -> (tensor<*xbf16>, tensor<*xf32>)
  return
}

// -----

func.func @attention(%q: tensor<1x1x8x64xf32>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{operand #0 must be ranked tensor of bfloat16 type or 16-bit float values}}
  %0:2 = "pbs.attention"(%q, %q, %q, %s) <{operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>, scale = 1.0 : f64}> ({}) : (tensor<1x1x8x64xf32>, tensor<1x1x8x64xf32>, tensor<1x1x8x64xf32>, !pbs.selection<128x128>) -> (tensor<1x1x8x64xf32>, tensor<1x1x8xf32>)
  return
}

// -----

func.func @attention(%q: tensor<1x1x8x64xf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{requires attribute 'scale'}}
  %0:2 = "pbs.attention"(%q, %q, %q, %s) <{operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>}> ({}) : (tensor<1x1x8x64xf16>, tensor<1x1x8x64xf16>, tensor<1x1x8x64xf16>, !pbs.selection<128x128>) -> (tensor<1x1x8x64xf16>, tensor<1x1x8xf32>)
  return
}

// -----

func.func @attention(%q: tensor<1x1x8x64xf16>) {
  // expected-error @below {{expected 4 or more operands, but found 3}}
  %0:2 = "pbs.attention"(%q, %q, %q) <{operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0>, scale = 1.0 : f64}> ({}) : (tensor<1x1x8x64xf16>, tensor<1x1x8x64xf16>, tensor<1x1x8x64xf16>) -> (tensor<1x1x8x64xf16>, tensor<1x1x8xf32>)
  return
}

// -----

func.func @full_selection(%n: index) {
  // expected-error @below {{requires attribute 'heads'}}
  %0 = "pbs.full_selection"(%n, %n, %n) : (index, index, index) -> !pbs.selection<128x128>
  return
}

// -----

// The selection is malformed and comes after its user: attention must not
// look into it.
func.func @later(%q: tensor<1x1x8x64xf16>, %n: index) {
  // expected-error @below {{operand #3 does not dominate this use}}
  %0:2 = "pbs.attention"(%q, %q, %q, %s) <{operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>, scale = 1.0 : f64}> ({}) : (tensor<1x1x8x64xf16>, tensor<1x1x8x64xf16>, tensor<1x1x8x64xf16>, !pbs.selection<128x128>) -> (tensor<1x1x8x64xf16>, tensor<1x1x8xf32>)
  // expected-note @below {{operand defined here (op in the same block)}}
  %s = pbs.full_selection %n lengths(%n, %n) heads = 2 : !pbs.selection<128x128>
  return
}

// -----

func.func @later(%q: tensor<1x1x8x64xf16>) {
  %0:2 = "pbs.attention"(%q, %q, %q, %s) <{operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>, scale = 1.0 : f64}> ({}) : (tensor<1x1x8x64xf16>, tensor<1x1x8x64xf16>, tensor<1x1x8x64xf16>, !pbs.selection<128x128>) -> (tensor<1x1x8x64xf16>, tensor<1x1x8xf32>)
  // expected-error @below {{expected 3 or more operands, but found 0}}
  %s = "pbs.full_selection"() : () -> !pbs.selection<128x128>
  return
}

// -----

func.func @score(%q: tensor<?x4x?x64xbf16>, %s: !pbs.selection<128x128>, %c: tensor<1xf32>) {
  // expected-error @below {{operand #4 must be variadic of 0D tensor of 32-bit float or 32-bit signless integer values, but got 'tensor<1xf32>'}}
  %out, %lse = pbs.attention %q, %q, %q, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score(%c : tensor<1xf32>) {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32, %x: f32):
      pbs.yield %score
    }
  return
}

// -----

func.func @score(%q: tensor<?x4x?x64xbf16>, %s: !pbs.selection<128x128>) {
  %out, %lse = pbs.attention %q, %q, %q, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      // expected-error @below {{'pbs.yield' op operand #0 must be 32-bit float, but got 'i32'}}
      "pbs.yield"(%i) : (i32) -> ()
    }
  return
}

// -----

func.func @score(%q: tensor<?x4x?x64xbf16>, %s: !pbs.selection<128x128>) {
  // expected-error @below {{'pbs.attention' op expects region #0 to have 0 or 1 blocks}}
  %out, %lse = pbs.attention %q, %q, %q, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      pbs.yield %score
    ^bb1:
      llvm.unreachable
    }
  return
}

// -----

func.func @yield(%x: f32) {
  // expected-error @below {{'pbs.yield' op expects parent op to be one of 'pbs.attention, pbs.prefill'}}
  pbs.yield %x
}

// -----

func.func @prefill(%q: tensor<?x4x?x64xbf16>) {
  // expected-error @below {{expected ::pbs::PermutationKind to be one of: none, per_query_head, per_kv_head}}
  // expected-error @below {{failed to parse PBS_PermutationKindAttr parameter 'value'}}
  %out, %lse = pbs.prefill %q, %q, %q permutation = per_head blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean> rule = #pbs.all scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return
}
