// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s -o /dev/null --split-input-file --verify-diagnostics \
// RUN:   --pbs-print-traffic="batch=2 query-length=1000 key-length=2048 density=0.5 masked=0.25" 2>&1 | FileCheck %s
// RUN: not pbs-opt %s --split-input-file -o /dev/null --pbs-print-traffic="key-length=100 query-length=200" 2>&1 | FileCheck %s --check-prefix=LENGTHS
// RUN: not pbs-opt %s --split-input-file -o /dev/null --pbs-print-traffic=batch=0 2>&1 | FileCheck %s --check-prefix=BATCH
// RUN: not pbs-opt %s --split-input-file -o /dev/null --pbs-print-traffic=density=30 2>&1 | FileCheck %s --check-prefix=DENSITY
// RUN: not pbs-opt %s --split-input-file -o /dev/null --pbs-print-traffic=density=nan 2>&1 | FileCheck %s --check-prefix=DENSITY
// RUN: not pbs-opt %s --split-input-file -o /dev/null --pbs-print-traffic=key-length=100000000 2>&1 | FileCheck %s --check-prefix=KEYS
// RUN: not pbs-opt %s --split-input-file -o /dev/null --pbs-print-traffic=batch=65536 2>&1 | FileCheck %s --check-prefix=BATCHES

// KEYS: error: pbs-print-traffic: key-length must be at most 2097152
// BATCHES: error: pbs-print-traffic: batch must be at most 65535
// LENGTHS: error: pbs-print-traffic: there must be no more queries than keys
// BATCH: error: pbs-print-traffic: batch and lengths must be at least 1
// DENSITY: error: pbs-print-traffic: density must be from 0 to 1

!half = tensor<?x4x?x64xbf16>
!keys = tensor<?x2x?x64xbf16>
!permutation = !pbs.permutation<heads = 4, segment = 256>
!permuted = !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
!selection = !pbs.selection<128x128>

// Extents that are static stand. 4 heads of 2 x 8 blocks of the segments up to
// the own ones: half of these are listed.
// CHECK-LABEL: @static: batch
// CHECK: bytes loaded stored copied gathered microseconds
// CHECK: attention {{[0-9]+}} {{[0-9]+}} {{[0-9]+}} 0 {{[0-9.]+}}
// CHECK: 1 launches, 0 bytes of workspace
// CHECK: 32 of 64 blocks skipped; 32 tiles, 8 of them masked
func.func @static(%q: tensor<1x4x256x64xbf16>, %k: tensor<1x4x1024x64xbf16>, %s: !selection) -> tensor<1x4x256x64xbf16> {
  %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125
    : tensor<1x4x256x64xbf16>, tensor<1x4x1024x64xbf16>, tensor<1x4x1024x64xbf16>, !selection
   -> tensor<1x4x256x64xbf16>, tensor<1x4x256xf32>
  return %out : tensor<1x4x256x64xbf16>
}

// -----

!half = tensor<?x4x?x64xbf16>
!keys = tensor<?x2x?x64xbf16>
!permutation = !pbs.permutation<heads = 4, segment = 256>
!permuted = !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
!selection = !pbs.selection<128x128>

// The branch taken launches; buffers are there in any case: 2 permuted copies of
// 2 x 4 x 2048 rows, and one output, which is pooled, for both branches. Its
// log-sum-exp is not asked for.
// CHECK-LABEL: @branch: batch 2, 1000 queries, 2048 keys
// CHECK-NOT: permute
// CHECK: attention1 {{[0-9]+}} 1024000 15441920 14417920
// CHECK-NEXT: pool 1024000 16384 0 0
// CHECK: 2 launches, 5218304 bytes of workspace
func.func @branch(%q: !half, %k: !keys, %v: !keys, %p: !permutation, %s: !selection) -> tensor<?x4x?x64xf32> {
  %c2 = arith.constant 2 : index
  %n = tensor.dim %k, %c2 : !keys
  %crossover = arith.constant 2049 : index
  %long = arith.cmpi sge, %n, %crossover : index
  %r = scf.if %long -> !half {
    %kp = pbs.permute %k, %p : !keys, !permutation -> !permuted
    %vp = pbs.permute %v, %p : !keys, !permutation -> !permuted
    %out, %lse = pbs.attention %q, %kp, %vp, %s permutation(%p) scale = 0.125 causal
      : !half, !permuted, !permuted, !selection, !permutation -> !half, tensor<?x4x?xf32>
    scf.yield %out : !half
  } else {
    %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
      : !half, !keys, !keys, !selection, !permutation -> !half, tensor<?x4x?xf32>
    scf.yield %out : !half
  }
  %pooled = pbs.pool %r mean block = 128 : !half -> tensor<?x4x?x64xf32>
  return %pooled : tensor<?x4x?x64xf32>
}

// -----

func.func @data(%q: tensor<?x4x?x64xbf16>, %is_long: i1) -> tensor<?x4x?x64xf32> {
  // expected-error@+1 {{'scf.if' op depends on more than sizes: its traffic is not known}}
  %r = scf.if %is_long -> tensor<?x4x?x64xf32> {
    %pooled = pbs.pool %q mean block = 128 : tensor<?x4x?x64xbf16> -> tensor<?x4x?x64xf32>
    scf.yield %pooled : tensor<?x4x?x64xf32>
  } else {
    %pooled = pbs.pool %q max block = 128 : tensor<?x4x?x64xbf16> -> tensor<?x4x?x64xf32>
    scf.yield %pooled : tensor<?x4x?x64xf32>
  }
  return %r : tensor<?x4x?x64xf32>
}

// -----

func.func @loop(%q: tensor<?x4x?x64xf32>) -> tensor<?x4x?x64xf32> {
  %c1 = arith.constant 1 : index
  // expected-error@+1 {{'scf.for' op has regions: its traffic is not known}}
  %r = scf.for %i = %c1 to %c1 step %c1 iter_args(%x = %q) -> tensor<?x4x?x64xf32> {
    scf.yield %x : tensor<?x4x?x64xf32>
  }
  return %r : tensor<?x4x?x64xf32>
}

// -----

// expected-error@+1 {{'func.func' op must have one block for its traffic to be known}}
func.func @blocks() {
  cf.br ^next
^next:
  return
}

// -----

// A condition may divide sizes, as a plan can.
// CHECK-LABEL: @divided: batch
// CHECK: 2 launches
!rows = tensor<?x4x?x64xbf16>
func.func @divided(%q: !rows, %k: !rows) -> !rows {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c100 = arith.constant 100 : index
  %b = tensor.dim %q, %c0 : !rows
  %nq = tensor.dim %q, %c2 : !rows
  %nk = tensor.dim %k, %c2 : !rows
  %half = arith.floordivsi %nk, %c2 : index
  %isLong = arith.cmpi sge, %half, %c100 : index
  %s = pbs.full_selection %b lengths(%nq, %nk) heads = 4 causal : !pbs.selection<128x128>
  %r = scf.if %isLong -> !rows {
    %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125 causal : !rows, !rows, !rows, !pbs.selection<128x128> -> !rows, tensor<?x4x?xf32>
    scf.yield %out : !rows
  } else {
    %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.5 causal : !rows, !rows, !rows, !pbs.selection<128x128> -> !rows, tensor<?x4x?xf32>
    scf.yield %out : !rows
  }
  return %r : !rows
}
