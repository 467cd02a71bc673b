// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What memory the host has left, so that asking for more is an error and not
// the end of the process.

#ifndef PBS_RUNTIME_HOSTMEMORY_H
#define PBS_RUNTIME_HOSTMEMORY_H

#include <cstdint>
#include <string>

namespace pbs::runtime {

/// Bytes that this process can still use: what the system has available, or
/// what a control group that the process is in leaves of its limit where that
/// is less. \p root stands before the names of the system's files.
uint64_t availableHostMemory(const std::string &root = "");

/// Throws an Error of kind OutOfMemory, "WHAT: needs N bytes, the host has M",
/// if the host has fewer than \p bytes bytes. Amounts that are not worth a look
/// at the system's files, below 16 MiB, count as there.
void checkHostMemory(const std::string &what, uint64_t bytes);

} // namespace pbs::runtime

#endif // PBS_RUNTIME_HOSTMEMORY_H
