// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s

gpu.module @kernels {
  // Both operands from tiles, B's transpose in its tile: one ldmatrix for A and
  // one for two column steps of B.
  // CHECK-LABEL: llvm.func @transposed(
  pbsgpu.kernel @transposed(%out: memref<?x16xf32>, %i: index) warps = 1 {
    %zero = arith.constant 0.0 : f32
    %a = pbsgpu.alloc_tile : !pbsgpu.tile<16x64xbf16>
    %b = pbsgpu.alloc_tile : !pbsgpu.tile<16x64xbf16>
    %c = pbsgpu.splat %zero : f32 -> !pbsgpu.fragment<16x16xf32, accumulator, warps = 1>
    // CHECK: %[[A:.*]] = nvvm.ldmatrix %{{.*}} {eltType = #nvvm.ld_st_matrix_elt_type<b16>, layout = #nvvm.mma_layout<row>, num = 4 : i32
    // CHECK: %[[A0:.*]] = llvm.extractvalue %[[A]][0]
    // CHECK: %[[A3:.*]] = llvm.extractvalue %[[A]][3]
    // CHECK: %[[B:.*]] = nvvm.ldmatrix %{{.*}} {eltType = #nvvm.ld_st_matrix_elt_type<b16>, layout = #nvvm.mma_layout<row>, num = 4 : i32
    // CHECK: %[[B0:.*]] = llvm.extractvalue %[[B]][0]
    // CHECK: %[[B1:.*]] = llvm.extractvalue %[[B]][1]
    // CHECK: %[[B2:.*]] = llvm.extractvalue %[[B]][2]
    // CHECK: %[[B3:.*]] = llvm.extractvalue %[[B]][3]
    // CHECK: nvvm.mma.sync A[%[[A0]], %{{.*}}, %{{.*}}, %[[A3]]] B[%[[B0]], %[[B1]]] C[
    // CHECK-SAME: multiplicandAPtxType = #nvvm.mma_type<bf16>
    // CHECK-SAME: shape = #nvvm.shape<m = 16, n = 8, k = 16>
    // CHECK: nvvm.mma.sync A[%[[A0]], %{{.*}}, %{{.*}}, %[[A3]]] B[%[[B2]], %[[B3]]] C[
    // CHECK-COUNT-6: nvvm.mma.sync
    // CHECK-NOT: nvvm.mma.sync
    %d = pbsgpu.mma %a, %b transposed, %c : !pbsgpu.tile<16x64xbf16>, !pbsgpu.tile<16x64xbf16>, !pbsgpu.fragment<16x16xf32, accumulator, warps = 1>
    pbsgpu.store_fragment %d to %out[%i] : !pbsgpu.fragment<16x16xf32, accumulator, warps = 1>, memref<?x16xf32>
    pbsgpu.return
  }

  // A from registers, f16, B as it is: ldmatrix transposes.
  // CHECK-LABEL: llvm.func @operand(
  pbsgpu.kernel @operand(%out: memref<?x64xf32>, %i: index, %x: f32) warps = 2 {
    %zero = arith.constant 0.0 : f32
    %b = pbsgpu.alloc_tile : !pbsgpu.tile<16x64xf16>
    %p = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<32x16xf32, accumulator, warps = 2>
    // CHECK: nvvm.convert.f32x2.to.f16x2
    %a = pbsgpu.to_operand %p : !pbsgpu.fragment<32x16xf32, accumulator, warps = 2> -> !pbsgpu.fragment<32x16xf16, operand_a, warps = 2>
    %c = pbsgpu.splat %zero : f32 -> !pbsgpu.fragment<32x64xf32, accumulator, warps = 2>
    // CHECK-NOT: layout = #nvvm.mma_layout<row>, num
    // CHECK: nvvm.ldmatrix %{{.*}} {eltType = #nvvm.ld_st_matrix_elt_type<b16>, layout = #nvvm.mma_layout<col>, num = 4 : i32
    // CHECK: nvvm.mma.sync
    // CHECK-SAME: (vector<2xf16>, vector<2xf16>, f32) -> !llvm.struct<(f32, f32, f32, f32)>
    // CHECK-COUNT-7: nvvm.mma.sync
    // CHECK-NOT: nvvm.mma.sync
    %d = pbsgpu.mma %a, %b, %c : !pbsgpu.fragment<32x16xf16, operand_a, warps = 2>, !pbsgpu.tile<16x64xf16>, !pbsgpu.fragment<32x64xf32, accumulator, warps = 2>
    pbsgpu.store_fragment %d to %out[%i] : !pbsgpu.fragment<32x64xf32, accumulator, warps = 2>, memref<?x64xf32>
    pbsgpu.return
  }
}
