// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The instructions of attention, from the algorithm.
// RUN: pbs-gen --stages=attention | pbs-compile - -o - | FileCheck %s
// RUN: pbs-gen --stages=attention | pbs-compile - -o - --chip=sm_90 | FileCheck %s
// RUN: pbs-gen --stages=attention --permutation=none | pbs-compile - -o - --chip=sm_90a | FileCheck %s --check-prefix=HOPPER
// RUN: pbs-gen --stages=attention | pbs-opt --pbs-pipeline="schedule=key-tile=64,warps=4,stages=1" --pbsgpu-pipeline \
// RUN:   | FileCheck %s --check-prefix=OPTIONS
// Less shared memory, smaller tiles.
// RUN: pbs-gen --stages=attention | pbs-compile - -o - --chip=sm_86 --compile-to=pbsgpu | FileCheck %s --check-prefix=SMALL

// CHECK: .visible .entry attention(
// CHECK: .reqntid 256
// The first tile's copies, then a loop over whole blocks.
// CHECK: cp.async.cg.shared.global
// CHECK: cp.async.commit_group
// CHECK: cp.async.wait_group
// CHECK: bar.sync
// CHECK: ldmatrix.sync.aligned.m8n8.x4.shared.b16
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// CHECK: shfl.sync.bfly.b32
// CHECK: ex2.approx.ftz.f32
// CHECK: cvt.rn.bf16x2.f32
// CHECK: ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
// CHECK: lg2.approx.ftz.f32
// CHECK-NOT: call

// A warp takes blocks, eight compute, and one copies.
// HOPPER: .visible .entry attention(
// HOPPER: .reqntid 384
// HOPPER: setmaxnreg.dec.sync.aligned.u32
// HOPPER: atom.global.add.u32
// HOPPER: setmaxnreg.inc.sync.aligned.u32
// HOPPER: mbarrier.try_wait.parity
// HOPPER: wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16
// HOPPER: ex2.approx.ftz.f32
// HOPPER: wgmma.wait_group.sync.aligned 1;
// HOPPER: stmatrix.sync.aligned.m8n8.x4.shared.b16
// HOPPER: mbarrier.arrive.expect_tx
// HOPPER: cp.async.bulk.tensor.4d.shared::cta.global
// HOPPER-NOT: {{[^a]}}mma.sync
// HOPPER-NOT: ldmatrix

// OPTIONS: pbsgpu.kernel @attention
// OPTIONS: warps = 4
// OPTIONS: walk = list key_block = 128 key_tile = 64 ahead = 0

// SMALL: walk = list key_block = 128 key_tile = 64 ahead = 1
