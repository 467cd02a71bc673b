// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A name used before the key loop that defines it, and an error in a later region, crashed the parser.
// RUN: not pbs-opt %s --split-input-file 2>&1 | FileCheck %s

func.func @loadDefines(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  %early = arith.addi %key, %i : index
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 1
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  // CHECK: [[#@LINE+1]]:5: error: custom op 'pbsgpu.key_loop' expected 'bodies'
  } nobodies {
  }
  return
}

// -----

func.func @bodyDefines(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  %early = arith.addi %key, %sum : index
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 0
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {} bodies {
  ^bb0(%key: index, %visit: index):
    %sum = arith.addi %key, %visit : index
    pbsgpu.yield
  }, {
  ^bb0(%k: index, %s: index):
    // CHECK: [[#@LINE+1]]:18: error: unexpected character
    pbsgpu.yield ;
  }
  return
}
