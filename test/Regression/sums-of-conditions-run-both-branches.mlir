// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A plan's sums are of sizes. That of two conditions had no opposite, so that
// the other branch was launched as well.
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu --verify-diagnostics

!rows = tensor<?x4x?x64xbf16>
func.func @prefill(%q: !rows, %k: !rows, %s: !pbs.selection<128x128>) -> !rows {
  %c2 = arith.constant 2 : index
  %c100 = arith.constant 100 : index
  %c200 = arith.constant 200 : index
  %n = tensor.dim %k, %c2 : !rows
  %x = arith.cmpi sge, %n, %c100 : index
  %y = arith.cmpi sge, %n, %c200 : index
  // expected-error @below {{'arith.addi' op has no place in a launch plan}}
  %one = arith.addi %x, %y : i1
  %r = scf.if %one -> !rows {
    %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125 : !rows, !rows, !rows, !pbs.selection<128x128> -> !rows, tensor<?x4x?xf32>
    scf.yield %out : !rows
  } else {
    %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.5 : !rows, !rows, !rows, !pbs.selection<128x128> -> !rows, tensor<?x4x?xf32>
    scf.yield %out : !rows
  }
  return %r : !rows
}
