// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --merge-kernel-parameters | FileCheck %s
// RUN: pbs-opt %s --merge-kernel-parameters -o /dev/null --remarks-filter=merge-kernel-parameters \
// RUN:   --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

gpu.module @kernels {
  // CHECK-LABEL: llvm.func @merged(
  // CHECK-SAME: %[[X:[^ ]*]]: !llvm.ptr<1>, %[[N:[^ ]*]]: i64, %[[Y:[^ ]*]]: !llvm.ptr<1>, %[[OTHER:[^ ]*]]: i64)
  // CHECK: llvm.add %[[N]], %[[N]]
  // CHECK: llvm.store %{{.*}}, %[[X]]
  // CHECK: llvm.store %[[OTHER]], %[[Y]]
  // REMARK: remark: [Passed] ParametersMerged | Category:merge-kernel-parameters | Function=merged | Dropped=1, Merged=1
  llvm.func @merged(%x: !llvm.ptr<1>, %n: i64, %y: !llvm.ptr<1>, %same: i64, %other: i64, %unused: i64) {
    %0 = llvm.add %n, %same : i64
    llvm.store %0, %x : i64, !llvm.ptr<1>
    llvm.store %other, %y : i64, !llvm.ptr<1>
    llvm.return
  }

  // One launch hands over the same value twice, the other does not.
  // CHECK-LABEL: llvm.func @sometimes(
  // CHECK-SAME: %{{[^ ]*}}: !llvm.ptr<1>, %[[A:[^ ]*]]: i64, %[[B:[^ ]*]]: i64)
  llvm.func @sometimes(%x: !llvm.ptr<1>, %a: i64, %b: i64) {
    %0 = llvm.add %a, %b : i64
    llvm.store %0, %x : i64, !llvm.ptr<1>
    llvm.return
  }

  // Attributes tell parameters apart.
  // CHECK-LABEL: llvm.func @attributes(
  // CHECK-SAME: !llvm.ptr<1> {llvm.noalias}, %{{[^ ]*}}: !llvm.ptr<1>)
  llvm.func @attributes(%x: !llvm.ptr<1> {llvm.noalias}, %y: !llvm.ptr<1>) {
    %0 = llvm.load %x : !llvm.ptr<1> -> i64
    llvm.store %0, %y : i64, !llvm.ptr<1>
    llvm.return
  }

  // Tensor maps are one only if every launch hands over the same one.
  // CHECK-LABEL: llvm.func @maps(
  // CHECK-SAME: %[[MAP:[^ ]*]]: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>}, %[[OTHER:[^ ]*]]: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>})
  // CHECK: nvvm.prefetch tensormap, %[[MAP]]
  // CHECK: nvvm.prefetch tensormap, %[[MAP]]
  // CHECK: nvvm.prefetch tensormap, %[[OTHER]]
  llvm.func @maps(%map: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>}, %same: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>},
                  %other: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>}) {
    nvvm.prefetch tensormap, %map : !llvm.ptr
    nvvm.prefetch tensormap, %same : !llvm.ptr
    nvvm.prefetch tensormap, %other : !llvm.ptr
    llvm.return
  }

  // A caller would not know.
  // CHECK-LABEL: llvm.func @called(
  // CHECK-SAME: i64)
  llvm.func @called(%unused: i64) {
    llvm.return
  }
  llvm.func @caller(%x: i64) {
    llvm.call @called(%x) : (i64) -> ()
    llvm.return
  }
}

// CHECK-LABEL: pbsgpu.plan @plan
pbsgpu.plan @plan {
  %n = pbsgpu.size "N"
  %m = pbsgpu.size "M"
  // CHECK: %[[X:.*]] = pbsgpu.argument "x"
  // CHECK: %[[Y:.*]] = pbsgpu.argument "y"
  %x = pbsgpu.argument "x" input [%n, %m] align 8 : memref<?x?xf32>
  %y = pbsgpu.argument "y" output [%n] align 8 : memref<?xf32>
  // CHECK: pbsgpu.launch @kernels::@merged
  // CHECK-NEXT: arguments(%[[X]], %[[N:.*]], %[[Y]], %[[M:.*]] :
  // CHECK-NEXT: memref<?x?xf32>, index, memref<?xf32>, index)
  pbsgpu.launch @kernels::@merged grid(%n, %n, %n)
    arguments(%x, %n, %y, %n, %m, %m : memref<?x?xf32>, index, memref<?xf32>, index, index, index)
  // CHECK: pbsgpu.launch @kernels::@sometimes
  // CHECK-NEXT: arguments(%[[X]], %[[N]], %[[N]] :
  pbsgpu.launch @kernels::@sometimes grid(%n, %n, %n) arguments(%x, %n, %n : memref<?x?xf32>, index, index)
  // CHECK: pbsgpu.launch @kernels::@sometimes
  // CHECK-NEXT: arguments(%[[X]], %[[N]], %[[M]] :
  pbsgpu.launch @kernels::@sometimes grid(%n, %n, %n) arguments(%x, %n, %m : memref<?x?xf32>, index, index)
  // CHECK: pbsgpu.launch @kernels::@attributes
  // CHECK-NEXT: arguments(%[[X]], %[[X]] :
  pbsgpu.launch @kernels::@attributes grid(%n, %n, %n) arguments(%x, %x : memref<?x?xf32>, memref<?x?xf32>)
  %keys = pbsgpu.buffer "keys" [%n, 64] align 16 : memref<?x64xbf16>
  %values = pbsgpu.buffer "values" [%n, 64] align 16 : memref<?x64xbf16>
  // CHECK: %[[KEYS:.*]] = pbsgpu.tensor_map %keys
  %keys_map = pbsgpu.tensor_map %keys : memref<?x64xbf16> -> !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
  // CHECK: %[[VALUES:.*]] = pbsgpu.tensor_map %values
  %values_map = pbsgpu.tensor_map %values : memref<?x64xbf16> -> !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
  // CHECK: pbsgpu.launch @kernels::@maps
  // CHECK-NEXT: arguments(%[[KEYS]], %[[VALUES]] :
  pbsgpu.launch @kernels::@maps grid(%n, %n, %n)
    arguments(%keys_map, %keys_map, %values_map : !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>,
              !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>)
  // CHECK: pbsgpu.launch @kernels::@called
  // CHECK-NEXT: arguments(%[[N]] : index)
  pbsgpu.launch @kernels::@called grid(%n, %n, %n) arguments(%n : index)
}
