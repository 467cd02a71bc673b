// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TextFile.h"

#include "ArrayFormats.h"
#include "pbs/Runtime/Error.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

using namespace pbs::runtime;

std::ifstream pbs::runtime::openForReading(const std::string &path) {
  std::error_code error;
  std::filesystem::file_status status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status) &&
      !std::filesystem::is_regular_file(status))
    throw Error(path + ": not a regular file");
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    throw Error(path + ": cannot open: " + std::strerror(errno));
  return stream;
}

std::string pbs::runtime::readTextFile(const std::string &path,
                                       uint64_t maximumBytes) {
  std::ifstream stream = openForReading(path);
  uint64_t size = sizeOf(stream, path);
  if (size > maximumBytes)
    throw Error(path + ": larger than " + std::to_string(maximumBytes) +
                " bytes");
  std::string text(size, '\0');
  readBytes(stream, text.data(), size, path);
  // The byte order mark of UTF-8, which some editors write.
  if (text.compare(0, 3, "\xef\xbb\xbf") == 0)
    text.erase(0, 3);
  return text;
}
