// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arrays in host memory, and the number formats their elements have.

#ifndef PBS_RUNTIME_ARRAY_H
#define PBS_RUNTIME_ARRAY_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pbs::runtime {

/// The element types of the plan format. Bool is one byte, 0 or 1.
enum class ElementType : uint8_t { BF16, F16, F32, I32, U16, Bool };

/// Bytes of one element.
size_t byteWidth(ElementType type);
/// The type's name in plans and messages: "bf16", "f16", "f32", "i32", "u16",
/// "bool".
std::string_view nameOf(ElementType type);
/// The inverse of nameOf; nothing for any other text.
std::optional<ElementType> parseElementType(std::string_view name);

/// Conversions between IEEE 754 binary32 and the 16-bit formats, given as bits.
/// Narrowing rounds to nearest, ties to even, and overflows to infinity. A NaN
/// stays a NaN of the same sign (quiet).
float bf16ToF32(uint16_t bits);
uint16_t f32ToBF16(float value);
float f16ToF32(uint16_t bits);
uint16_t f32ToF16(float value);

/// "(2, 3)".
std::string formatShape(const std::vector<int64_t> &shape);

/// The product of the extents, which must not be negative. Throws Error if it,
/// or the product of those that are not 0, times \p elementBytes exceeds
/// signed 64 bits.
int64_t countElements(const std::vector<int64_t> &shape,
                      size_t elementBytes = 1);

/// The row-major strides, in elements, of an array without gaps.
std::vector<int64_t> contiguousStrides(const std::vector<int64_t> &shape);

/// A strided array that owns its bytes.
class Array {
public:
  /// An empty f32 array of shape (0).
  Array();
  /// A row-major array of zeros.
  Array(ElementType type, std::vector<int64_t> shape);
  /// An array over \p storage, whose first byte is element (0, ..., 0).
  /// \p strides counts elements and has no negative member. Throws Error if an
  /// element lies outside the storage.
  Array(ElementType type, std::vector<int64_t> shape,
        std::vector<int64_t> strides, std::vector<uint8_t> storage);

  ElementType elementType() const { return type; }
  size_t rank() const { return extents.size(); }
  const std::vector<int64_t> &shape() const { return extents; }
  /// In elements.
  const std::vector<int64_t> &strides() const { return steps; }
  int64_t elementCount() const { return countElements(extents); }
  /// Whether the elements lie row-major without gaps.
  bool isContiguous() const;

  const std::vector<uint8_t> &storage() const { return bytes; }
  std::vector<uint8_t> &storage() { return bytes; }
  template <typename T> const T *data() const {
    return reinterpret_cast<const T *>(bytes.data());
  }
  template <typename T> T *data() {
    return reinterpret_cast<T *>(bytes.data());
  }

  /// The same elements, row-major without gaps.
  Array toContiguous() const;
  /// The same shape, contiguous, with each element rounded to \p target. Only
  /// between bf16, f16 and f32, or to the same type; throws Error otherwise.
  Array convertTo(ElementType target) const;

private:
  ElementType type;
  std::vector<int64_t> extents;
  std::vector<int64_t> steps;
  std::vector<uint8_t> bytes;
};

} // namespace pbs::runtime

#endif // PBS_RUNTIME_ARRAY_H
