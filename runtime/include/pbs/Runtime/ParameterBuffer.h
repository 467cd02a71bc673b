// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_RUNTIME_PARAMETERBUFFER_H
#define PBS_RUNTIME_PARAMETERBUFFER_H

#include <cstdint>
#include <cstring>
#include <vector>

namespace pbs::runtime {

/// A kernel's parameters as Device::launch takes them: each at its natural
/// alignment, the gaps filled with zeros.
class ParameterBuffer {
public:
  /// Appends a value of 4 or 8 bytes, or a TensorMap.
  template <typename T> void append(const T &value) {
    size_t offset = (packed.size() + alignof(T) - 1) / alignof(T) * alignof(T);
    packed.resize(offset + sizeof(T));
    std::memcpy(packed.data() + offset, &value, sizeof(T));
  }

  const std::vector<uint8_t> &bytes() const { return packed; }

private:
  std::vector<uint8_t> packed;
};

} // namespace pbs::runtime

#endif // PBS_RUNTIME_PARAMETERBUFFER_H
