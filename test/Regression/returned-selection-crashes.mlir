// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-compile %s --compile-to=pbsgpu -o - | FileCheck %s

// Compiling a function that returns a selection without a name read the names
// of its two arrays after their end of life.

// CHECK: pbsgpu.argument "result0_counts" {{.*}}xi32>
// CHECK: pbsgpu.argument "result0_indices" {{.*}}xi16>
func.func @every_block() -> !pbs.selection<128x128> {
  %one = arith.constant 1 : index
  %keys = arith.constant 300 : index
  %selection = pbs.full_selection %one lengths(%keys, %keys) heads = 2 causal : !pbs.selection<128x128>
  return %selection : !pbs.selection<128x128>
}
