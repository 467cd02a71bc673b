// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90a --convert-pbsgpu-to-nvvm | FileCheck %s
// RUN: not pbs-opt %s --pbs-set-target="chip=sm_90a ptx-version=8.0" --convert-pbsgpu-to-nvvm 2>&1 | FileCheck %s --check-prefix=LOW
// RUN: not pbs-opt %s --pbs-set-target=chip=sm_89 --convert-pbsgpu-to-nvvm 2>&1 | FileCheck %s --check-prefix=OLD

gpu.module @kernels {
  // A tensor map is taken by value and read where it is.
  // CHECK: llvm.func @copy(%{{[^ ]*}}: i64,
  // CHECK-SAME: %{{[^ ]*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant})
  // LOW: tensor-map.mlir:[[#@LINE+2]]:3: error: 'pbsgpu.kernel' op parameter 1 is a tensor map, which needs sm_90 or later and PTX version 8.6 or later, not sm_90a and PTX version 8.0
  // OLD: tensor-map.mlir:[[#@LINE+1]]:3: error: 'pbsgpu.kernel' op parameter 1 is a tensor map, which needs sm_90 or later and PTX version 8.6 or later, not sm_89 and PTX version 7.8
  pbsgpu.kernel @copy(%n: index, %map: !pbsgpu.tensor_map<128x128xbf16, dimensions = 2>) warps = 4 {
    pbsgpu.return
  }
}

pbsgpu.plan @plan {
  %N = pbsgpu.size "N"
  %x = pbsgpu.argument "x" input [%N, 128] align 16 : memref<?x128xbf16, strided<[?, 1]>>
  // CHECK: %[[MAP:.*]] = pbsgpu.tensor_map
  %map = pbsgpu.tensor_map %x : memref<?x128xbf16, strided<[?, 1]>> -> !pbsgpu.tensor_map<128x128xbf16, dimensions = 2>
  // CHECK: pbsgpu.launch @kernels::@copy
  // CHECK-NEXT: arguments(%{{.*}}, %[[MAP]] : index, !map_2d_128x128xbf16)
  pbsgpu.launch @kernels::@copy grid(%N, %N, %N)
    arguments(%N, %map : index, !pbsgpu.tensor_map<128x128xbf16, dimensions = 2>)
}
