// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_PBS_LAUNCH_KERNELARGUMENT_H
#define PBS_TOOLS_PBS_LAUNCH_KERNELARGUMENT_H

#include "pbs/Runtime/Array.h"

#include <string>
#include <variant>
#include <vector>

namespace pbs::launch {

struct FileArgument {
  std::string place;
};
struct OutputArgument {
  runtime::ElementType type = runtime::ElementType::F32;
  std::vector<int64_t> shape;
};
/// A tensor map of a file's array or of an output.
struct MapArgument {
  std::variant<FileArgument, OutputArgument> tensor;
  /// As many extents as the tensor has.
  std::vector<int64_t> box;
  uint32_t swizzleBytes = 0;
};
/// A parameter of a kernel that has no plan.
using KernelArgument =
    std::variant<FileArgument, OutputArgument, MapArgument, uint32_t, int32_t,
                 uint64_t, int64_t, float>;

/// Parses what --arg takes for PTX; see the help text. Throws runtime::Error.
KernelArgument parseKernelArgument(const std::string &text);

} // namespace pbs::launch

#endif // PBS_TOOLS_PBS_LAUNCH_KERNELARGUMENT_H
