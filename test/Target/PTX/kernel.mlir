// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-compile %s -o - | FileCheck %s
// RUN: pbs-compile %s -o - --chip=sm_90a --ptx-version=8.6 | FileCheck %s --check-prefix=SM90

// The instructions of a product that is copied in, computed and stored.
// CHECK: .version 7.0
// CHECK: .target sm_80
// SM90: .version 8.6
// SM90: .target sm_90a
// CHECK: .extern .shared .align 1024 .b8 dynamic_shared_memory[];
// CHECK: .visible .entry product(
// CHECK-NEXT: .param .u64 .ptr .global .align 16 product_param_0,
// CHECK: .reqntid 128
// CHECK: cp.async.cg.shared.global
// CHECK: cp.async.wait_all
// CHECK: bar.sync 0
// Panels, rows and row steps are immediate offsets.
// CHECK: ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{.*}}, [%[[A:.*]]];
// CHECK: ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{.*}}, [%[[B:.*]]+16384];
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// CHECK: ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{.*}}, [%[[B]]+18432];
// CHECK: ex2.approx.ftz.f32
// CHECK: cvt.rn.bf16x2.f32
// CHECK: st.global
gpu.module @kernels {
  pbsgpu.kernel @product(%a: memref<?x128xbf16, strided<[?, 1]>>, %b: memref<?x128xbf16, strided<[?, 1]>>,
                         %out: memref<?x64xbf16, strided<[?, 1]>>) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %a_tile = pbsgpu.alloc_tile : !pbsgpu.tile<64x128xbf16>
    %b_tile = pbsgpu.alloc_tile : !pbsgpu.tile<64x128xbf16>
    pbsgpu.copy_tile %a[%c0] to %a_tile : memref<?x128xbf16, strided<[?, 1]>>, !pbsgpu.tile<64x128xbf16>
    pbsgpu.copy_tile %b[%c0] to %b_tile : memref<?x128xbf16, strided<[?, 1]>>, !pbsgpu.tile<64x128xbf16>
    pbsgpu.await_copies
    %c = pbsgpu.splat %zero : f32 -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    %d = pbsgpu.mma %a_tile, %b_tile transposed, %c
      : !pbsgpu.tile<64x128xbf16>, !pbsgpu.tile<64x128xbf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    %e = pbsgpu.map %d : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> {
    ^bb0(%x: f32, %row: i32, %column: i32):
      %y = math.exp2 %x : f32
      pbsgpu.yield %y : f32
    }
    pbsgpu.store_fragment %e to %out[%c0] : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, memref<?x64xbf16, strided<[?, 1]>>
    pbsgpu.return
  }
}
pbsgpu.plan @product {
  %M = pbsgpu.size "M"
  %N = pbsgpu.size "N"
  %a = pbsgpu.argument "a" input [%M, 128] align 16 : memref<?x128xbf16, strided<[?, 1]>>
  %b = pbsgpu.argument "b" input [%N, 128] align 16 : memref<?x128xbf16, strided<[?, 1]>>
  %out = pbsgpu.argument "out" output [%M, 64] align 16 : memref<?x64xbf16, strided<[?, 1]>>
  %c1 = arith.constant 1 : index
  pbsgpu.launch @kernels::@product grid(%c1, %c1, %c1)
    arguments(%a, %b, %out : memref<?x128xbf16, strided<[?, 1]>>, memref<?x128xbf16, strided<[?, 1]>>, memref<?x64xbf16, strided<[?, 1]>>)
}
