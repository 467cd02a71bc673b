// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "KernelArgument.h"

#include "pbs/Runtime/ArrayFile.h"
#include "pbs/Runtime/Error.h"

#include <cmath>
#include <cstdlib>

using namespace pbs::launch;
using namespace pbs::runtime;

template <typename T>
static T parseNumber(const std::string &argument, const std::string &text) {
  T value;
  if (!parseInteger(text, value))
    throw Error("--arg=" + argument + ": '" + text +
                "' is no number of that "
                "type");
  return value;
}

static float parseFloat(const std::string &argument, const std::string &text) {
  char *end = nullptr;
  float value = std::strtof(text.c_str(), &end);
  bool spelledInfinity = text.find_first_of("iI") != std::string::npos;
  if (text.empty() || *end != '\0' || std::isspace(text[0]) ||
      (std::isinf(value) && !spelledInfinity))
    throw Error("--arg=" + argument + ": '" + text + "' is no f32");
  return value;
}

static OutputArgument parseOutput(const std::string &argument,
                                  const std::string &text) {
  OutputArgument output;
  size_t colon = text.find(':');
  std::optional<ElementType> type = parseElementType(text.substr(0, colon));
  if (colon == std::string::npos || !type)
    throw Error("--arg=" + argument +
                ": expected out:TYPE:SHAPE with a type of bf16, f16, f32, i32, "
                "u16 or bool, and a shape such as 2x64");
  output.type = *type;
  for (size_t position = colon + 1;;) {
    size_t end = text.find('x', position);
    int64_t extent = 0;
    if (!parseInteger(text.substr(position, end - position), extent) ||
        extent < 1)
      throw Error("--arg=" + argument +
                  ": expected a shape such as 2x64, with extents of at least "
                  "1");
    output.shape.push_back(extent);
    if (end == std::string::npos)
      break;
    position = end + 1;
  }
  try {
    countElements(output.shape, byteWidth(output.type));
  } catch (const Error &error) {
    throw Error("--arg=" + argument + ": " + error.what());
  }
  return output;
}

KernelArgument pbs::launch::parseKernelArgument(const std::string &text) {
  size_t colon = text.find(':');
  if (colon != std::string::npos) {
    std::string kind = text.substr(0, colon), rest = text.substr(colon + 1);
    if (kind == "u32")
      return parseNumber<uint32_t>(text, rest);
    if (kind == "i32")
      return parseNumber<int32_t>(text, rest);
    if (kind == "u64")
      return parseNumber<uint64_t>(text, rest);
    if (kind == "i64")
      return parseNumber<int64_t>(text, rest);
    if (kind == "f32")
      return parseFloat(text, rest);
    if (kind == "out")
      return parseOutput(text, rest);
  }
  try {
    checkPlace(text);
  } catch (const Error &) {
    throw Error("--arg=" + text +
                ": expected FILE.npy, FILE.safetensors:NAME, u32:, i32:, u64:, "
                "i64:, f32: or out:TYPE:SHAPE");
  }
  return FileArgument{text};
}
