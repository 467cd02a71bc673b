// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What PTX text says of its kernels, which the driver does not tell without an
// error.

#ifndef PBS_RUNTIME_CUDA_PTXENTRIES_H
#define PBS_RUNTIME_CUDA_PTXENTRIES_H

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pbs::runtime::cuda {

struct PtxEntry {
  std::string name;
  size_t parameterCount = 0;
};

/// The `.entry` directives of \p ptx in their order. Text that is no PTX gives
/// some or none: the driver says what is wrong with it.
std::vector<PtxEntry> findEntries(std::string_view ptx);

} // namespace pbs::runtime::cuda

#endif // PBS_RUNTIME_CUDA_PTXENTRIES_H
