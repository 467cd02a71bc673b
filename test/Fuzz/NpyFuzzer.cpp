// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The .npy reader; what it accepts is written and read again.

#include "ArrayFormats.h"
#include "Fuzz.h"

#include "pbs/Runtime/ArrayFile.h"

#include <sstream>

using namespace pbs::runtime;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::istringstream stream(
      std::string(reinterpret_cast<const char *>(data), size));
  Array array;
  if (!pbs::fuzz::attempt([&] { array = readNpy(stream, "fuzz.npy"); }))
    return 0;
  std::stringstream written;
  writeNpy(written, array);
  Array again = readNpy(written, "written.npy");
  if (again.elementType() != array.elementType() ||
      again.shape() != array.shape() || again.storage() != array.storage())
    pbs::fuzz::fail("an array that changes when it is written and read");
  return 0;
}
