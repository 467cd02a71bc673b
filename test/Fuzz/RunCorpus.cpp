// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stands in for libFuzzer in ordinary builds: runs a target once on every file
// named, and on every file below the folders named.

#include "Fuzz.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

int main(int argc, char **argv) {
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  for (int i = 1; i < argc; ++i) {
    if (!fs::is_directory(argv[i])) {
      files.emplace_back(argv[i]);
      continue;
    }
    for (const auto &entry : fs::recursive_directory_iterator(argv[i]))
      if (entry.is_regular_file())
        files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    std::fprintf(stderr, "no inputs in what was named\n");
    return 1;
  }
  for (const fs::path &file : files) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
      std::fprintf(stderr, "%s: cannot open\n", file.c_str());
      return 1;
    }
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    // The last line before a crash names the input. The copy has no byte to
    // spare, so that sanitizers see a read beyond its end.
    std::printf("%s\n", file.c_str());
    std::fflush(stdout);
    std::vector<uint8_t> bytes(text.size());
    if (!text.empty())
      std::memcpy(bytes.data(), text.data(), text.size());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::printf("%zu inputs\n", files.size());
}
