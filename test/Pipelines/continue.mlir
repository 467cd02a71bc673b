// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Going on from each stop that was dumped gives the same text and plan.
// RUN: rm -rf %t && mkdir %t && cd %t
// RUN: pbs-gen --stages=attention | pbs-compile - -o whole.ptx --dump-phases=phases
// RUN: ls phases | FileCheck %s
// CHECK: 0-pbs.mlir
// CHECK-NEXT: 1-pbsgpu.mlir
// CHECK-NEXT: 2-nvvm.mlir
// CHECK-NEXT: 3.ptx
// RUN: cmp whole.ptx phases/3.ptx
// RUN: mkdir 0 1 2 3
// RUN: pbs-compile phases/0-pbs.mlir -o 0/whole.ptx
// RUN: pbs-compile phases/1-pbsgpu.mlir -o 1/whole.ptx
// RUN: pbs-compile - -o 2/whole.ptx < phases/2-nvvm.mlir
// RUN: cmp whole.ptx 0/whole.ptx && cmp whole.plan.json 0/whole.plan.json
// RUN: cmp whole.ptx 1/whole.ptx && cmp whole.plan.json 1/whole.plan.json
// RUN: cmp whole.ptx 2/whole.ptx && cmp whole.plan.json 2/whole.plan.json

// The same through pbs-opt, a phase at a time.
// RUN: pbs-gen --stages=attention | pbs-opt --pbs-pipeline > 3/0.mlir
// RUN: pbs-opt 3/0.mlir --pbsgpu-pipeline | pbs-opt --nvvm-pipeline > 3/2.mlir
// RUN: pbs-compile 3/2.mlir -o 3/whole.ptx
// RUN: cmp whole.ptx 3/whole.ptx && cmp whole.plan.json 3/whole.plan.json
