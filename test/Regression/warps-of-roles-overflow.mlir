// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Roles whose warps overflowed when added could have the kernel's.
// RUN: pbs-opt %s --verify-diagnostics

gpu.module @kernels {
  pbsgpu.kernel @k() warps = 4 {
    // expected-error @below {{roles_c3: the roles have 18446744073709551615 warps, but the kernel has 4}}
    pbsgpu.roles "a" warps = 9223372036854775807 {
      pbsgpu.end_role
    } "b" warps = 9223372036854775807 {
      pbsgpu.end_role
    } "c" warps = 6 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}
