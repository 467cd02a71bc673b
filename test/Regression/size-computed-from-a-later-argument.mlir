// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu | FileCheck %s

// A size was created without a name where an argument before the one that binds
// it has an extent that is computed from it.

// CHECK: %[[N:.*]] = pbsgpu.size "x_0"
// CHECK: %[[BLOCKS:.*]] = arith.ceildivsi %[[N]]
// CHECK: pbsgpu.argument "mask" input [%{{.*}}, 4, %[[BLOCKS]], %{{.*}}]
// CHECK: pbsgpu.argument "x" input [%[[N]]]
func.func @mask(%m: tensor<?x4x?x?xi1> {pbs.name = "mask"}, %x: tensor<?xf32> {pbs.name = "x"}) -> !pbs.selection<64x128> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %s = pbs.selection_from_mask %m lengths(%n, %n) : tensor<?x4x?x?xi1> -> !pbs.selection<64x128>
  return %s : !pbs.selection<64x128>
}
