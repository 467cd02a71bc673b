// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_RUNTIME_LIB_TEXTFILE_H
#define PBS_RUNTIME_LIB_TEXTFILE_H

#include <cstdint>
#include <fstream>
#include <string>

namespace pbs::runtime {

/// Opens a regular file. Throws Error with the path and the reason.
std::ifstream openForReading(const std::string &path);

/// Reads a whole file of at most \p maximumBytes bytes, without a byte order
/// mark.
std::string readTextFile(const std::string &path, uint64_t maximumBytes);

} // namespace pbs::runtime

#endif // PBS_RUNTIME_LIB_TEXTFILE_H
