// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The whole algorithm, too, goes on from each stop that was dumped to the same
// text and plan, and from the operation that stands for it.
// RUN: rm -rf %t && mkdir %t && cd %t && mkdir 0 1 2 3 4
// RUN: pbs-gen --capacity=32 --window=1000 --soft-cap=30 | pbs-compile - -o whole.ptx --dump-phases=phases
// RUN: FileCheck %s < whole.ptx
// CHECK-DAG: .entry importance_log_sums(
// CHECK-DAG: .entry importance(
// CHECK-DAG: .entry segment_sort(
// CHECK-DAG: .entry pool(
// CHECK-DAG: .entry pool1(
// CHECK-DAG: .entry select(
// CHECK-DAG: .entry attention(
// RUN: cmp whole.ptx phases/3.ptx
// RUN: pbs-compile phases/0-pbs.mlir -o 0/whole.ptx
// RUN: pbs-compile phases/1-pbsgpu.mlir -o 1/whole.ptx
// RUN: pbs-compile - -o 2/whole.ptx < phases/2-nvvm.mlir
// RUN: cmp whole.ptx 0/whole.ptx && cmp whole.plan.json 0/whole.plan.json
// RUN: cmp whole.ptx 1/whole.ptx && cmp whole.plan.json 1/whole.plan.json
// RUN: cmp whole.ptx 2/whole.ptx && cmp whole.plan.json 2/whole.plan.json

// The same through pbs-opt, a phase at a time.
// RUN: pbs-gen --capacity=32 --window=1000 --soft-cap=30 | pbs-opt --pbs-pipeline > 3/0.mlir
// RUN: pbs-opt 3/0.mlir --pbsgpu-pipeline | pbs-opt --nvvm-pipeline > 3/2.mlir
// RUN: pbs-compile 3/2.mlir -o 3/whole.ptx
// RUN: cmp whole.ptx 3/whole.ptx && cmp whole.plan.json 3/whole.plan.json

// RUN: pbs-gen --composite --capacity=32 --window=1000 --soft-cap=30 | pbs-compile - -o 4/whole.ptx
// RUN: cmp whole.ptx 4/whole.ptx && cmp whole.plan.json 4/whole.plan.json
