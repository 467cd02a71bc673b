// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arrays in files: NumPy's .npy (numpy.lib.format) and safetensors
// (https://github.com/huggingface/safetensors, "Format").
//
// A file is named by a text, here called its place: "FILE.npy", or
// "FILE.safetensors:NAME" for one tensor of a safetensors file.

#ifndef PBS_RUNTIME_ARRAYFILE_H
#define PBS_RUNTIME_ARRAYFILE_H

#include "pbs/Runtime/Array.h"

#include <istream>
#include <string>
#include <utility>
#include <vector>

namespace pbs::runtime {

/// Reads the array at \p place. The result is contiguous. Throws Error naming
/// the file if it is missing, malformed, or of another element type than
/// ElementType knows; .npy has no bf16.
Array readArray(const std::string &place);

/// Writes \p array to \p place. bf16 becomes f32 in .npy. An existing
/// safetensors file keeps its other tensors and metadata. The file appears
/// whole or not at all; see OutputFiles.
void writeArray(const std::string &place, const Array &array);

/// Writes several arrays, and renames the files into place only when all are
/// written. Places may share a safetensors file. \p texts are files beside
/// them: path and contents. Throws Error if two places are the same.
void writeArrays(
    const std::vector<std::pair<std::string, const Array *>> &arrays,
    const std::vector<std::pair<std::string, std::string>> &texts = {});

/// Throws Error unless \p place is one of the two forms.
void checkPlace(const std::string &place);

/// Throws Error if \p places cannot take the first of \p outputCount results:
/// too many, malformed, or the same place twice. For a tool to call before it
/// computes anything.
void checkResultPlaces(const std::vector<std::string> &places,
                       size_t outputCount);

/// Writes the first results to \p places with writeArrays.
void writeResults(const std::vector<std::string> &places,
                  const std::vector<Array> &results);

/// The readers on a seekable stream; \p name stands for it in messages.
Array readNpy(std::istream &stream, const std::string &name);
Array readSafetensors(std::istream &stream, const std::string &tensor,
                      const std::string &name);

} // namespace pbs::runtime

#endif // PBS_RUNTIME_ARRAYFILE_H
