// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NVIDIA GPUs through the CUDA driver API, which is looked for when a device is
// opened: nothing of CUDA is needed to build or to start a program.

#ifndef PBS_RUNTIME_CUDA_H
#define PBS_RUNTIME_CUDA_H

#include "pbs/Runtime/Device.h"

#include <memory>

namespace pbs::runtime {

/// Opens GPU \p ordinal in its primary context, with a stream of its own.
/// Copies wait for the host; fills, launches and events do not. Throws Error
/// where the driver's library or the GPU is missing.
std::unique_ptr<Device> createCudaDevice(unsigned ordinal = 0);

} // namespace pbs::runtime

#endif // PBS_RUNTIME_CUDA_H
