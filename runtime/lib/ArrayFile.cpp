// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/ArrayFile.h"

#include "ArrayFormats.h"
#include "TextFile.h"
#include "pbs/Runtime/Error.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <unistd.h>

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

/// A file beside its destination, removed unless it was renamed into place.
class PendingFile {
public:
  explicit PendingFile(const std::string &destination)
      : destination(destination),
        temporary(destination + ".partial-" + std::to_string(getpid())) {
    errno = 0;
    stream.open(temporary, std::ios::binary | std::ios::trunc);
    if (!stream)
      throw Error(destination + ": cannot write: " + std::strerror(errno));
  }
  PendingFile(const PendingFile &) = delete;
  PendingFile &operator=(const PendingFile &) = delete;
  ~PendingFile() {
    std::error_code ignored;
    if (!renamed)
      std::filesystem::remove(temporary, ignored);
  }

  std::ostream &output() { return stream; }

  void close() {
    errno = 0;
    stream.close();
    if (!stream)
      throw Error(destination + ": cannot write: " + std::strerror(errno));
  }

  void rename() {
    std::error_code error;
    std::filesystem::rename(temporary, destination, error);
    if (error)
      throw Error(destination + ": cannot write: " + error.message());
    renamed = true;
  }

private:
  std::string destination;
  std::string temporary;
  std::ofstream stream;
  bool renamed = false;
};

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

/// Whether \p path is there. Throws Error if it is and cannot be replaced.
static bool checkReplaceable(const std::string &path) {
  std::error_code ignored;
  bool exists = std::filesystem::exists(path, ignored);
  if (exists && !std::filesystem::is_regular_file(path, ignored))
    throw Error(path + ": not a regular file");
  return exists;
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
  std::vector<std::unique_ptr<PendingFile>> pending;
  for (const auto &[file, tensors] : files) {
    bool exists = checkReplaceable(file);
    std::ifstream existing;
    bool safetensors = !tensors.front().first.empty();
    if (safetensors && exists)
      existing = openForReading(file);
    pending.push_back(std::make_unique<PendingFile>(file));
    if (safetensors)
      writeSafetensors(pending.back()->output(), exists ? &existing : nullptr,
                       tensors, file);
    else
      writeNpy(pending.back()->output(), *tensors.front().second);
    pending.back()->close();
  }
  std::set<std::string> seen;
  for (const auto &[file, text] : texts) {
    if (files.count(file) || !seen.insert(file).second)
      throw Error(file + ": named twice as a result");
    checkReplaceable(file);
    pending.push_back(std::make_unique<PendingFile>(file));
    pending.back()->output().write(text.data(),
                                   static_cast<std::streamsize>(text.size()));
    pending.back()->close();
  }
  for (auto &file : pending)
    file->rename();
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
