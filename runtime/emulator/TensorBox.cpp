// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TensorBox.h"

#include "pbs/Runtime/Error.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace pbs::runtime::emulator {

namespace {

constexpr uint64_t maximumExtent = uint64_t(1) << 32;
constexpr uint64_t maximumStride = uint64_t(1) << 40;

/// The 128 bytes of a map. Box extents are kept less one.
struct Encoding {
  char magic[8];
  uint64_t base;
  uint64_t shape[maximumRank];
  uint64_t strides[maximumRank - 1];
  uint8_t box[maximumRank];
  uint8_t rank;
  uint8_t type;
  uint8_t swizzleBytes;
  uint8_t unused[32];
};
static_assert(sizeof(Encoding) == sizeof(TensorMap));

constexpr char magic[8] = {'P', 'B', 'S', ' ', 'm', 'a', 'p', '1'};

/// None for what does not exist.
Type elementType(uint32_t bytes, TensorMapDescription::Format format) {
  using Format = TensorMapDescription::Format;
  switch (format) {
  case Format::Unsigned:
    return bytes == 1   ? Type::U8
           : bytes == 2 ? Type::U16
           : bytes == 4 ? Type::U32
           : bytes == 8 ? Type::U64
                        : Type::None;
  case Format::Signed:
    return bytes == 4 ? Type::S32 : bytes == 8 ? Type::S64 : Type::None;
  case Format::Float:
    return bytes == 2   ? Type::F16
           : bytes == 4 ? Type::F32
           : bytes == 8 ? Type::F64
                        : Type::None;
  case Format::BFloat:
    return bytes == 2 ? Type::BF16 : Type::None;
  }
  return Type::None;
}

} // namespace

TensorMap encodeTensorMap(const TensorMapDescription &description) {
  auto fail = [](const std::string &message) {
    throw Error("tensor map: " + message);
  };
  size_t rank = description.shape.size();
  if (rank < 1 || rank > maximumRank)
    fail("rank " + std::to_string(rank) + " is outside 1 to 5");
  if (description.strides.size() != rank - 1 || description.box.size() != rank)
    fail("rank " + std::to_string(rank) + " does not go with " +
         std::to_string(description.strides.size()) + " strides and " +
         std::to_string(description.box.size()) + " box extents");
  Type type = elementType(description.elementBytes, description.format);
  if (type == Type::None)
    fail("elements of " + std::to_string(description.elementBytes) +
         " bytes do not exist in this format");
  uint32_t swizzle = description.swizzleBytes;
  if (swizzle != 0 && swizzle != 32 && swizzle != 64 && swizzle != 128)
    fail("swizzle of " + std::to_string(swizzle) +
         " bytes is none of 0, 32, 64, 128");
  if (description.base % 16 != 0)
    fail("the base address is not aligned to 16 bytes");
  for (uint64_t extent : description.shape)
    if (extent == 0 || extent > maximumExtent)
      fail("extent " + std::to_string(extent) + " is outside 1 to 2^32");
  for (uint64_t stride : description.strides) {
    if (stride % 16 != 0)
      fail("stride " + std::to_string(stride) + " is no multiple of 16");
    if (stride >= maximumStride)
      fail("stride " + std::to_string(stride) + " is not below 2^40");
  }
  for (uint32_t extent : description.box)
    if (extent == 0 || extent > 256)
      fail("box extent " + std::to_string(extent) + " is outside 1 to 256");
  uint64_t inner = uint64_t(description.box[0]) * description.elementBytes;
  if (inner % 16 != 0)
    fail("the box's inner " + std::to_string(inner) +
         " bytes are no multiple of 16");
  if (swizzle != 0 && inner > swizzle)
    fail("the box's inner " + std::to_string(inner) +
         " bytes are more than the swizzle's " + std::to_string(swizzle));

  Encoding encoding = {};
  std::memcpy(encoding.magic, magic, sizeof(magic));
  encoding.base = description.base;
  std::copy(description.shape.begin(), description.shape.end(), encoding.shape);
  std::copy(description.strides.begin(), description.strides.end(),
            encoding.strides);
  for (size_t dimension = 0; dimension < rank; ++dimension)
    encoding.box[dimension] = uint8_t(description.box[dimension] - 1);
  encoding.rank = uint8_t(rank);
  encoding.type = uint8_t(type);
  encoding.swizzleBytes = uint8_t(swizzle);
  TensorMap map;
  std::memcpy(map.bytes.data(), &encoding, sizeof(encoding));
  return map;
}

std::optional<TensorLayout> decodeTensorMap(const uint8_t *bytes) {
  Encoding encoding;
  std::memcpy(&encoding, bytes, sizeof(encoding));
  // Whoever keeps the magic but changes the rest must do no harm either.
  unsigned elementBytes =
      encoding.type <= uint8_t(Type::TF32) ? byteWidth(Type(encoding.type)) : 0;
  uint32_t inner = (encoding.box[0] + 1u) * elementBytes;
  uint32_t swizzle = encoding.swizzleBytes;
  if (std::memcmp(encoding.magic, magic, sizeof(magic)) != 0 ||
      encoding.rank < 1 || encoding.rank > maximumRank || elementBytes == 0 ||
      inner % 16 != 0 || encoding.base % 16 != 0 ||
      (swizzle & (swizzle - 1)) != 0 || swizzle == 16 || swizzle % 16 != 0 ||
      (swizzle != 0 && inner > swizzle))
    return std::nullopt;
  TensorLayout layout;
  layout.rank = encoding.rank;
  layout.type = Type(encoding.type);
  layout.base = encoding.base;
  layout.swizzleBytes = encoding.swizzleBytes;
  layout.strides[0] = elementBytes;
  for (unsigned dimension = 0; dimension < layout.rank; ++dimension) {
    layout.shape[dimension] = encoding.shape[dimension];
    layout.box[dimension] = encoding.box[dimension] + 1u;
    if (dimension > 0)
      layout.strides[dimension] = encoding.strides[dimension - 1];
    if (layout.shape[dimension] == 0 ||
        layout.shape[dimension] > maximumExtent ||
        layout.strides[dimension] >= maximumStride ||
        (dimension > 0 && layout.strides[dimension] % 16 != 0))
      return std::nullopt;
  }
  return layout;
}

int64_t TensorBox::highest(unsigned dimension) const {
  return std::min<int64_t>(layout.box[dimension],
                           int64_t(layout.shape[dimension]) -
                               start[dimension]) -
         1;
}

uint64_t TensorBox::bytes() const {
  uint64_t size = elementBytes();
  for (unsigned dimension = 0; dimension < layout.rank; ++dimension)
    size *= layout.box[dimension];
  return size;
}

uint64_t TensorBox::insideBytes() const {
  uint64_t size = elementBytes();
  for (unsigned dimension = 0; dimension < layout.rank; ++dimension)
    size *= uint64_t(
        std::max<int64_t>(0, highest(dimension) - lowest(dimension) + 1));
  return size;
}

void TensorBox::resolve(const GlobalMemory &memory, unsigned lane,
                        const char *verb) {
  allocation = nullptr;
  // Seen on an H200, which takes anything else for an illegal instruction.
  if (use != Use::Prefetch && start[0] * int64_t(elementBytes()) % 16 != 0)
    throw Fault{lane,
                std::string(verb) + " a box whose first coordinate, " +
                    std::to_string(start[0]) + ", is " +
                    std::to_string(start[0] * int64_t(elementBytes())) +
                    " bytes, which is no multiple of 16",
                HazardKind::Misaligned};
  for (unsigned dimension = 0; dimension < layout.rank; ++dimension)
    if (use == Use::Store && start[dimension] < 0)
      throw Fault{lane,
                  std::string(verb) + " a box with the negative coordinate " +
                      std::to_string(start[dimension]) +
                      ", which only loads may have",
                  HazardKind::OutOfBounds};
  if (insideBytes() == 0)
    return;
  DeviceAddress first = layout.base;
  uint64_t length = elementBytes();
  for (unsigned dimension = 0; dimension < layout.rank; ++dimension) {
    uint64_t stride = layout.strides[dimension];
    first += uint64_t(lowest(dimension) + start[dimension]) * stride;
    length += uint64_t(highest(dimension) - lowest(dimension)) * stride;
  }
  // Rows begin at multiples of 16 bytes, and so do the boxes of stores.
  if (use == Use::Store)
    length = (length + 15) / 16 * 16;
  allocation = memory.find(first);
  if (allocation && allocation->contains(first, length))
    return;
  char text[128];
  std::snprintf(text, sizeof(text),
                "%s a box of %llu bytes from 0x%llx on, which is %s", verb,
                (unsigned long long)length, (unsigned long long)first,
                allocation ? "beyond the end of an allocation"
                           : "outside every allocation");
  throw Fault{lane, text, HazardKind::OutOfBounds};
}

} // namespace pbs::runtime::emulator
