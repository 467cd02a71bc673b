// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// safetensors, "Format": an unsigned little-endian 64-bit length, a JSON object
// of that many bytes that maps each tensor to dtype, shape and data_offsets,
// then the data, entirely covered by tensors that do not overlap.

#include "ArrayFormats.h"
#include "Json.h"
#include "pbs/Runtime/ArrayFile.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/HostMemory.h"

#include <algorithm>

using namespace pbs::runtime;

namespace {

// The limit that the format's own library sets.
constexpr uint64_t maximumHeaderBytes = 100'000'000;
constexpr size_t maximumRank = 32;
constexpr const char *metadataKey = "__metadata__";

struct StoredTensor {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;
};

struct Contents {
  Json metadata;
  /// In the order of their data.
  std::vector<StoredTensor> tensors;
  /// Offset of the data in the file.
  uint64_t dataStart = 0;
};

/// Bytes of an element; 0 for a type this reader does not know.
size_t widthOf(const std::string &dtype) {
  static constexpr std::pair<const char *, size_t> widths[] = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
      {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
      {"U32", 4},  {"F32", 4}, {"I64", 8}, {"U64", 8},     {"F64", 8}};
  for (const auto &[name, width] : widths)
    if (dtype == name)
      return width;
  return 0;
}

constexpr std::pair<const char *, ElementType> elementTypes[] = {
    {"BF16", ElementType::BF16}, {"F16", ElementType::F16},
    {"F32", ElementType::F32},   {"I32", ElementType::I32},
    {"U16", ElementType::U16},   {"BOOL", ElementType::Bool}};

StoredTensor parseTensor(const std::string &tensorName, JsonObject object,
                         uint64_t dataBytes) {
  StoredTensor tensor;
  tensor.name = tensorName;
  tensor.dtype = object.at("dtype").string();
  JsonValue shape = object.at("shape"), offsets = object.at("data_offsets");
  object.finish();
  if (shape.size() > maximumRank)
    shape.fail("more than " + std::to_string(maximumRank) + " dimensions");
  for (size_t i = 0; i < shape.size(); ++i)
    tensor.shape.push_back(shape.element(i).integer(0, INT64_MAX));
  if (offsets.size() != 2)
    offsets.failExpected("two offsets");
  tensor.begin = offsets.element(0).integer(0, INT64_MAX);
  tensor.end = offsets.element(1).integer(0, INT64_MAX);
  if (tensor.begin > tensor.end || tensor.end > dataBytes)
    offsets.fail("offsets " + std::to_string(tensor.begin) + " to " +
                 std::to_string(tensor.end) + " do not lie in the " +
                 std::to_string(dataBytes) + " bytes of data");
  if (size_t width = widthOf(tensor.dtype)) {
    uint64_t expected = 0;
    try {
      expected = countElements(tensor.shape, width) * width;
    } catch (const Error &error) {
      shape.fail(error.what());
    }
    if (tensor.end - tensor.begin != expected)
      offsets.fail("shape " + formatShape(tensor.shape) + " of " +
                   tensor.dtype + " needs " + std::to_string(expected) +
                   " bytes, the offsets span " +
                   std::to_string(tensor.end - tensor.begin));
  }
  return tensor;
}

Contents parseContents(std::istream &stream, const std::string &name) {
  uint64_t size = sizeOf(stream, name);
  if (size < 8)
    throw Error(name + ": too short for a safetensors file (" +
                std::to_string(size) + " bytes)");
  uint8_t length[8];
  readBytes(stream, length, 8, name);
  uint64_t headerBytes = 0;
  for (int i = 0; i < 8; ++i)
    headerBytes |= static_cast<uint64_t>(length[i]) << (8 * i);
  if (headerBytes > size - 8)
    throw Error(name + ": the safetensors header is cut off (or this is no "
                       "safetensors file)");
  if (headerBytes > maximumHeaderBytes)
    throw Error(name + ": the safetensors header is longer than " +
                std::to_string(maximumHeaderBytes) + " bytes");
  std::string text(headerBytes, '\0');
  readBytes(stream, text.data(), headerBytes, name);

  Contents contents;
  contents.dataStart = 8 + headerBytes;
  Json header = parseJson(text, name + ": header");
  JsonObject object(JsonValue(header, name + ": header"));
  for (const auto &item : header.items()) {
    JsonValue value = object.at(item.key());
    if (item.key() == metadataKey) {
      if (!value.json().is_object())
        value.failExpected("an object");
      contents.metadata = value.json();
      continue;
    }
    contents.tensors.push_back(
        parseTensor(item.key(), JsonObject(value), size - contents.dataStart));
  }
  std::sort(contents.tensors.begin(), contents.tensors.end(),
            [](const StoredTensor &a, const StoredTensor &b) {
              return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
            });
  uint64_t covered = 0;
  for (const StoredTensor &tensor : contents.tensors) {
    if (tensor.begin != covered)
      throw Error(name + ": tensor '" + tensor.name + "' starts at byte " +
                  std::to_string(tensor.begin) + " of the data, expected " +
                  std::to_string(covered) +
                  (tensor.begin < covered ? " (tensors overlap)"
                                          : " (a hole in the data)"));
    covered = tensor.end;
  }
  if (covered != size - contents.dataStart)
    throw Error(name + ": the tensors cover " + std::to_string(covered) +
                " bytes of data, the file has " +
                std::to_string(size - contents.dataStart));
  return contents;
}

} // namespace

Array pbs::runtime::readSafetensors(std::istream &stream,
                                    const std::string &tensorName,
                                    const std::string &name) {
  Contents contents = parseContents(stream, name);
  auto found = std::find_if(
      contents.tensors.begin(), contents.tensors.end(),
      [&](const StoredTensor &tensor) { return tensor.name == tensorName; });
  if (found == contents.tensors.end()) {
    std::string names;
    for (const StoredTensor &tensor : contents.tensors)
      if (names.size() < 200)
        names += (names.empty() ? "" : ", ") + tensor.name;
    throw Error(name + ": no tensor '" + tensorName + "'; the file holds " +
                (names.empty() ? "none" : names));
  }
  for (const auto &[dtype, type] : elementTypes) {
    if (found->dtype != dtype)
      continue;
    checkHostMemory(name + ": tensor '" + tensorName + "'",
                    found->end - found->begin);
    std::vector<uint8_t> storage(found->end - found->begin);
    stream.seekg(
        static_cast<std::streamoff>(contents.dataStart + found->begin));
    readBytes(stream, storage.data(), storage.size(), name);
    Array array(type, found->shape, contiguousStrides(found->shape),
                std::move(storage));
    checkBools(array, name + ": tensor '" + tensorName + "'");
    return array;
  }
  throw Error(name + ": tensor '" + tensorName + "': element type " +
              found->dtype +
              " is not supported (BF16, F16, F32, I32, U16 and BOOL are)");
}

void pbs::runtime::writeSafetensors(
    std::ostream &stream, std::istream *existing,
    const std::vector<std::pair<std::string, const Array *>> &arrays,
    const std::string &name) {
  // A tensor of the new file: from `arrays` or, without one, from `existing`.
  struct Item {
    StoredTensor tensor;
    const Array *array = nullptr;
  };
  std::vector<Item> items;
  Contents contents;
  if (existing)
    contents = parseContents(*existing, name);
  for (const StoredTensor &tensor : contents.tensors)
    if (std::none_of(arrays.begin(), arrays.end(), [&](const auto &array) {
          return array.first == tensor.name;
        }))
      items.push_back({tensor, nullptr});
  for (const auto &[tensorName, array] : arrays) {
    if (tensorName.empty() || tensorName == metadataKey)
      throw Error(name + ": a tensor cannot be named '" + tensorName + "'");
    StoredTensor tensor;
    tensor.name = tensorName;
    for (const auto &[dtype, type] : elementTypes)
      if (type == array->elementType())
        tensor.dtype = dtype;
    tensor.shape = array->shape();
    tensor.end = array->elementCount() * byteWidth(array->elementType());
    items.push_back({tensor, array});
  }
  // Wide types first, so that every tensor is aligned to its own type.
  std::sort(items.begin(), items.end(), [](const Item &a, const Item &b) {
    size_t widthA = widthOf(a.tensor.dtype), widthB = widthOf(b.tensor.dtype);
    return widthA != widthB ? widthA > widthB : a.tensor.name < b.tensor.name;
  });

  Json header = Json::object();
  if (!contents.metadata.is_null())
    header[metadataKey] = contents.metadata;
  uint64_t offset = 0;
  for (const Item &item : items) {
    uint64_t bytes = item.tensor.end - item.tensor.begin;
    header[item.tensor.name] = {{"dtype", item.tensor.dtype},
                                {"shape", item.tensor.shape},
                                {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception &) {
    throw Error(name + ": a tensor's name is not UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  for (int i = 0; i < 8; ++i)
    stream.put(static_cast<char>(text.size() >> (8 * i)));
  stream.write(text.data(), static_cast<std::streamsize>(text.size()));
  for (const Item &item : items) {
    uint64_t bytes = item.tensor.end - item.tensor.begin;
    if (item.array) {
      Array array = item.array->toContiguous();
      stream.write(array.data<char>(), static_cast<std::streamsize>(bytes));
      continue;
    }
    existing->seekg(
        static_cast<std::streamoff>(contents.dataStart + item.tensor.begin));
    std::vector<char> buffer(std::min<uint64_t>(bytes, 1 << 20));
    for (uint64_t left = bytes; left > 0;) {
      uint64_t part = std::min<uint64_t>(left, buffer.size());
      readBytes(*existing, buffer.data(), part, name);
      stream.write(buffer.data(), static_cast<std::streamsize>(part));
      left -= part;
    }
  }
}
