// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --split-input-file --pbs-choose-schedule | FileCheck %s
// RUN: pbs-opt %s --split-input-file --pbs-set-target=chip=sm_86 --pbs-choose-schedule | FileCheck %s --check-prefix=SMALL
// RUN: pbs-opt %s --split-input-file --pbs-choose-schedule=schedule=key-tile=32,warps=2,stages=3,walk-list=off,double-buffer=on \
// RUN:   | FileCheck %s --check-prefix=GIVEN
// RUN: pbs-opt %s --split-input-file --pbs-choose-schedule -o /dev/null --remarks-filter=pbs-choose-schedule \
// RUN:   --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: pbs-opt %s --split-input-file --pbs-set-target=chip=sm_90a --pbs-choose-schedule | FileCheck %s --check-prefix=GROUPS
// RUN: pbs-opt %s --split-input-file --pbs-set-target=chip=sm_90a \
// RUN:   --pbs-choose-schedule=schedule=warps=4,signal-copies=on \
// RUN:   --remarks-filter=pbs-choose-schedule --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=MORE-ROWS
// RUN: pbs-opt %s --split-input-file --pbs-set-target=chip=sm_90a --pbs-choose-schedule=schedule=warps=4 -o /dev/null \
// RUN:   --remarks-filter=pbs-choose-schedule --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=FOUR-WARPS
// RUN: pbs-opt %s --split-input-file --pbs-set-target=chip=sm_90a --pbs-choose-schedule=schedule=warps=2 -o /dev/null \
// RUN:   --remarks-filter=pbs-choose-schedule --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=TWO-WARPS
// RUN: pbs-opt %s --split-input-file --pbs-set-target=chip=sm_90 --pbs-choose-schedule \
// RUN:   --remarks-filter=pbs-choose-schedule --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=NO-GROUPS

// CHECK-LABEL: @large
// CHECK: pbs.attention {{.*}} {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 128, warps = 8, stages = 2>}
// A CTA has 99 KiB: 32 for the queries, and four tiles of 16.
// SMALL-LABEL: @large
// SMALL: #pbsgpu.schedule<key_tile = 64, warps = 8, stages = 2>
// GIVEN-LABEL: @large
// GIVEN: #pbsgpu.schedule<key_tile = 32, warps = 2, stages = 3, off = ["walk-list"]>
// GROUPS-LABEL: @large
// GROUPS: #pbsgpu.schedule<key_tile = 128, warps = 8, stages = 2>
// Who asks for the passes gets them.
// MORE-ROWS-NOT: PortableKernel
// MORE-ROWS: #pbsgpu.schedule<key_tile = 128, warps = 4, stages = 2>
// FOUR-WARPS: remark: [Missed] PortableKernel | {{.*}} | Reason="a warp has more than 16 rows"
// TWO-WARPS: remark: [Missed] PortableKernel | Category:pbs-choose-schedule | Reason="the warps are no groups of four"
// TWO-WARPS: remark: [Passed] ScheduleChosen
// NO-GROUPS: remark: [Missed] PortableKernel | {{.*}} | Reason="the chip has no products of warp groups"
// NO-GROUPS: #pbsgpu.schedule<key_tile = 128, warps = 8, stages = 2, off = ["signal-copies"]>
// REMARK-NOT: PortableKernel
// REMARK: remark: [Passed] ScheduleChosen | Category:pbs-choose-schedule | KeyTile=128, Registers=224, SharedBytes=163840, Stages=2, Warps=8
func.func @large(%q: tensor<?x4x?x128xbf16>, %k: tensor<?x1x?x128xbf16>, %v: tensor<?x1x?x128xbf16>,
                 %s: !pbs.selection<128x128>) -> tensor<?x4x?x128xbf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x128xbf16>, tensor<?x1x?x128xbf16>, tensor<?x1x?x128xbf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x128xbf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x128xbf16>
}

// -----

// A tile lies in one key block, and a warp has 16 rows of a query block.
// CHECK-LABEL: @small_blocks
// CHECK: #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 2>
func.func @small_blocks(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>,
                        %s: !pbs.selection<64x64>) -> tensor<?x4x?x64xbf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>, !pbs.selection<64x64>
   -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xbf16>
}

// -----

// Twelve warps have fewer registers each.
// CHECK-LABEL: @tall_blocks(
// CHECK: #pbsgpu.schedule<key_tile = 64, warps = 12, stages = 2>
// SMALL-LABEL: @tall_blocks(
// SMALL: #pbsgpu.schedule<key_tile = 64, warps = 12, stages = 2>
// GROUPS-LABEL: @tall_blocks(
// GROUPS: #pbsgpu.schedule<key_tile = 128, warps = 12, stages = 2>
func.func @tall_blocks(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>,
                       %s: !pbs.selection<192x128>) -> tensor<?x4x?x64xbf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>, !pbs.selection<192x128>
   -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xbf16>
}

// -----

// CHECK-LABEL: @tall_blocks_of_128(
// CHECK: #pbsgpu.schedule<key_tile = 32, warps = 12, stages = 2>
// SMALL-LABEL: @tall_blocks_of_128(
// SMALL: #pbsgpu.schedule<key_tile = 32, warps = 12, stages = 2>
// GROUPS-LABEL: @tall_blocks_of_128(
// GROUPS: #pbsgpu.schedule<key_tile = 64, warps = 12, stages = 2>
func.func @tall_blocks_of_128(%q: tensor<?x4x?x128xbf16>, %k: tensor<?x1x?x128xbf16>, %v: tensor<?x1x?x128xbf16>,
                              %s: !pbs.selection<192x128>) -> tensor<?x4x?x128xbf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x128xbf16>, tensor<?x1x?x128xbf16>, tensor<?x1x?x128xbf16>, !pbs.selection<192x128>
   -> tensor<?x4x?x128xbf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x128xbf16>
}

// -----

// The same where rows are gathered.
// GROUPS-LABEL: @tall_blocks_gathered
// GROUPS: #pbsgpu.schedule<key_tile = 128, warps = 12, stages = 2>
func.func @tall_blocks_gathered(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>,
                                %s: !pbs.selection<192x128>, %p: !pbs.permutation<heads = 1, segment = 256>)
    -> tensor<?x4x?x64xbf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>, !pbs.selection<192x128>,
      !pbs.permutation<heads = 1, segment = 256>
   -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xbf16>
}
