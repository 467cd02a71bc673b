// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the two file formats share with the code that opens files.

#ifndef PBS_RUNTIME_LIB_ARRAYFORMATS_H
#define PBS_RUNTIME_LIB_ARRAYFORMATS_H

#include "pbs/Runtime/Array.h"

#include <istream>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace pbs::runtime {

/// Bytes from the start to the end of \p stream; leaves it at the start.
uint64_t sizeOf(std::istream &stream, const std::string &name);

/// Reads exactly \p bytes bytes; throws Error if there are fewer.
void readBytes(std::istream &stream, void *destination, uint64_t bytes,
               const std::string &name);

/// Throws Error if a byte of the contiguous bool array is neither 0 nor 1.
void checkBools(const Array &array, const std::string &name);

void writeNpy(std::ostream &stream, const Array &array);

/// Writes a safetensors file of \p arrays and of whatever \p existing, if not
/// null, holds under other names.
void writeSafetensors(
    std::ostream &stream, std::istream *existing,
    const std::vector<std::pair<std::string, const Array *>> &arrays,
    const std::string &name);

} // namespace pbs::runtime

#endif // PBS_RUNTIME_LIB_ARRAYFORMATS_H
