// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --split-input-file --verify-diagnostics --pbs-set-target

module @two {
  gpu.module @first [#nvvm.target<O = 3, chip = "sm_89", features = "+ptx78">] {
  }
  // expected-error @below {{gpu.module 'second' has the target #nvvm.target<O = 3, chip = "sm_80", features = "+ptx70">, but the module or a gpu.module before has #nvvm.target<O = 3, chip = "sm_89", features = "+ptx78">}}
  gpu.module @second [#nvvm.target<O = 3, chip = "sm_80", features = "+ptx70">] {
  }
}

