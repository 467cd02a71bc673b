// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --split-input-file --pbs-set-target | FileCheck %s
// RUN: not pbs-opt %s --split-input-file --pbs-set-target=chip=sm_90a 2>&1 | FileCheck %s --check-prefix=OTHER
// RUN: not pbs-opt %s --split-input-file --pbs-set-target=chip=sm_75 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: error: chip 'sm_75' is not known; known are sm_80, {{.*}}sm_90a

// Without a target, the default.
// CHECK: module @none attributes {pbs.target = #nvvm.target<O = 3, chip = "sm_80", features = "+ptx70">}
module @none {
}

// -----

// A target stays.
// CHECK: module @module attributes {pbs.target = #nvvm.target<O = 3, chip = "sm_86", features = "+ptx78">}
// OTHER: [[#@LINE+1]]:1: error: the module is compiled for sm_86 already, not for sm_90a
module @module attributes {pbs.target = #nvvm.target<O = 3, chip = "sm_86", features = "+ptx78">} {
}

// -----

// The target of kernels is the module's.
// CHECK: module @kernels attributes {pbs.target = #nvvm.target<O = 3, chip = "sm_89", features = "+ptx78">}
// OTHER: [[#@LINE+1]]:1: error: the module is compiled for sm_89 already, not for sm_90a
module @kernels {
  gpu.module @k [#nvvm.target<O = 3, chip = "sm_89", features = "+ptx78">] {
  }
}
