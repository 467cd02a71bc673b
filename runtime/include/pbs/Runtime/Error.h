// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one error type of the runtime.

#ifndef PBS_RUNTIME_ERROR_H
#define PBS_RUNTIME_ERROR_H

#include <stdexcept>
#include <string>

namespace pbs::runtime {

/// Thrown for bad input and failed launches. what() is one line that says what
/// is wrong and where; tools print it and exit with code 1. Control characters
/// in \p message become question marks.
class Error : public std::runtime_error {
public:
  explicit Error(const std::string &message);
  ~Error() override;
};

} // namespace pbs::runtime

#endif // PBS_RUNTIME_ERROR_H
