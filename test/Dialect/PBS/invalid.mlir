// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s -split-input-file -verify-diagnostics

// One broken constraint of docs/spec.md each.

func.func @name() {
  // expected-error @below {{'arith.constant' op name_c1: 'pbs.name' stands only on arguments and results of functions}}
  %c = arith.constant {pbs.name = "q"} 1 : index
  return
}

// -----

// expected-error @below {{'func.func' op name_c1: 'pbs.name' stands only on arguments and results of functions}}
func.func private @name() attributes {pbs.name = "q"}

// -----

// expected-error @below {{'func.func' op name_c2: 'pbs.name' must be a string that is not empty, but is 1 : i64}}
func.func private @name(index {pbs.name = 1})

// -----

// expected-error @below {{'func.func' op name_c2: 'pbs.name' must be a string that is not empty, but is ""}}
func.func private @name() -> (index {pbs.name = ""})

// -----

// expected-error @below {{'func.func' op name_c3: more than one argument or result has 'pbs.name' "q"}}
func.func private @name(index {pbs.name = "q"}) -> (index {pbs.name = "q"})

// -----

// expected-error @below {{'func.func' op name_c4: the pbs dialect has no attribute 'pbs.nmae'}}
func.func private @name(index {pbs.nmae = "q"})

// -----

// expected-error @below {{'func.func' op target_c1: 'pbs.target' stands only on modules}}
func.func @f() attributes {pbs.target = #nvvm.target<chip = "sm_80">} {
  return
}

// -----

// expected-error @below {{'builtin.module' op target_c2: 'pbs.target' must be an #nvvm.target, but is "sm_80"}}
module attributes {pbs.target = "sm_80"} {
}

// -----

// expected-error @below {{'builtin.module' op density_c1: 'pbs.expected_density' stands only on functions}}
module attributes {pbs.expected_density = 0.3 : f64} {
}

// -----

// expected-error @below {{'func.func' op density_c2: 'pbs.expected_density' must be an f64, but is 3.000000e-01 : f32}}
func.func private @density() attributes {pbs.expected_density = 0.3 : f32}

// -----

// expected-error @below {{'func.func' op density_c3: 'pbs.expected_density' must be above 0 and at most 1, but is 0.000000e+00}}
func.func private @density() attributes {pbs.expected_density = 0.0 : f64}

// -----

// expected-error @below {{'func.func' op density_c3: 'pbs.expected_density' must be above 0 and at most 1, but is 3.000000e+01}}
func.func private @density() attributes {pbs.expected_density = 30.0 : f64}

// -----

// expected-error @below {{permutation_c1: heads (0) must be positive}}
func.func private @type(!pbs.permutation<heads = 0, segment = 256>)

// -----

// expected-error @below {{permutation_c1: heads (-9223372036854775808) must be positive}}
func.func private @type(!pbs.permutation<heads = -9223372036854775808, segment = 256>)

// -----

// expected-error @below {{permutation_c2: segment (0) must be a positive multiple of 64, at most 1024}}
func.func private @type(!pbs.permutation<heads = 1, segment = 0>)

// -----

// expected-error @below {{permutation_c2: segment (-128) must be a positive multiple of 64, at most 1024}}
func.func private @type(!pbs.permutation<heads = 1, segment = -128>)

// -----

// expected-error @below {{permutation_c2: segment (96) must be a positive multiple of 64, at most 1024}}
func.func private @type(!pbs.permutation<heads = 1, segment = 96>)

// -----

// expected-error @below {{permutation_c2: segment (1152) must be a positive multiple of 64, at most 1024}}
func.func private @type(!pbs.permutation<heads = 1, segment = 1152>)

// -----

// expected-error @below {{permutation_c2: segment (9223372036854775807) must be a positive multiple of 64, at most 1024}}
func.func private @type(!pbs.permutation<heads = 1, segment = 9223372036854775807>)

// -----

// expected-error @below {{selection_c1: query block (32) must be 64, 128 or 192}}
func.func private @type(!pbs.selection<32x128>)

// -----

// expected-error @below {{selection_c2: key block (0) must be 64 or 128}}
func.func private @type(!pbs.selection<128x0>)

// -----

// expected-error @below {{permuted_c1: 'tensor<bf16>' must be a bf16 or f16 tensor B x H x N x D with static H and D, no dimension of 0 and no encoding}}
func.func private @type(!pbs.permuted<tensor<bf16>, segment = 256>)

// -----

// expected-error @below {{permuted_c1: 'tensor<?x8x?xbf16>' must be a bf16 or f16 tensor B x H x N x D with static H and D, no dimension of 0 and no encoding}}
func.func private @type(!pbs.permuted<tensor<?x8x?xbf16>, segment = 256>)

// -----

// expected-error @below {{permuted_c1: 'tensor<?x8x?x64xf32>' must be a bf16 or f16 tensor B x H x N x D with static H and D, no dimension of 0 and no encoding}}
func.func private @type(!pbs.permuted<tensor<?x8x?x64xf32>, segment = 256>)

// -----

// expected-error @below {{permuted_c1: 'tensor<?x?x?x64xbf16>' must be a bf16 or f16 tensor B x H x N x D with static H and D, no dimension of 0 and no encoding}}
func.func private @type(!pbs.permuted<tensor<?x?x?x64xbf16>, segment = 256>)

// -----

// expected-error @below {{permuted_c1: 'tensor<?x8x?x?xbf16>' must be a bf16 or f16 tensor B x H x N x D with static H and D, no dimension of 0 and no encoding}}
func.func private @type(!pbs.permuted<tensor<?x8x?x?xbf16>, segment = 256>)

// -----

// expected-error @below {{permuted_c1: 'tensor<?x0x?x64xbf16>' must be a bf16 or f16 tensor B x H x N x D with static H and D, no dimension of 0 and no encoding}}
func.func private @type(!pbs.permuted<tensor<?x0x?x64xbf16>, segment = 256>)

// -----

// expected-error @below {{permuted_c1: 'tensor<?x8x?x64xbf16, 1 : i64>' must be a bf16 or f16 tensor B x H x N x D with static H and D, no dimension of 0 and no encoding}}
func.func private @type(!pbs.permuted<tensor<?x8x?x64xbf16, 1 : i64>, segment = 256>)

// -----

// expected-error @below {{permuted_c2: head dimension (96) must be 64 or 128}}
func.func private @type(!pbs.permuted<tensor<?x8x?x96xbf16>, segment = 256>)

// -----

// expected-error @below {{permuted_c3: segment (100) must be a positive multiple of 64, at most 1024}}
func.func private @type(!pbs.permuted<tensor<?x8x?x64xbf16>, segment = 100>)

// -----

// expected-error @below {{top_k_c1: k (-1) must not be negative}}
func.func private @attribute() attributes {a = #pbs.top_k<-1>}

// -----

// expected-error @below {{top_p_c1: p must be f64, but is 'f32'}}
func.func private @attribute() attributes {a = #pbs.top_p<0.9 : f32>}

// -----

// expected-error @below {{top_p_c2: p (0x7FF8000000000000 : f64) must be finite and not negative}}
func.func private @attribute() attributes {a = #pbs.top_p<0x7FF8000000000000 : f64>}

// -----

// expected-error @below {{top_p_c2: p (0x7FF0000000000000 : f64) must be finite and not negative}}
func.func private @attribute() attributes {a = #pbs.top_p<0x7FF0000000000000 : f64>}

// -----

// expected-error @below {{top_p_c2: p (-5.000000e-01 : f64) must be finite and not negative}}
func.func private @attribute() attributes {a = #pbs.top_p<-0.5>}

// -----

// expected-error @below {{threshold_c1: tau must be f64, but is 'f32'}}
func.func private @attribute() attributes {a = #pbs.threshold<0.5 : f32>}

// -----

// expected-error @below {{threshold_c2: tau (-5.000000e-01 : f64) must be finite and not negative}}
func.func private @attribute() attributes {a = #pbs.threshold<-0.5>}

// -----

// expected-error @below {{threshold_c2: tau (0x7FF0000000000000 : f64) must be finite and not negative}}
func.func private @attribute() attributes {a = #pbs.threshold<0x7FF0000000000000 : f64>}

// -----

// expected-error @below {{threshold_by_length_c1: c must be f64, but is 'f32'}}
func.func private @attribute() attributes {a = #pbs.threshold_by_length<0.5 : f32>}

// -----

// expected-error @below {{threshold_by_length_c2: c (-5.000000e-01 : f64) must be finite and not negative}}
func.func private @attribute() attributes {a = #pbs.threshold_by_length<-0.5>}

// -----

// expected-error @below {{threshold_by_length_c2: c (0x7FF0000000000000 : f64) must be finite and not negative}}
func.func private @attribute() attributes {a = #pbs.threshold_by_length<0x7FF0000000000000 : f64>}

// -----

// expected-error @below {{max_threshold_c1: alpha must be f64, but is 'f32'}}
func.func private @attribute() attributes {a = #pbs.max_threshold<0.5 : f32>}

// -----

// expected-error @below {{max_threshold_c2: alpha (-5.000000e-01 : f64) must be finite and not negative}}
func.func private @attribute() attributes {a = #pbs.max_threshold<-0.5>}

// -----

// expected-error @below {{max_threshold_c2: alpha (0x7FF0000000000000 : f64) must be finite and not negative}}
func.func private @attribute() attributes {a = #pbs.max_threshold<0x7FF0000000000000 : f64>}

// -----

// expected-error @below {{rows_c1: stride (0) must be a power of two and at most 64}}
func.func private @attribute() attributes {a = #pbs.rows<stride = 0>}

// -----

// expected-error @below {{rows_c1: stride (24) must be a power of two and at most 64}}
func.func private @attribute() attributes {a = #pbs.rows<stride = 24>}

// -----

// expected-error @below {{rows_c1: stride (128) must be a power of two and at most 64}}
func.func private @attribute() attributes {a = #pbs.rows<stride = 128>}

// -----

func.func @permutation_from_tensor(%t: tensor<?x?x?xi32>) {
  // expected-error @below {{'pbs.permutation_from_tensor' op permutation_from_tensor_c1: tensor 'tensor<?x?x?xi32>' must be B x H x N with static H, no dimension of 0 and no encoding}}
  %p = pbs.permutation_from_tensor %t : tensor<?x?x?xi32> -> !pbs.permutation<heads = 8, segment = 256>
  return
}

// -----

func.func @permutation_from_tensor(%t: tensor<8x?xi32>) {
  // expected-error @below {{'pbs.permutation_from_tensor' op permutation_from_tensor_c1: tensor 'tensor<8x?xi32>' must be B x H x N with static H, no dimension of 0 and no encoding}}
  %p = pbs.permutation_from_tensor %t : tensor<8x?xi32> -> !pbs.permutation<heads = 8, segment = 256>
  return
}

// -----

func.func @permutation_from_tensor(%t: tensor<?x4x?xi32>) {
  // expected-error @below {{'pbs.permutation_from_tensor' op permutation_from_tensor_c2: the tensor's heads (4) are not those of the permutation (8)}}
  %p = pbs.permutation_from_tensor %t : tensor<?x4x?xi32> -> !pbs.permutation<heads = 8, segment = 256>
  return
}

// -----

func.func @permutation_from_tensor(%t: tensor<?x8x2097153xi32>) {
  // expected-error @below {{'pbs.permutation_from_tensor' op permutation_from_tensor_c3: key blocks (16385) are more than 16384}}
  %p = pbs.permutation_from_tensor %t : tensor<?x8x2097153xi32> -> !pbs.permutation<heads = 8, segment = 256>
  return
}

// -----

func.func @permutation_from_tensor(%t: tensor<?x8x9223372036854775807xi32>) {
  // expected-error @below {{'pbs.permutation_from_tensor' op permutation_from_tensor_c3: key blocks (72057594037927936) are more than 16384}}
  %p = pbs.permutation_from_tensor %t : tensor<?x8x9223372036854775807xi32> -> !pbs.permutation<heads = 8, segment = 256>
  return
}

// -----

func.func @full_selection(%n: index) {
  // expected-error @below {{'pbs.full_selection' op full_selection_c1: heads (-1) must be positive}}
  %s = pbs.full_selection %n lengths(%n, %n) heads = -1 : !pbs.selection<128x128>
  return
}

// -----

func.func @full_selection(%n: index, %p: !pbs.permutation<heads = 4, segment = 256>) {
  // expected-error @below {{'pbs.full_selection' op full_selection_c2: query heads (6) are not a multiple of the permutation's heads (4)}}
  %s = pbs.full_selection %n lengths(%n, %n) permutation(%p : !pbs.permutation<heads = 4, segment = 256>) heads = 6 : !pbs.selection<128x128>
  return
}

// -----

func.func @selection_from_lists(%c: tensor<?x4x?xi32>, %i: tensor<?x4x?x?xi16>) {
  // expected-error @below {{'pbs.selection_from_lists' op selection_from_lists_c1: counts 'tensor<?x4x?xi32>' must be B x Hq x Qb x 2 with static Hq, no dimension of 0 and no encoding}}
  %s = pbs.selection_from_lists %c, %i : tensor<?x4x?xi32>, tensor<?x4x?x?xi16> -> !pbs.selection<128x128>
  return
}

// -----

func.func @selection_from_lists(%c: tensor<?x4x?x2xi32>, %i: tensor<?x?x?x?xi16>) {
  // expected-error @below {{'pbs.selection_from_lists' op selection_from_lists_c1: indices 'tensor<?x?x?x?xi16>' must be B x Hq x Qb x C with static Hq, no dimension of 0 and no encoding}}
  %s = pbs.selection_from_lists %c, %i : tensor<?x4x?x2xi32>, tensor<?x?x?x?xi16> -> !pbs.selection<128x128>
  return
}

// -----

func.func @selection_from_lists(%c: tensor<?x4x?x3xi32>, %i: tensor<?x4x?x?xi16>) {
  // expected-error @below {{'pbs.selection_from_lists' op selection_from_lists_c2: counts 'tensor<?x4x?x3xi32>' must have a last dimension of 2: whole, masked}}
  %s = pbs.selection_from_lists %c, %i : tensor<?x4x?x3xi32>, tensor<?x4x?x?xi16> -> !pbs.selection<128x128>
  return
}

// -----

func.func @selection_from_lists(%c: tensor<?x4x?x?xi32>, %i: tensor<?x4x?x?xi16>) {
  // expected-error @below {{'pbs.selection_from_lists' op selection_from_lists_c2: counts 'tensor<?x4x?x?xi32>' must have a last dimension of 2: whole, masked}}
  %s = pbs.selection_from_lists %c, %i : tensor<?x4x?x?xi32>, tensor<?x4x?x?xi16> -> !pbs.selection<128x128>
  return
}

// -----

func.func @selection_from_lists(%c: tensor<?x4x?x2xi32>, %i: tensor<?x2x?x?xi16>) {
  // expected-error @below {{'pbs.selection_from_lists' op selection_from_lists_c3: indices is 'tensor<?x2x?x?xi16>' but must agree with 'tensor<?x4x?x?xi16>'}}
  %s = pbs.selection_from_lists %c, %i : tensor<?x4x?x2xi32>, tensor<?x2x?x?xi16> -> !pbs.selection<128x128>
  return
}

// -----

func.func @selection_from_lists(%c: tensor<?x4x5x2xi32>, %i: tensor<?x4x3x?xi16>) {
  // expected-error @below {{'pbs.selection_from_lists' op selection_from_lists_c3: indices is 'tensor<?x4x3x?xi16>' but must agree with 'tensor<?x4x5x?xi16>'}}
  %s = pbs.selection_from_lists %c, %i : tensor<?x4x5x2xi32>, tensor<?x4x3x?xi16> -> !pbs.selection<128x128>
  return
}

// -----

func.func @selection_from_lists(%c: tensor<?x4x?x2xi32>, %i: tensor<?x4x?x16385xi16>) {
  // expected-error @below {{'pbs.selection_from_lists' op selection_from_lists_c4: key blocks (16385) are more than 16384}}
  %s = pbs.selection_from_lists %c, %i : tensor<?x4x?x2xi32>, tensor<?x4x?x16385xi16> -> !pbs.selection<128x128>
  return
}

// -----

func.func @selection_from_mask(%m: tensor<?x?x?xi1>, %n: index) {
  // expected-error @below {{'pbs.selection_from_mask' op selection_from_mask_c1: mask 'tensor<?x?x?xi1>' must be B x Hq x Qb x Kb with static Hq, no dimension of 0 and no encoding}}
  %s = pbs.selection_from_mask %m lengths(%n, %n) : tensor<?x?x?xi1> -> !pbs.selection<128x128>
  return
}

// -----

func.func @selection_from_mask(%m: tensor<?x4x?x16385xi1>, %n: index) {
  // expected-error @below {{'pbs.selection_from_mask' op selection_from_mask_c2: key blocks (16385) are more than 16384}}
  %s = pbs.selection_from_mask %m lengths(%n, %n) : tensor<?x4x?x16385xi1> -> !pbs.selection<128x128>
  return
}

// -----

func.func @selection_from_mask(%m: tensor<?x4x?x?xi1>, %n: index) {
  // expected-error @below {{'pbs.selection_from_mask' op selection_from_mask_c4: capacity (0) must be from 1 to 16384}}
  %s, %cut = pbs.selection_from_mask %m lengths(%n, %n) capacity = 0 : tensor<?x4x?x?xi1> -> !pbs.selection<128x128>, tensor<?x4xi32>
  return
}

// -----

func.func @selection_from_mask(%m: tensor<?x4x?x?xi1>, %n: index) {
  // expected-error @below {{'pbs.selection_from_mask' op selection_from_mask_c4: capacity (16385) must be from 1 to 16384}}
  %s, %cut = pbs.selection_from_mask %m lengths(%n, %n) capacity = 16385 : tensor<?x4x?x?xi1> -> !pbs.selection<128x128>, tensor<?x4xi32>
  return
}

// -----

func.func @selection_from_mask(%m: tensor<?x4x?x?xi1>, %n: index) {
  // expected-error @below {{'pbs.selection_from_mask' op selection_from_mask_c5: a capacity needs a second result, the counts of cut query blocks}}
  %s = pbs.selection_from_mask %m lengths(%n, %n) capacity = 1 : tensor<?x4x?x?xi1> -> !pbs.selection<128x128>
  return
}

// -----

func.func @selection_from_mask(%m: tensor<?x4x?x?xi1>, %n: index) {
  // expected-error @below {{'pbs.selection_from_mask' op selection_from_mask_c5: counts of cut query blocks need a capacity}}
  %s, %cut = pbs.selection_from_mask %m lengths(%n, %n) : tensor<?x4x?x?xi1> -> !pbs.selection<128x128>, tensor<?x4xi32>
  return
}

// -----

func.func @selection_from_mask(%m: tensor<?x4x?x?xi1>, %n: index) {
  // expected-error @below {{'pbs.selection_from_mask' op selection_from_mask_c6: cut 'tensor<?x4x1xi32>' must be B x Hq with static Hq, no dimension of 0 and no encoding}}
  %s, %cut = pbs.selection_from_mask %m lengths(%n, %n) capacity = 1 : tensor<?x4x?x?xi1> -> !pbs.selection<128x128>, tensor<?x4x1xi32>
  return
}

// -----

func.func @selection_from_mask(%m: tensor<?x6x?x?xi1>, %n: index, %p: !pbs.permutation<heads = 4, segment = 256>) {
  // expected-error @below {{'pbs.selection_from_mask' op selection_from_mask_c3: query heads (6) are not a multiple of the permutation's heads (4)}}
  %s = pbs.selection_from_mask %m lengths(%n, %n) permutation(%p) : tensor<?x6x?x?xi1>, !pbs.permutation<heads = 4, segment = 256> -> !pbs.selection<128x128>
  return
}

// -----

func.func @full_selection(%n: index) {
  // expected-error @below {{'pbs.full_selection' op full_selection_c3: window (0) must be positive}}
  %s = pbs.full_selection %n lengths(%n, %n) heads = 4 causal window = 0 : !pbs.selection<128x128>
  return
}

// -----

func.func @selection_from_mask(%m: tensor<?x4x?x?xi1>, %n: index) {
  // expected-error @below {{'pbs.selection_from_mask' op selection_from_mask_c7: window (-1) must be positive}}
  %s = pbs.selection_from_mask %m lengths(%n, %n) window = -1 : tensor<?x4x?x?xi1> -> !pbs.selection<128x128>
  return
}

// -----

func.func @full_selection(%n: index, %p: !pbs.permutation<heads = 4, segment = 192>) {
  // expected-error @below {{'pbs.full_selection' op full_selection_c4: segment (192) is not a multiple of the key block (128)}}
  %s = pbs.full_selection %n lengths(%n, %n) permutation(%p : !pbs.permutation<heads = 4, segment = 192>) heads = 4 : !pbs.selection<64x128>
  return
}

// -----

func.func @selection_from_mask(%m: tensor<?x4x?x?xi1>, %n: index, %p: !pbs.permutation<heads = 4, segment = 64>) {
  // expected-error @below {{'pbs.selection_from_mask' op selection_from_mask_c8: segment (64) is not a multiple of the key block (128)}}
  %s = pbs.selection_from_mask %m lengths(%n, %n) permutation(%p) : tensor<?x4x?x?xi1>, !pbs.permutation<heads = 4, segment = 64> -> !pbs.selection<64x128>
  return
}
