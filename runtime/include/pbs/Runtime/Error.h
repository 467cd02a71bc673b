// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one error type of the runtime.

#ifndef PBS_RUNTIME_ERROR_H
#define PBS_RUNTIME_ERROR_H

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace pbs::runtime {

/// What a program may want to tell apart.
enum class ErrorKind : uint8_t {
  /// A file, a plan or an argument breaks its contract.
  Invalid,
  /// There is no such device here, or it is too old for what is asked.
  Unavailable,
  OutOfMemory,
  /// A kernel or the device failed.
  Device,
  /// Device::stop() was called.
  Stopped,
};

/// Thrown for bad input and failed launches. what() is one line that says what
/// is wrong and where; tools print it and exit with code 1. Only several
/// hazards have as many lines. Control characters in a line become question
/// marks.
class Error : public std::runtime_error {
public:
  explicit Error(const std::string &message,
                 ErrorKind kind = ErrorKind::Invalid);
  explicit Error(const std::vector<std::string> &lines,
                 ErrorKind kind = ErrorKind::Invalid);
  ~Error() override;

  ErrorKind kind() const { return errorKind; }
  /// what(), by line.
  std::vector<std::string> lines() const;

private:
  ErrorKind errorKind;
};

} // namespace pbs::runtime

#endif // PBS_RUNTIME_ERROR_H
