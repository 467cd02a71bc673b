// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/Array.h"

#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/HostMemory.h"

#include <cstring>

using namespace pbs::runtime;

namespace {

uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

float loadAsF32(ElementType type, const uint8_t *source) {
  if (type == ElementType::F32) {
    float value;
    std::memcpy(&value, source, sizeof(value));
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, source, sizeof(bits));
  return type == ElementType::BF16 ? bf16ToF32(bits) : f16ToF32(bits);
}

void storeF32(ElementType type, float value, uint8_t *destination) {
  if (type == ElementType::F32) {
    std::memcpy(destination, &value, sizeof(value));
    return;
  }
  uint16_t bits =
      type == ElementType::BF16 ? f32ToBF16(value) : f32ToF16(value);
  std::memcpy(destination, &bits, sizeof(bits));
}

bool isFloat(ElementType type) {
  return type == ElementType::BF16 || type == ElementType::F16 ||
         type == ElementType::F32;
}

/// Elements from the first to the last one, both included; 0 if there are none.
int64_t spanOf(const std::vector<int64_t> &shape,
               const std::vector<int64_t> &strides) {
  if (shape.size() != strides.size())
    throw Error("an array of rank " + std::to_string(shape.size()) + " has " +
                std::to_string(strides.size()) + " strides");
  if (countElements(shape) == 0)
    return 0;
  int64_t span = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t distance;
    if (strides[i] < 0 ||
        __builtin_mul_overflow(shape[i] - 1, strides[i], &distance) ||
        __builtin_add_overflow(span, distance, &span))
      throw Error("stride " + std::to_string(strides[i]) + " of dimension " +
                  std::to_string(i) + " is negative or too large");
  }
  return span;
}

} // namespace

size_t pbs::runtime::byteWidth(ElementType type) {
  switch (type) {
  case ElementType::F32:
  case ElementType::I32:
    return 4;
  case ElementType::BF16:
  case ElementType::F16:
  case ElementType::U16:
    return 2;
  case ElementType::Bool:
    return 1;
  }
  __builtin_unreachable();
}

std::string_view pbs::runtime::nameOf(ElementType type) {
  switch (type) {
  case ElementType::BF16:
    return "bf16";
  case ElementType::F16:
    return "f16";
  case ElementType::F32:
    return "f32";
  case ElementType::I32:
    return "i32";
  case ElementType::U16:
    return "u16";
  case ElementType::Bool:
    return "bool";
  }
  __builtin_unreachable();
}

std::optional<ElementType>
pbs::runtime::parseElementType(std::string_view name) {
  for (ElementType type :
       {ElementType::BF16, ElementType::F16, ElementType::F32, ElementType::I32,
        ElementType::U16, ElementType::Bool})
    if (nameOf(type) == name)
      return type;
  return std::nullopt;
}

float pbs::runtime::bf16ToF32(uint16_t bits) {
  return floatOf(static_cast<uint32_t>(bits) << 16);
}

uint16_t pbs::runtime::f32ToBF16(float value) {
  uint32_t bits = bitsOf(value);
  // The payload's upper bits may be all 0: the quiet bit keeps it a NaN.
  if ((bits & 0x7fffffff) > 0x7f800000)
    return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float pbs::runtime::f16ToF32(uint16_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  uint32_t exponent = (bits >> 10) & 31;
  uint32_t fraction = bits & 0x3ff;
  if (exponent == 31)
    return floatOf(sign | 0x7f800000 | (fraction << 13) |
                   (fraction ? 0x400000 : 0));
  if (exponent == 0) {
    // Subnormal: fraction * 2^-24, exact in binary32.
    float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return floatOf(sign | bitsOf(magnitude));
  }
  return floatOf(sign | ((exponent + 112) << 23) | (fraction << 13));
}

uint16_t pbs::runtime::f32ToF16(float value) {
  uint32_t bits = bitsOf(value);
  uint32_t sign = (bits >> 16) & 0x8000;
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return static_cast<uint16_t>(sign | 0x7e00 | ((magnitude >> 13) & 0x3ff));
  // 65520 lies halfway between the largest half and the next power of two.
  if (magnitude >= bitsOf(65520.0f))
    return static_cast<uint16_t>(sign | 0x7c00);
  if (magnitude < bitsOf(0x1p-14f)) {
    // Adding 1/2 leaves a result whose last place is 2^-24, a half's last
    // subnormal place, so that the addition rounds as wanted.
    float shifted = floatOf(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (bitsOf(shifted) - bitsOf(0.5f)));
  }
  uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
  return static_cast<uint16_t>(sign | ((rounded - (112u << 23)) >> 13));
}

std::string pbs::runtime::formatShape(const std::vector<int64_t> &shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + ")";
}

int64_t pbs::runtime::countElements(const std::vector<int64_t> &shape,
                                    size_t elementBytes) {
  // An empty array's strides must be representable too.
  int64_t count = 1, bytes = static_cast<int64_t>(elementBytes);
  for (int64_t extent : shape) {
    if (extent < 0)
      throw Error("shape " + formatShape(shape) + " has a negative extent");
    if (__builtin_mul_overflow(bytes, extent ? extent : 1, &bytes))
      throw Error("shape " + formatShape(shape) + " is too large");
    count *= extent;
  }
  return count;
}

std::vector<int64_t>
pbs::runtime::contiguousStrides(const std::vector<int64_t> &shape) {
  countElements(shape);
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i] ? shape[i] : 1;
  }
  return strides;
}

Array::Array() : Array(ElementType::F32, {0}) {}

/// The bytes of a new array, which the host has.
static size_t checkedBytes(ElementType type,
                           const std::vector<int64_t> &shape) {
  size_t bytes = countElements(shape, byteWidth(type)) * byteWidth(type);
  checkHostMemory("an array of shape " + formatShape(shape), bytes);
  return bytes;
}

Array::Array(ElementType type, std::vector<int64_t> shape)
    : type(type), extents(std::move(shape)), steps(contiguousStrides(extents)),
      bytes(checkedBytes(type, extents)) {}

Array::Array(ElementType type, std::vector<int64_t> shape,
             std::vector<int64_t> strides, std::vector<uint8_t> storage)
    : type(type), extents(std::move(shape)), steps(std::move(strides)),
      bytes(std::move(storage)) {
  int64_t span = spanOf(extents, steps);
  if (static_cast<uint64_t>(span) > bytes.size() / byteWidth(type))
    throw Error("an array of shape " + formatShape(extents) + " and strides " +
                formatShape(steps) + " reaches over " + std::to_string(span) +
                " elements, its storage holds " +
                std::to_string(bytes.size() / byteWidth(type)));
}

bool Array::isContiguous() const {
  std::vector<int64_t> expected = contiguousStrides(extents);
  for (size_t i = 0; i < extents.size(); ++i)
    if (extents[i] > 1 && steps[i] != expected[i])
      return false;
  return true;
}

/// Calls \p visit with the offset, in elements, of each element in row-major
/// order.
template <typename Visitor>
static void forEachOffset(const Array &array, Visitor visit) {
  int64_t count = array.elementCount();
  if (array.isContiguous()) {
    for (int64_t offset = 0; offset < count; ++offset)
      visit(offset);
    return;
  }
  size_t rank = array.rank();
  std::vector<int64_t> index(rank, 0);
  int64_t offset = 0;
  for (; count > 0; --count) {
    visit(offset);
    for (size_t i = rank; i-- > 0;) {
      offset += array.strides()[i];
      if (++index[i] < array.shape()[i])
        break;
      offset -= array.strides()[i] * index[i];
      index[i] = 0;
    }
  }
}

Array Array::toContiguous() const {
  Array result(type, extents);
  size_t width = byteWidth(type);
  if (isContiguous()) {
    if (!result.bytes.empty())
      std::memcpy(result.bytes.data(), bytes.data(), result.bytes.size());
    return result;
  }
  uint8_t *destination = result.bytes.data();
  forEachOffset(*this, [&](int64_t offset) {
    std::memcpy(destination, bytes.data() + offset * width, width);
    destination += width;
  });
  return result;
}

Array Array::convertTo(ElementType target) const {
  if (target == type)
    return toContiguous();
  if (!isFloat(type) || !isFloat(target))
    throw Error("cannot convert " + std::string(nameOf(type)) + " to " +
                std::string(nameOf(target)));
  Array result(target, extents);
  uint8_t *destination = result.bytes.data();
  size_t sourceWidth = byteWidth(type), targetWidth = byteWidth(target);
  forEachOffset(*this, [&](int64_t offset) {
    storeF32(target, loadAsF32(type, bytes.data() + offset * sourceWidth),
             destination);
    destination += targetWidth;
  });
  return result;
}
