// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_PBS_LAUNCH_KERNELARGUMENT_H
#define PBS_TOOLS_PBS_LAUNCH_KERNELARGUMENT_H

#include "pbs/Runtime/Array.h"

#include <charconv>
#include <string>
#include <variant>
#include <vector>

namespace pbs::launch {

/// Parses all of \p text as a decimal integer, or returns false.
template <typename T> bool parseInteger(const std::string &text, T &value) {
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() &&
         !text.empty();
}

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
