// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Launches of an scf.if on sizes are guarded, and what both branches give is
// one memory.
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu | FileCheck %s
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu -o /dev/null --remarks-filter=convert-pbs-to-pbsgpu --remark-format=emitRemark 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK

// Permuted copies; the log-sum-exp, which nobody asked for, but both give.
// REMARK: AttentionConverted {{.*}} Gathers=false, KeyTile=128, MaskedBlocksAtMost=4, Warps=8
// REMARK: AttentionConverted {{.*}} Gathers=true, KeyTile=128, MaskedBlocksAtMost=4, Warps=8
// REMARK: EntryConverted {{.*}} Kernels=4, Launches=4, WorkspaceBytes="1024 * B * Nkv + 16 * B * Nq"

!half = tensor<?x4x?x64xbf16>
!keys = tensor<?x2x?x64xbf16>
!permutation = !pbs.permutation<heads = 4, segment = 256>
!permuted = !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
!selection = !pbs.selection<128x128>

// CHECK-LABEL: pbsgpu.plan @strategies
// CHECK-DAG: %[[N:.*]] = pbsgpu.size "Nkv"
// CHECK-DAG: %[[OUT:.*]] = pbsgpu.argument "result0" output
// CHECK-DAG: %[[LSE:.*]] = pbsgpu.buffer "log_sum_exp" [
// CHECK-NOT: pbsgpu.buffer "output
// CHECK-NOT: pbsgpu.buffer "log_sum_exp_
// CHECK: %[[C512:.*]] = arith.constant 512 : index
// CHECK: %[[LONG:.*]] = arith.cmpi sge, %[[N]], %[[C512]]
// CHECK: pbsgpu.launch @strategies_kernels::@permute {{.*}} if %[[LONG]]
// CHECK: pbsgpu.launch @strategies_kernels::@attention {{.*}} if %[[LONG]]
// CHECK-NEXT: arguments({{.*}}, %[[OUT]], %[[LSE]]
// CHECK: %[[SHORT:.*]] = arith.cmpi slt, %[[N]], %[[C512]]
// CHECK: pbsgpu.launch @strategies_kernels::@attention1 {{.*}} if %[[SHORT]]
// CHECK-NEXT: arguments({{.*}}, %[[OUT]], %[[LSE]]
// CHECK: pbsgpu.launch @strategies_kernels::@pool grid
// CHECK-NOT: if %
// CHECK: }
func.func @strategies(%q: !half, %k: !keys, %v: !keys, %p: !permutation, %s: !selection) -> (!half, tensor<?x4x?x64xf32>) {
  %c2 = arith.constant 2 : index
  %n = tensor.dim %k, %c2 : !keys
  %c512 = arith.constant 512 : index
  %long = arith.cmpi sge, %n, %c512 : index
  %r:2 = scf.if %long -> (!half, tensor<?x4x?xf32>) {
    %kp = pbs.permute %k, %p : !keys, !permutation -> !permuted
    %vp = pbs.permute %v, %p : !keys, !permutation -> !permuted
    %out, %lse = pbs.attention %q, %kp, %vp, %s permutation(%p) scale = 0.125 causal
      : !half, !permuted, !permuted, !selection, !permutation -> !half, tensor<?x4x?xf32>
    scf.yield %out, %lse : !half, tensor<?x4x?xf32>
  } else {
    %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
      : !half, !keys, !keys, !selection, !permutation -> !half, tensor<?x4x?xf32>
    scf.yield %out, %lse : !half, tensor<?x4x?xf32>
  }
  %pooled = pbs.pool %r#0 mean block = 128 : !half -> tensor<?x4x?x64xf32>
  return %r#0, %pooled : !half, tensor<?x4x?x64xf32>
}

// A memset has the guard too; the opposite of a conjunction is a disjunction.
// CHECK-LABEL: pbsgpu.plan @conjunction
// CHECK: %[[BOTH:.*]] = arith.andi %[[A:.*]], %[[B:.*]] : i1
// CHECK: pbsgpu.launch @conjunction_kernels::@selection_from_mask {{.*}} if %[[BOTH]]
// CHECK: %[[NOT_A:.*]] = arith.cmpi sle
// CHECK: %[[NOT_B:.*]] = arith.cmpi ne
// CHECK: %[[NEITHER:.*]] = arith.ori %[[NOT_A]], %[[NOT_B]] : i1
// CHECK: pbsgpu.memset %{{.*}} to 0 if %[[NEITHER]]
// CHECK: pbsgpu.launch @conjunction_kernels::@selection_from_mask1 {{.*}} if %[[NEITHER]]
func.func @conjunction(%mask: tensor<?x4x?x?xi1>, %q: !half, %k: !keys) -> !selection {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %q, %c0 : !half
  %nq = tensor.dim %q, %c2 : !half
  %n = tensor.dim %k, %c2 : !keys
  %twice = arith.addi %nq, %nq : index
  %few = arith.cmpi sgt, %n, %twice : index
  %one = arith.cmpi eq, %b, %c2 : index
  %both = arith.andi %few, %one : i1
  %r = scf.if %both -> !selection {
    %s = pbs.selection_from_mask %mask lengths(%nq, %n) causal : tensor<?x4x?x?xi1> -> !selection
    scf.yield %s : !selection
  } else {
    %s, %cut = pbs.selection_from_mask %mask lengths(%nq, %n) capacity = 20 causal
      : tensor<?x4x?x?xi1> -> !selection, tensor<?x4xi32>
    scf.yield %s : !selection
  }
  return %r : !selection
}
