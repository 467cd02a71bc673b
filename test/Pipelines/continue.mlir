// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Going on from each stop that was dumped gives the same text and plan.
// RUN: rm -rf %t && mkdir %t
// RUN: pbs-compile %S/../Target/PTX/kernel.mlir -o %t/whole.ptx --dump-phases=%t/phases
// RUN: ls %t/phases | FileCheck %s
// CHECK: 1-pbsgpu.mlir
// CHECK: 2-nvvm.mlir
// CHECK: 3.ptx
// RUN: cmp %t/whole.ptx %t/phases/3.ptx
// RUN: mkdir %t/1 %t/2 %t/3
// RUN: pbs-compile %t/phases/1-pbsgpu.mlir -o %t/1/whole.ptx
// RUN: pbs-compile - -o %t/2/whole.ptx < %t/phases/2-nvvm.mlir
// RUN: cmp %t/whole.ptx %t/1/whole.ptx
// RUN: cmp %t/whole.ptx %t/2/whole.ptx
// RUN: cmp %t/whole.plan.json %t/1/whole.plan.json
// RUN: cmp %t/whole.plan.json %t/2/whole.plan.json

// The same through pbs-opt, a phase at a time.
// RUN: pbs-opt %S/../Target/PTX/kernel.mlir --pbsgpu-pipeline | pbs-opt --nvvm-pipeline | pbs-compile - -o %t/3/whole.ptx
// RUN: cmp %t/whole.ptx %t/3/whole.ptx
