// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The safetensors reader, and the writer that keeps an existing file's tensors.

#include "ArrayFormats.h"
#include "Fuzz.h"

#include "pbs/Runtime/ArrayFile.h"

#include <sstream>

using namespace pbs::runtime;

static bool equal(const Array &a, const Array &b) {
  return a.elementType() == b.elementType() && a.shape() == b.shape() &&
         a.storage() == b.storage();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::istringstream stream(
      std::string(reinterpret_cast<const char *>(data), size));
  Array array;
  bool isRead = pbs::fuzz::attempt(
      [&] { array = readSafetensors(stream, "t", "fuzz.safetensors"); });
  stream.clear();
  stream.seekg(0);
  Array added(ElementType::U16, {2, 3});
  std::stringstream written;
  if (!pbs::fuzz::attempt([&] {
        writeSafetensors(written, &stream, {{"added", &added}},
                         "fuzz.safetensors");
      }))
    return 0;
  if (!equal(readSafetensors(written, "added", "written.safetensors"), added))
    pbs::fuzz::fail("an added tensor that changes");
  written.clear();
  written.seekg(0);
  if (isRead &&
      !equal(readSafetensors(written, "t", "written.safetensors"), array))
    pbs::fuzz::fail("a kept tensor that changes");
  return 0;
}
