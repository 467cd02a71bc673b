// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: not pbs-opt %s --pbs-set-target="chip=sm_75" --convert-pbsgpu-to-nvvm 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not pbs-opt %s --pbs-set-target="chip=sm_90a ptx-version=7.8" --convert-pbsgpu-to-nvvm 2>&1 | FileCheck %s --check-prefix=LOW
// RUN: not pbs-opt %s --pbs-set-target="ptx-version=9.1" --convert-pbsgpu-to-nvvm 2>&1 | FileCheck %s --check-prefix=VERSION
// RUN: not pbs-opt %s --pbs-set-target="chip=sm_86" --convert-pbsgpu-to-nvvm 2>&1 | FileCheck %s --check-prefix=SHARED
// RUN: pbs-opt %s --pbs-set-target="chip=sm_80" --convert-pbsgpu-to-nvvm -o /dev/null
// RUN: pbs-opt %s --pbs-set-target=chip=sm_89 | FileCheck %s --check-prefix=SM89
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90 | FileCheck %s --check-prefix=SM90
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90a | FileCheck %s --check-prefix=SM90A
// RUN: pbs-opt %s --pbs-set-target="chip=sm_90a ptx-version=8.0" | FileCheck %s --check-prefix=OLDER
// RUN: pbs-opt %s --pbs-set-target=chip=sm_100f | FileCheck %s --check-prefix=SM100F

// From sm_90 on the lowest version has the copies of tensor maps.
// SM89: chip = "sm_89", features = "+ptx78"
// SM90: chip = "sm_90", features = "+ptx86"
// SM90A: chip = "sm_90a", features = "+ptx86"
// OLDER: chip = "sm_90a", features = "+ptx80"
// SM100F: chip = "sm_100f", features = "+ptx88"
// CHIP: error: chip 'sm_75' is not known; known are sm_80, {{.*}}sm_90a
// LOW: error: chip sm_90a needs PTX version 8.0 or later, not 7.8
// VERSION: error: PTX version '9.1' is not known; known are 7.0 to 9.0
gpu.module @kernels {
  // SHARED: [[#@LINE+1]]:3: error: 'pbsgpu.kernel' op needs 131072 bytes of shared memory, but a CTA of sm_86 has 101376
  pbsgpu.kernel @large() warps = 1 {
    %tile = pbsgpu.alloc_ring : !pbsgpu.ring<128x128xbf16, stages = 4>
    pbsgpu.return
  }
}
