// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/ArrayFile.h"

#include "ArrayFormats.h"
#include "TextFile.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/OutputFile.h"

#include <fstream>
#include <map>
#include <set>

using namespace pbs::runtime;

namespace {

/// A place taken apart; `tensor` is empty for .npy.
struct Place {
  std::string file;
  std::string tensor;
};

bool endsWith(const std::string &text, const std::string &end) {
  return text.size() > end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

Place parsePlace(const std::string &place) {
  static const std::string separator = ".safetensors:";
  size_t found = place.find(separator);
  if (found != std::string::npos && found > 0 &&
      found + separator.size() < place.size())
    return {place.substr(0, found + separator.size() - 1),
            place.substr(found + separator.size())};
  if (endsWith(place, ".safetensors") || endsWith(place, ".safetensors:"))
    throw Error(place + ": which tensor? write FILE.safetensors:NAME");
  if (endsWith(place, ".npy"))
    return {place, ""};
  throw Error(place + ": neither FILE.npy nor FILE.safetensors:NAME");
}

} // namespace

uint64_t pbs::runtime::sizeOf(std::istream &stream, const std::string &name) {
  stream.seekg(0, std::ios::end);
  std::streamoff size = stream.tellg();
  stream.seekg(0);
  if (!stream || size < 0)
    throw Error(name + ": cannot read");
  return static_cast<uint64_t>(size);
}

void pbs::runtime::readBytes(std::istream &stream, void *destination,
                             uint64_t bytes, const std::string &name) {
  stream.read(static_cast<char *>(destination),
              static_cast<std::streamsize>(bytes));
  if (!stream)
    throw Error(name + ": cannot read");
}

void pbs::runtime::checkBools(const Array &array, const std::string &name) {
  if (array.elementType() != ElementType::Bool)
    return;
  for (size_t i = 0; i < array.storage().size(); ++i)
    if (array.storage()[i] > 1)
      throw Error(name + ": element " + std::to_string(i) +
                  " of a bool array is the byte " +
                  std::to_string(array.storage()[i]) + ", expected 0 or 1");
}

void pbs::runtime::checkPlace(const std::string &place) { parsePlace(place); }

Array pbs::runtime::readArray(const std::string &place) {
  Place parsed = parsePlace(place);
  std::ifstream stream = openForReading(parsed.file);
  return parsed.tensor.empty()
             ? readNpy(stream, parsed.file)
             : readSafetensors(stream, parsed.tensor, parsed.file);
}

void pbs::runtime::writeArray(const std::string &place, const Array &array) {
  writeArrays({{place, &array}});
}

void pbs::runtime::writeArrays(
    const std::vector<std::pair<std::string, const Array *>> &arrays,
    const std::vector<std::pair<std::string, std::string>> &texts) {
  // Each file with its tensors; one without a name for .npy.
  std::map<std::string, std::vector<std::pair<std::string, const Array *>>>
      files;
  for (const auto &[place, array] : arrays) {
    Place parsed = parsePlace(place);
    for (const auto &other : files[parsed.file])
      if (other.first == parsed.tensor)
        throw Error(place + ": named twice as a result");
    files[parsed.file].emplace_back(parsed.tensor, array);
  }
  OutputFiles outputs;
  for (const auto &[file, tensors] : files) {
    bool safetensors = !tensors.front().first.empty();
    std::ifstream existing;
    if (safetensors && outputKind(file) == OutputKind::File)
      existing = openForReading(file);
    std::ostream &stream = outputs.add(file);
    if (safetensors)
      writeSafetensors(stream, existing.is_open() ? &existing : nullptr,
                       tensors, file);
    else
      writeNpy(stream, *tensors.front().second);
  }
  std::set<std::string> seen;
  for (const auto &[file, text] : texts) {
    if (files.count(file) || !seen.insert(file).second)
      throw Error(file + ": named twice as a result");
    outputs.add(file, text);
  }
  outputs.commit();
}

void pbs::runtime::checkResultPlaces(const std::vector<std::string> &places,
                                     size_t outputCount) {
  if (places.size() > outputCount)
    throw Error(std::to_string(places.size()) + " places for results, but " +
                std::to_string(outputCount) + " outputs");
  std::set<std::string> seen;
  for (const std::string &place : places) {
    checkPlace(place);
    if (!seen.insert(place).second)
      throw Error(place + ": named twice as a result");
  }
}

void pbs::runtime::writeResults(const std::vector<std::string> &places,
                                const std::vector<Array> &results) {
  checkResultPlaces(places, results.size());
  std::vector<std::pair<std::string, const Array *>> arrays;
  arrays.reserve(places.size());
  for (size_t i = 0; i < places.size(); ++i)
    arrays.emplace_back(places[i], &results[i]);
  writeArrays(arrays);
}
