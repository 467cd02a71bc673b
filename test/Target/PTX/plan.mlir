// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: rm -rf %t && mkdir %t
// RUN: pbs-compile %s -o %t/out.ptx
// RUN: FileCheck %s --match-full-lines --strict-whitespace < %t/out.plan.json
// RUN: %python -m json.tool %t/out.plan.json /dev/null

gpu.module @kernels [#nvvm.target<chip = "sm_80", features = "+ptx70">] {
  llvm.func @kernel(%x: !llvm.ptr<1>, %rows: i64, %y: !llvm.ptr<1>, %columns: i64, %stride: i64, %n: i64, %f: f32)
      attributes {nvvm.kernel, nvvm.reqntid = array<i32: 64>} {
    // A parameter without a use would be dropped.
    %0 = llvm.add %rows, %columns : i64
    %1 = llvm.add %stride, %n : i64
    llvm.store %0, %x : i64, !llvm.ptr<1>
    llvm.store %1, %y : i64, !llvm.ptr<1>
    llvm.store %f, %y : f32, !llvm.ptr<1>
    llvm.return
  }
  llvm.func @shared() attributes {nvvm.kernel, nvvm.reqntid = array<i32: 32>} {
    llvm.return
  }
}

//      CHECK:{
// CHECK-NEXT:  "format": "pbs-plan",
// CHECK-NEXT:  "version": 1,
// CHECK-NEXT:  "producer": "pbs-compile {{[0-9.]+}}",
// CHECK-NEXT:  "module": {
// CHECK-NEXT:    "ptx": "out.ptx",
// CHECK-NEXT:    "chip": "sm_80",
// CHECK-NEXT:    "ptx_version": "7.0"
// CHECK-NEXT:  },
// CHECK-NEXT:  "entries": [
// CHECK-NEXT:    {
// CHECK-NEXT:      "name": "entry",
// CHECK-NEXT:      "sizes": ["N","M"],
// CHECK-NEXT:      "arguments": [
// CHECK-NEXT:        {
// CHECK-NEXT:          "name": "x",
// CHECK-NEXT:          "role": "input",
// CHECK-NEXT:          "type": "f32",
// CHECK-NEXT:          "shape": ["N",8],
// CHECK-NEXT:          "strides": "contiguous",
// CHECK-NEXT:          "alignment": 4
// CHECK-NEXT:        },
// CHECK-NEXT:        {
// CHECK-NEXT:          "name": "indices",
// CHECK-NEXT:          "role": "input",
// CHECK-NEXT:          "type": "u16",
// CHECK-NEXT:          "shape": {{\[\[}}"ceildiv","N",128],"M"],
// CHECK-NEXT:          "strides": "contiguous",
// CHECK-NEXT:          "alignment": 2,
// CHECK-NEXT:          "contents": {"causal":true,"key_length":"M","kind":"selection_counts","query_block":128}
// CHECK-NEXT:        },
// CHECK-NEXT:        {
// CHECK-NEXT:          "name": "flag",
// CHECK-NEXT:          "role": "input",
// CHECK-NEXT:          "type": "bool",
// CHECK-NEXT:          "shape": [1],
// CHECK-NEXT:          "strides": "contiguous",
// CHECK-NEXT:          "alignment": 1
// CHECK-NEXT:        },
// CHECK-NEXT:        {
// CHECK-NEXT:          "name": "y",
// CHECK-NEXT:          "role": "output",
// CHECK-NEXT:          "type": "bf16",
// CHECK-NEXT:          "shape": ["N","M"],
// CHECK-NEXT:          "strides": "rows",
// CHECK-NEXT:          "alignment": 16
// CHECK-NEXT:        }
// CHECK-NEXT:      ],
// CHECK-NEXT:      "requirements": [
// CHECK-NEXT:        {
// CHECK-NEXT:          "condition": ["and",["le","N","M"],["or",["ne","N",3],["lt",["mul","M",2],["sub","N",1]]]],
// CHECK-NEXT:          "message": "N fits \"M\""
// CHECK-NEXT:        }
// CHECK-NEXT:      ],
// CHECK-NEXT:      "buffers": [
// CHECK-NEXT:        {
// CHECK-NEXT:          "name": "w",
// CHECK-NEXT:          "bytes": ["mul",["add","N",["floordiv","M",16]],32],
// CHECK-NEXT:          "alignment": 16
// CHECK-NEXT:        }
// CHECK-NEXT:      ],
// CHECK-NEXT:      "tensor_maps": [],
// CHECK-NEXT:      "steps": [
// CHECK-NEXT:        {
// CHECK-NEXT:          "memset": {
// CHECK-NEXT:            "buffer": "w",
// CHECK-NEXT:            "value": 255,
// CHECK-NEXT:            "bytes": ["mul",["add","N",["floordiv","M",16]],32]
// CHECK-NEXT:          },
// CHECK-NEXT:          "guard": ["le","N","M"]
// CHECK-NEXT:        },
// CHECK-NEXT:        {
// CHECK-NEXT:          "launch": {
// CHECK-NEXT:            "kernel": "kernel",
// CHECK-NEXT:            "grid": {{\[\[}}"min","N",["max","multiprocessors",2]],1,["select",["le","N","M"],"N","M"]],
// CHECK-NEXT:            "block": [64,1,1],
// CHECK-NEXT:            "shared_bytes": 0,
// CHECK-NEXT:            "parameters": [
// CHECK-NEXT:              {"pointer":"x"},
// CHECK-NEXT:              {"i64":"N"},
// CHECK-NEXT:              {"pointer":"y"},
// CHECK-NEXT:              {"i64":"M"},
// CHECK-NEXT:              {"i64":["stride","y",0]},
// CHECK-NEXT:              {"i64":["ceildiv","N",128]},
// CHECK-NEXT:              {"f32":0.100000001}
// CHECK-NEXT:            ]
// CHECK-NEXT:          }
// CHECK-NEXT:        },
// CHECK-NEXT:        {
// CHECK-NEXT:          "launch": {
// CHECK-NEXT:            "kernel": "shared",
// CHECK-NEXT:            "grid": [1,1,1],
// CHECK-NEXT:            "block": [32,1,1],
// CHECK-NEXT:            "shared_bytes": ["add",["mul",["ceildiv","N",128],16],528],
// CHECK-NEXT:            "parameters": []
// CHECK-NEXT:          }
// CHECK-NEXT:        },
// CHECK-NEXT:        {
// CHECK-NEXT:          "launch": {
// CHECK-NEXT:            "kernel": "shared",
// CHECK-NEXT:            "grid": [1,1,1],
// CHECK-NEXT:            "block": [32,1,1],
// CHECK-NEXT:            "shared_bytes": 656,
// CHECK-NEXT:            "parameters": []
// CHECK-NEXT:          }
// CHECK-NEXT:        }
// CHECK-NEXT:      ]
// CHECK-NEXT:    }
// CHECK-NEXT:  ]
// CHECK-NEXT:}
pbsgpu.plan @entry {
  %N = pbsgpu.size "N"
  %M = pbsgpu.size "M"
  %multiprocessors = pbsgpu.multiprocessors
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c16 = arith.constant 16 : index
  %c128 = arith.constant 128 : index
  %f = arith.constant 0.1 : f32
  %blocks = arith.ceildivsi %N, %c128 : index
  %x = pbsgpu.argument "x" input [%N, 8] align 4 : memref<?x8xf32>
  %indices = pbsgpu.argument "indices" input [%blocks, %M] align 2
    contents = {kind = "selection_counts", query_block = 128 : i64, causal = true, key_length = "M"} : memref<?x?xi16>
  %flag = pbsgpu.argument "flag" input [1] align 1 : memref<1xi1>
  %y = pbsgpu.argument "y" output [%N, %M] align 16 : memref<?x?xbf16, strided<[?, 1]>>
  %le = arith.cmpi sle, %N, %M : index
  %ne = arith.cmpi ne, %N, %c3 : index
  %twice = arith.muli %M, %c2 : index
  %less = arith.subi %N, %c1 : index
  %lt = arith.cmpi slt, %twice, %less : index
  %or = arith.ori %ne, %lt : i1
  %and = arith.andi %le, %or : i1
  pbsgpu.require %and, "N fits \"M\""
  %sixteenth = arith.floordivsi %M, %c16 : index
  %sum = arith.addi %N, %sixteenth : index
  %w = pbsgpu.buffer "w" [4, %sum, 2] align 16 : memref<4x?x2xf32>
  pbsgpu.memset %w to 255 if %le : memref<4x?x2xf32>
  %most = arith.maxsi %multiprocessors, %c2 : index
  %grid = arith.minsi %N, %most : index
  %selected = arith.select %le, %N, %M : index
  %base, %offset, %y_sizes:2, %y_strides:2 = memref.extract_strided_metadata %y
    : memref<?x?xbf16, strided<[?, 1]>> -> memref<bf16>, index, index, index, index, index
  pbsgpu.launch @kernels::@kernel grid(%grid, %c1, %selected) shared_bytes = 0
    arguments(%x, %N, %y, %M, %y_strides#0, %blocks, %f
      : memref<?x8xf32>, index, memref<?x?xbf16, strided<[?, 1]>>, index, index, index, f32)
  // What the launch says comes beside what the kernel has.
  %scores = arith.muli %blocks, %c16 : index
  pbsgpu.launch @kernels::@shared grid(%c1, %c1, %c1) shared_bytes = 528 dynamic_shared_bytes(%scores) arguments()
  pbsgpu.launch @kernels::@shared grid(%c1, %c1, %c1) shared_bytes = 528 dynamic_shared_bytes(%c128) arguments()
}
