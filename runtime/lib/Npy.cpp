// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// numpy.lib.format: "\x93NUMPY", version, header length, a Python dictionary
// literal, data. Version 1 counts the header in 2 bytes, 2 and 3 in 4.

#include "ArrayFormats.h"
#include "pbs/Runtime/ArrayFile.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/HostMemory.h"

#include <cstring>
#include <limits>

using namespace pbs::runtime;

// The stored bytes are used as they are.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "array files are read and written on little-endian machines");

namespace {

constexpr char magic[] = "\x93NUMPY";
constexpr size_t magicBytes = 6;
// NumPy's own limit on the rank.
constexpr size_t maximumRank = 32;

/// What the dictionary says.
struct Header {
  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> shape;
};

/// Reads the dictionary literal: the three keys in any order, each once.
class HeaderParser {
public:
  HeaderParser(std::string_view text, const std::string &name)
      : text(text), name(name) {}

  Header parse() {
    Header header;
    bool seenDescr = false, seenOrder = false, seenShape = false;
    auto once = [&](bool &seen, const std::string &key) {
      if (seen)
        fail("key '" + key + "' stands twice");
      seen = true;
    };
    expect('{');
    while (!accept('}')) {
      std::string key = parseString();
      expect(':');
      if (key == "descr") {
        once(seenDescr, key);
        if (peek() == '[')
          fail("structured element types are not supported");
        header.descr = parseString();
      } else if (key == "fortran_order") {
        once(seenOrder, key);
        header.fortranOrder = parseBool();
      } else if (key == "shape") {
        once(seenShape, key);
        header.shape = parseShape();
      } else {
        fail("unknown key '" + key + "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (peek() != '\0')
      fail("text after the dictionary");
    if (!seenDescr || !seenOrder || !seenShape)
      fail("keys descr, fortran_order and shape must all be there");
    return header;
  }

private:
  [[noreturn]] void fail(const std::string &message) const {
    throw Error(name + ": .npy header, byte " + std::to_string(position) +
                ": " + message);
  }

  /// The next character that is no white space; 0 at the end.
  char peek() {
    while (position < text.size() &&
           std::strchr(" \t\r\n", text[position]) != nullptr &&
           text[position] != '\0')
      ++position;
    return position < text.size() ? text[position] : '\0';
  }

  bool accept(char character) {
    if (peek() != character)
      return false;
    ++position;
    return true;
  }

  void expect(char character) {
    if (!accept(character))
      fail(std::string("expected '") + character + "'");
  }

  std::string parseString() {
    char quote = peek();
    if (quote != '\'' && quote != '"')
      fail("expected a string");
    size_t end = text.find(quote, position + 1);
    if (end == std::string_view::npos)
      fail("a string without end");
    std::string value(text.substr(position + 1, end - position - 1));
    for (char character : value)
      if (character < ' ' || character > '~' || character == '\\')
        fail("a string with an unexpected character");
    position = end + 1;
    return value;
  }

  bool parseBool() {
    peek();
    for (bool value : {false, true}) {
      std::string_view word = value ? "True" : "False";
      if (text.substr(position, word.size()) == word) {
        position += word.size();
        return value;
      }
    }
    fail("expected True or False");
  }

  int64_t parseInteger() {
    if (peek() < '0' || peek() > '9')
      fail("expected an extent");
    int64_t value = 0;
    for (; position < text.size() && text[position] >= '0' &&
           text[position] <= '9';
         ++position)
      if (__builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, text[position] - '0', &value))
        fail("extent too large");
    return value;
  }

  std::vector<int64_t> parseShape() {
    std::vector<int64_t> shape;
    expect('(');
    while (!accept(')')) {
      if (shape.size() == maximumRank)
        fail("more than " + std::to_string(maximumRank) + " dimensions");
      shape.push_back(parseInteger());
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }

  std::string_view text;
  const std::string &name;
  size_t position = 0;
};

ElementType typeOf(const std::string &descr, const std::string &name) {
  static constexpr std::pair<const char *, ElementType> types[] = {
      {"<f4", ElementType::F32},
      {"<f2", ElementType::F16},
      {"<i4", ElementType::I32},
      {"<u2", ElementType::U16},
      {"|b1", ElementType::Bool}};
  for (const auto &[text, type] : types)
    if (descr == text)
      return type;
  throw Error(name + ": element type '" + descr +
              "' is not supported (little-endian float32 '<f4', float16 "
              "'<f2', int32 '<i4', uint16 '<u2' and bool '|b1' are)");
}

std::string descrOf(ElementType type) {
  switch (type) {
  case ElementType::F32:
    return "<f4";
  case ElementType::F16:
    return "<f2";
  case ElementType::I32:
    return "<i4";
  case ElementType::U16:
    return "<u2";
  case ElementType::Bool:
    return "|b1";
  case ElementType::BF16:
    break;
  }
  throw Error("the .npy format has no bf16");
}

} // namespace

Array pbs::runtime::readNpy(std::istream &stream, const std::string &name) {
  uint64_t size = sizeOf(stream, name);
  uint8_t prefix[12] = {};
  if (size < 10)
    throw Error(name + ": too short for a .npy file (" + std::to_string(size) +
                " bytes)");
  readBytes(stream, prefix, 8, name);
  if (std::memcmp(prefix, magic, magicBytes) != 0)
    throw Error(name + ": not a .npy file (wrong magic string)");
  unsigned major = prefix[6], minor = prefix[7];
  if (major < 1 || major > 3 || minor != 0)
    throw Error(name + ": .npy version " + std::to_string(major) + "." +
                std::to_string(minor) + " is not supported");
  size_t lengthBytes = major == 1 ? 2 : 4;
  uint64_t dataStart = 8 + lengthBytes, headerBytes = 0;
  if (size < dataStart)
    throw Error(name + ": the .npy header is cut off");
  readBytes(stream, prefix + 8, lengthBytes, name);
  for (size_t i = 0; i < lengthBytes; ++i)
    headerBytes |= static_cast<uint64_t>(prefix[8 + i]) << (8 * i);
  if (headerBytes > size - dataStart)
    throw Error(name + ": the .npy header is cut off");
  dataStart += headerBytes;

  std::string text(headerBytes, '\0');
  readBytes(stream, text.data(), headerBytes, name);
  Header header = HeaderParser(text, name).parse();
  ElementType type = typeOf(header.descr, name);

  std::vector<int64_t> shape = header.shape;
  int64_t count = 0;
  try {
    count = countElements(shape, byteWidth(type));
  } catch (const Error &error) {
    throw Error(name + ": " + error.what());
  }
  uint64_t expected = static_cast<uint64_t>(count) * byteWidth(type);
  if (size - dataStart != expected)
    throw Error(name + ": shape " + formatShape(shape) + " of " +
                std::string(nameOf(type)) + " needs " +
                std::to_string(expected) + " bytes of data, the file has " +
                std::to_string(size - dataStart));

  checkHostMemory(name, expected);
  std::vector<uint8_t> storage(expected);
  readBytes(stream, storage.data(), expected, name);
  std::vector<int64_t> strides = contiguousStrides(shape);
  if (header.fortranOrder) {
    strides = contiguousStrides({shape.rbegin(), shape.rend()});
    strides = {strides.rbegin(), strides.rend()};
  }
  Array array(type, std::move(shape), std::move(strides), std::move(storage));
  if (!array.isContiguous())
    array = array.toContiguous();
  checkBools(array, name);
  return array;
}

void pbs::runtime::writeNpy(std::ostream &stream, const Array &array) {
  if (array.elementType() == ElementType::BF16)
    return writeNpy(stream, array.convertTo(ElementType::F32));
  if (!array.isContiguous())
    return writeNpy(stream, array.toContiguous());
  std::string header = "{'descr': '" + descrOf(array.elementType()) +
                       "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < array.rank(); ++i)
    header += (i ? ", " : "") + std::to_string(array.shape()[i]);
  header += array.rank() == 1 ? ",), }" : "), }";
  // The data starts at a multiple of 64 bytes; the header ends in a newline.
  size_t prefix = magicBytes + 4;
  header += std::string(63 - (prefix + header.size()) % 64, ' ') + '\n';
  if (header.size() > std::numeric_limits<uint16_t>::max())
    throw Error("the shape is too long for a .npy header");
  stream.write(magic, magicBytes);
  stream.put(1).put(0);
  stream.put(static_cast<char>(header.size() & 255));
  stream.put(static_cast<char>(header.size() >> 8));
  stream.write(header.data(), static_cast<std::streamsize>(header.size()));
  stream.write(array.data<char>(),
               static_cast<std::streamsize>(array.elementCount() *
                                            byteWidth(array.elementType())));
}
