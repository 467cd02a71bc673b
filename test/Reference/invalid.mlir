// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What verifiers cannot see in types is a located error of the interpreter.

// RUN: rm -rf %t && %python %S/../Tools/pbs-run/Inputs/make_arrays.py %t && cd %t

// RUN: not pbs-run %s --entry=more_queries_than_keys 2>&1 | FileCheck %s --check-prefix=QUERIES
// QUERIES: invalid.mlir:[[#@LINE+5]]:{{[0-9]+}}: error: 'pbs.full_selection' op has 5 queries but only 4 keys
func.func @more_queries_than_keys() {
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c5 = arith.addi %c4, %c1 : index
  %0 = pbs.full_selection %c1 lengths(%c5, %c4) heads = 1 : !pbs.selection<128x128>
  return
}

// RUN: not pbs-run %s --entry=too_many_key_blocks 2>&1 | FileCheck %s --check-prefix=BLOCKS
// BLOCKS: invalid.mlir:[[#@LINE+4]]:{{[0-9]+}}: error: 'pbs.full_selection' op has 16385 key blocks, more than 16384
func.func @too_many_key_blocks() {
  %c1 = arith.constant 1 : index
  %keys = arith.constant 2097153 : index
  %0 = pbs.full_selection %c1 lengths(%c1, %keys) heads = 1 : !pbs.selection<128x128>
  return
}

// RUN: not pbs-run %s --entry=no_permutation --arg=permutation-repeating.npy 2>&1 | FileCheck %s --check-prefix=REPEATING
// REPEATING: invalid.mlir:[[#@LINE+2]]:{{[0-9]+}}: error: 'pbs.permutation_from_tensor' op has indices that are no permutation: batch 0, head 0, place 7 holds {{[0-9]+}}, which an earlier place holds already
func.func @no_permutation(%0: tensor<?x2x?xi32>) {
  %1 = pbs.permutation_from_tensor %0 : tensor<?x2x?xi32> -> !pbs.permutation<heads = 2, segment = 256>
  return
}

// RUN: not pbs-run %s --entry=no_permutation --arg=permutation-crossing.npy 2>&1 | FileCheck %s --check-prefix=CROSSING
// CROSSING: error: {{.*}}batch 0, head 1, place 255 holds 256, which lies outside the segment or tail of that place

// RUN: not pbs-run %s --entry=lists --arg=q.npy --arg=k.npy --arg=counts-many.npy --arg=indices.npy 2>&1 | FileCheck %s --check-prefix=COUNTS
// COUNTS: invalid.mlir:[[#@LINE+5]]:{{[0-9]+}}: error: 'pbs.selection_from_lists' op has malformed counts: batch 0, head 0, query block 1 counts 1 whole and 3 masked blocks with room for 3
// RUN: not pbs-run %s --entry=lists --arg=q.npy --arg=k.npy --arg=counts.npy --arg=indices-out-of-range.npy 2>&1 | FileCheck %s --check-prefix=RANGE
// RANGE: invalid.mlir:[[#@LINE+4]]:{{[0-9]+}}: error: 'pbs.attention' op has a selection that lists key block 3 of 3
func.func @lists(%q: tensor<?x2x?x64xbf16>, %k: tensor<?x1x?x64xbf16>,
                 %counts: tensor<?x2x?x2xi32>, %indices: tensor<?x2x?x?xi16>) {
  %0 = pbs.selection_from_lists %counts, %indices : tensor<?x2x?x2xi32>, tensor<?x2x?x?xi16> -> !pbs.selection<128x128>
  %1:2 = pbs.attention %q, %k, %k, %0 scale = 1.0
    : tensor<?x2x?x64xbf16>, tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>, !pbs.selection<128x128>
   -> tensor<?x2x?x64xbf16>, tensor<?x2x?xf32>
  return
}

// RUN: not pbs-run %s --entry=other_length --arg=k.npy --arg=permutation.npy 2>&1 | FileCheck %s --check-prefix=LENGTH
// LENGTH: invalid.mlir:[[#@LINE+5]]:{{[0-9]+}}: error: 'pbs.permute' op has a permutation of batch 1 and length 7 for keys of batch 1 and length 300
func.func @other_length(%k: tensor<?x1x?x64xbf16>, %0: tensor<?x2x?xi32>) {
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %p = pbs.identity_permutation %c1, %c7 : !pbs.permutation<heads = 1, segment = 256>
  %1 = pbs.permute %k, %p
     : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 1, segment = 256> -> !pbs.permuted<tensor<?x1x?x64xbf16>, segment = 256>
  return
}
