// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "KernelArgument.h"

#include "common/Seeds.h"
#include "pbs/Runtime/ArrayFile.h"
#include "pbs/Runtime/Error.h"

#include <cmath>
#include <cstdlib>

using namespace pbs::launch;
using namespace pbs::runtime;
using pbs::tools::parseInteger;

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

/// "2x64", all extents at least 1.
static std::vector<int64_t> parseShape(const std::string &argument,
                                       const std::string &text) {
  std::vector<int64_t> shape;
  for (size_t position = 0;;) {
    size_t end = text.find('x', position);
    int64_t extent = 0;
    if (!parseInteger(text.substr(position, end - position), extent) ||
        extent < 1)
      throw Error("--arg=" + argument +
                  ": expected a shape such as 2x64, with extents of at least "
                  "1");
    shape.push_back(extent);
    if (end == std::string::npos)
      return shape;
    position = end + 1;
  }
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
  output.shape = parseShape(argument, text.substr(colon + 1));
  try {
    countElements(output.shape, byteWidth(output.type));
  } catch (const Error &error) {
    throw Error("--arg=" + argument + ": " + error.what());
  }
  return output;
}

/// "FILE:BOX:SWIZZLE" or "out:TYPE:SHAPE:BOX:SWIZZLE".
static MapArgument parseMap(const std::string &argument,
                            const std::string &text) {
  MapArgument map;
  size_t last = text.rfind(':');
  size_t middle = last == std::string::npos || last == 0
                      ? std::string::npos
                      : text.rfind(':', last - 1);
  if (middle == std::string::npos ||
      !parseInteger(text.substr(last + 1), map.swizzleBytes))
    throw Error("--arg=" + argument +
                ": expected map:FILE:BOX:SWIZZLE or "
                "map:out:TYPE:SHAPE:BOX:SWIZZLE with a box such as 64x32, and "
                "a swizzle of 0, 32, 64 or 128 bytes");
  map.box = parseShape(argument, text.substr(middle + 1, last - middle - 1));
  // CUDA driver API, cuTensorMapEncodeTiled.
  for (int64_t extent : map.box)
    if (extent > 256)
      throw Error("--arg=" + argument +
                  ": a box has at most 256 elements in "
                  "each dimension");
  std::string tensor = text.substr(0, middle);
  if (tensor.compare(0, 4, "out:") == 0) {
    map.tensor = parseOutput(argument, tensor.substr(4));
    return map;
  }
  checkPlace(tensor);
  map.tensor = FileArgument{tensor};
  return map;
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
    if (kind == "map")
      return parseMap(text, rest);
  }
  try {
    checkPlace(text);
  } catch (const Error &) {
    throw Error("--arg=" + text +
                ": expected FILE.npy, FILE.safetensors:NAME, u32:, i32:, u64:, "
                "i64:, f32:, out:TYPE:SHAPE or map:TENSOR:BOX:SWIZZLE");
  }
  return FileArgument{text};
}
