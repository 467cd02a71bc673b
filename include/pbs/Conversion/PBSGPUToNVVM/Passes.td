// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_CONVERSION_PBSGPUTONVVM_PASSES_TD
#define PBS_CONVERSION_PBSGPUTONVVM_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertPBSGPUToNVVM : Pass<"convert-pbsgpu-to-nvvm", "::mlir::ModuleOp"> {
  let summary = "Turns kernels into LLVM functions of NVVM instructions";
  let description = [{
    Each `pbsgpu.kernel` becomes an `llvm.func`:

    - a memref parameter is passed as its address in global memory, its dynamic
      extents and, where its layout is `strided`, its dynamic strides, all i64;
    - a fragment is a vector of the values that a lane holds: f32 in the order
      (16-row step, 8-column step, register c0 to c3 of mma.m16n8k16); a fragment
      of one column holds rows l / 4 and l / 4 + 8 of each 16-row step; an
      `operand_a` fragment is i32, two elements each, in the order (16-row step,
      16-column step, register a0 to a3);
    - a tile is an address in the kernel's dynamic shared memory.

    The launches of the plan pass the same parameters in the same order and
    state the shared memory. The target is the module's (`--pbs-set-target`),
    or else sm_80. Key loops must be lowered before, with
    `--pbsgpu-lower-key-loop`, and loops after that, with `--convert-scf-to-cf`. A remark says how many warps and bytes of shared memory each kernel
    has.

    Before:

    ```mlir
    gpu.module @kernels {
      pbsgpu.kernel @k(%x: memref<?x64xbf16, strided<[?, 1]>>, %first: index) warps = 4 {
        %tile = pbsgpu.alloc_tile : !pbsgpu.tile<16x64xbf16>
        pbsgpu.copy_tile %x[%first] to %tile : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<16x64xbf16>
        pbsgpu.await_copies
        pbsgpu.return
      }
    }
    pbsgpu.plan @entry {
      %N = pbsgpu.size "N"
      %x = pbsgpu.argument "x" input [%N, 64] align 16 : memref<?x64xbf16, strided<[?, 1]>>
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      pbsgpu.launch @kernels::@k grid(%one, %one, %one)
        arguments(%x, %zero : memref<?x64xbf16, strided<[?, 1]>>, index)
    }
    ```

    After:

    ```mlir
    gpu.module @kernels [#nvvm.target<O = 3, chip = "sm_80", features = "+ptx70">] {
      llvm.mlir.global external @dynamic_shared_memory()
          {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
      llvm.func @k(%x: !llvm.ptr<1> {llvm.align = 16 : i64, llvm.noalias, llvm.readonly},
                   %rows: i64, %stride: i64, %first: i64)
          attributes {denormal_fp_math_f32 = "preserve-sign,preserve-sign", nvvm.kernel,
                      nvvm.reqntid = array<i32: 128>} {
        ...
        %tile = llvm.mlir.addressof @dynamic_shared_memory : !llvm.ptr<3>
        ...
        nvvm.cp.async.shared.global %to, %from, 16, cache = cg, %bytes : !llvm.ptr<3>, !llvm.ptr<1>, i32
        llvm.call_intrinsic "llvm.nvvm.cp.async.wait.all"() : () -> ()
        nvvm.barrier0
        llvm.return
      }
    }
    pbsgpu.plan @entry {
      ...
      pbsgpu.launch @kernels::@k grid(%one, %one, %one) shared_bytes = 2048
        arguments(%x, %N, %strides#0, %zero : memref<?x64xbf16, strided<[?, 1]>>, index, index, index)
    }
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect",
                           "::mlir::cf::ControlFlowDialect"];
}

def MergeKernelParameters : Pass<"merge-kernel-parameters", "::mlir::ModuleOp"> {
  let summary = "Drops kernel parameters without use and merges equal ones";
  let description = [{
    Works on kernels that are `llvm.func` and are launched by plans only. A
    parameter that the kernel does not read goes; parameters to which every
    launch hands the same value become one.

    Before:

    ```mlir
    gpu.module @kernels {
      llvm.func @k(%x: !llvm.ptr<1>, %x_rows: i64, %y: !llvm.ptr<1>, %y_rows: i64, %unused: i64) {
        %rows = llvm.add %x_rows, %y_rows : i64
        %sum = llvm.trunc %rows : i64 to i32
        llvm.store %sum, %x : i32, !llvm.ptr<1>
        llvm.store %sum, %y : i32, !llvm.ptr<1>
        llvm.return
      }
    }
    pbsgpu.plan @entry {
      %N = pbsgpu.size "N"
      %x = pbsgpu.argument "x" output [%N] align 4 : memref<?xi32>
      %y = pbsgpu.argument "y" output [%N] align 4 : memref<?xi32>
      %one = arith.constant 1 : index
      pbsgpu.launch @kernels::@k grid(%one, %one, %one)
        arguments(%x, %N, %y, %N, %one : memref<?xi32>, index, memref<?xi32>, index, index)
    }
    ```

    After:

    ```mlir
    gpu.module @kernels {
      llvm.func @k(%x: !llvm.ptr<1>, %N: i64, %y: !llvm.ptr<1>) {
        %rows = llvm.add %N, %N : i64
        %sum = llvm.trunc %rows : i64 to i32
        llvm.store %sum, %x : i32, !llvm.ptr<1>
        llvm.store %sum, %y : i32, !llvm.ptr<1>
        llvm.return
      }
    }
    pbsgpu.plan @entry {
      %N = pbsgpu.size "N"
      %x = pbsgpu.argument "x" output [%N] align 4 : memref<?xi32>
      %y = pbsgpu.argument "y" output [%N] align 4 : memref<?xi32>
      %one = arith.constant 1 : index
      pbsgpu.launch @kernels::@k grid(%one, %one, %one)
        arguments(%x, %N, %y : memref<?xi32>, index, memref<?xi32>)
    }
    ```

    Remark: the parameters dropped and merged.
  }];
  let dependentDialects = ["::pbsgpu::PBSGPUDialect"];
}

#endif // PBS_CONVERSION_PBSGPUTONVVM_PASSES_TD
