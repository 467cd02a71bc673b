// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The size that an earlier argument's number of blocks comes from had no name
// yet, and the compiler refused its own plan.
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu | FileCheck %s

// CHECK: pbsgpu.size "arg1_2"
// CHECK: pbsgpu.size "arg2_2"
func.func @f(%mask: tensor<1x4x?x?xi1>, %q: tensor<1x4x?x64xbf16>, %k: tensor<1x4x?x64xbf16>) -> !pbs.selection<128x128> {
  %c2 = arith.constant 2 : index
  %nq = tensor.dim %q, %c2 : tensor<1x4x?x64xbf16>
  %nkv = tensor.dim %k, %c2 : tensor<1x4x?x64xbf16>
  %s = pbs.selection_from_mask %mask lengths(%nq, %nkv) causal : tensor<1x4x?x?xi1> -> !pbs.selection<128x128>
  return %s : !pbs.selection<128x128>
}
