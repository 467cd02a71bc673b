// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TestSupport.h"

#include "pbs/Runtime/ArrayFile.h"

#include <fstream>
#include <sstream>

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

constexpr ElementType allTypes[] = {ElementType::BF16, ElementType::F16,
                                    ElementType::F32,  ElementType::I32,
                                    ElementType::U16,  ElementType::Bool};

std::string readFile(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void writeFile(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string npy(const std::string &dictionary, size_t dataBytes,
                char major = 1) {
  std::string text = std::string("\x93NUMPY") + major + '\0';
  text += static_cast<char>(dictionary.size());
  text += '\0';
  if (major > 1)
    text += std::string(2, '\0');
  return text + dictionary + std::string(dataBytes, '\1');
}

std::string safetensors(const std::string &header, size_t dataBytes) {
  std::string text(8, '\0');
  for (int i = 0; i < 8; ++i)
    text[i] = static_cast<char>(header.size() >> (8 * i));
  return text + header + std::string(dataBytes, '\1');
}

Array parseNpy(const std::string &bytes) {
  std::istringstream stream(bytes);
  return readNpy(stream, "a.npy");
}

Array parseSafetensors(const std::string &bytes) {
  std::istringstream stream(bytes);
  return readSafetensors(stream, "x", "a.safetensors");
}

std::vector<int64_t> randomShape(std::mt19937_64 &generator) {
  std::vector<int64_t> shape(uniform(generator, 0, 4));
  for (int64_t &extent : shape)
    extent = uniform(generator, 0, 8) ? uniform(generator, 1, 5) : 0;
  return shape;
}

TEST(ArrayFile, RoundTripsRandomArrays) {
  std::mt19937_64 generator = freshGenerator();
  TemporaryFolder folder;
  for (int i = 0; i < 60; ++i)
    for (ElementType type : allTypes) {
      Array array = randomArray(generator, type, randomShape(generator));
      writeArray(folder / "a.npy", array);
      Array read = readArray(folder / "a.npy");
      Array expected =
          type == ElementType::BF16 ? array.convertTo(ElementType::F32) : array;
      EXPECT_EQ(read.elementType(), expected.elementType());
      EXPECT_EQ(read.shape(), array.shape());
      EXPECT_EQ(read.storage(), expected.storage());

      std::string name = "tensor " + std::to_string(generator() % 8);
      writeArray(folder / "a.safetensors:" + name, array);
      read = readArray(folder / "a.safetensors:" + name);
      EXPECT_EQ(read.elementType(), type);
      EXPECT_EQ(read.shape(), array.shape());
      EXPECT_EQ(read.storage(), array.storage());
    }
}

TEST(ArrayFile, WritesTheNpyFormat) {
  TemporaryFolder folder;
  writeArray(folder / "a.npy", Array(ElementType::U16, {3}));
  std::string bytes = readFile(folder / "a.npy");
  EXPECT_THAT(bytes, HasSubstr("{'descr': '<u2', 'fortran_order': False, "
                               "'shape': (3,), }"));
  EXPECT_EQ(bytes.size() % 64, 6u);
  EXPECT_EQ(bytes[bytes.size() - 7], '\n');
}

TEST(ArrayFile, ReadsEveryVersionAndOrder) {
  std::string c = "{'descr': '<u2', 'fortran_order': False, 'shape': (2, 3)}";
  std::string fortran =
      "{\"shape\": (2, 3,), 'fortran_order': True, 'descr': '<u2', }  \n";
  for (char major : {1, 2, 3}) {
    std::string bytes = npy(c, 0, major);
    std::string swapped = npy(fortran, 0, major);
    for (char i = 0; i < 6; ++i) {
      bytes += std::string({i, 0});
      swapped += std::string({i, 0});
    }
    Array array = parseNpy(bytes);
    Array transposed = parseNpy(swapped);
    EXPECT_TRUE(transposed.isContiguous());
    for (int row = 0; row < 2; ++row)
      for (int column = 0; column < 3; ++column) {
        EXPECT_EQ(array.data<uint16_t>()[row * 3 + column], row * 3 + column);
        EXPECT_EQ(transposed.data<uint16_t>()[row * 3 + column],
                  row + column * 2);
      }
  }
}

TEST(ArrayFile, NamesWhatIsWrongInNpy) {
  auto message = [](const std::string &bytes) {
    std::string text = messageOf([&] { parseNpy(bytes); });
    EXPECT_THAT(text, StartsWith("a.npy: "));
    return text;
  };
  auto header = [&](const std::string &descr, const std::string &shape) {
    return "{'descr': " + descr +
           ", 'fortran_order': False, 'shape': " + shape + "}";
  };
  EXPECT_THAT(message(""), HasSubstr("too short"));
  EXPECT_THAT(message("this is no such file"), HasSubstr("wrong magic"));
  EXPECT_THAT(message(npy("{}", 0, 4)), HasSubstr("version 4.0"));
  EXPECT_THAT(message(npy(header("'<f4'", "(2,)"), 4)),
              HasSubstr("shape (2) of f32 needs 8 bytes of data, the file has "
                        "4"));
  EXPECT_THAT(message(npy(header("'<f4'", "(2,)"), 9)),
              HasSubstr("the file has 9"));
  EXPECT_THAT(message(npy(header("'<i8'", "(1,)"), 8)),
              HasSubstr("element type '<i8' is not supported"));
  EXPECT_THAT(message(npy(header("'>f4'", "(1,)"), 4)),
              HasSubstr("element type '>f4' is not supported"));
  EXPECT_THAT(message(npy(header("[('a', '<f4')]", "(1,)"), 4)),
              HasSubstr("structured"));
  EXPECT_THAT(message(npy(header("'|b1'", "(2,)"), 0) + std::string{1, 2}),
              HasSubstr("element 1 of a bool array is the byte 2"));
  EXPECT_THAT(message(npy(header("'<f4'", "(4611686018427387904, 4)"), 0)),
              HasSubstr("too large"));
  EXPECT_THAT(message(npy(header("'<f4'", "(99999999999999999999,)"), 0)),
              HasSubstr("extent too large"));
  EXPECT_THAT(message(npy(header("'<f4'", "(1000000000000,)"), 0)),
              HasSubstr("needs 4000000000000 bytes"));
  EXPECT_THAT(message(npy(header("'<f4'", "(-1,)"), 0)),
              HasSubstr("expected an extent"));
  EXPECT_THAT(message(npy("{'descr': '<f4', 'shape': ()}", 4)),
              HasSubstr("must all be there"));
  EXPECT_THAT(message(npy("{'descr': '<f4', 'descr': '<f4'}", 4)),
              HasSubstr("'descr' stands twice"));
  EXPECT_THAT(message(npy("{'colour': '<f4'}", 4)),
              HasSubstr("unknown key 'colour'"));
  EXPECT_THAT(message(npy(header("'<f4'", "()") + "x", 4)),
              HasSubstr("text after"));
}

TEST(ArrayFile, NamesWhatIsWrongInSafetensors) {
  auto message = [](const std::string &header, size_t bytes) {
    std::string text =
        messageOf([&] { parseSafetensors(safetensors(header, bytes)); });
    EXPECT_THAT(text, StartsWith("a.safetensors: "));
    return text;
  };
  auto tensor = [](const std::string &name, const std::string &dtype,
                   const std::string &shape, const std::string &offsets) {
    return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
           ",\"data_offsets\":" + offsets + "}";
  };
  EXPECT_THAT(message("{", 0), HasSubstr("line 1, column 2"));
  EXPECT_THAT(message("[]", 0), HasSubstr("expected an object"));
  EXPECT_THAT(message("{" + tensor("y", "F32", "[1]", "[0,4]") + "}", 4),
              HasSubstr("no tensor 'x'; the file holds y"));
  EXPECT_THAT(message("{" + tensor("x", "F32", "[2]", "[0,4]") + "}", 4),
              HasSubstr("needs 8 bytes, the offsets span 4"));
  EXPECT_THAT(message("{" + tensor("x", "F32", "[1]", "[0,4]") + "}", 3),
              HasSubstr("offsets 0 to 4 do not lie in the 3 bytes"));
  EXPECT_THAT(message("{" + tensor("x", "F32", "[1]", "[0,4]") + "}", 5),
              HasSubstr("cover 4 bytes of data, the file has 5"));
  EXPECT_THAT(message("{" + tensor("x", "F32", "[1]", "[4,0]") + "}", 4),
              HasSubstr("do not lie"));
  EXPECT_THAT(message("{" + tensor("x", "F32", "[1]", "[-4,0]") + "}", 4),
              HasSubstr("expected an integer between 0"));
  EXPECT_THAT(message("{" + tensor("x", "I64", "[1]", "[0,8]") + "}", 8),
              HasSubstr("element type I64 is not supported"));
  EXPECT_THAT(
      message("{" +
                  tensor("x", "F32", "[4294967296,4294967296,4294967296]",
                         "[0,4]") +
                  "}",
              4),
      HasSubstr("too large"));
  EXPECT_THAT(message("{" + tensor("x", "F32", "[1]", "[0,4]") + "," +
                          tensor("y", "F32", "[1]", "[2,6]") + "}",
                      6),
              HasSubstr("tensors overlap"));
  EXPECT_THAT(message("{" + tensor("x", "F32", "[1]", "[0,4]") + "," +
                          tensor("y", "F32", "[1]", "[5,9]") + "}",
                      9),
              HasSubstr("hole"));
  EXPECT_THAT(message("{" + tensor("x", "F32", "[1]", "[0,4]") + "," +
                          tensor("x", "F32", "[1]", "[4,8]") + "}",
                      8),
              HasSubstr("\"x\" stands twice"));
  EXPECT_THAT(message("{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"size\":4,"
                      "\"data_offsets\":[0,4]}}",
                      4),
              HasSubstr("x: unknown key \"size\""));
  EXPECT_THAT(message(std::string(200, '['), 0), HasSubstr("deeper"));
  EXPECT_THAT(messageOf([] { parseSafetensors(std::string(8, '\xff')); }),
              HasSubstr("header is cut off"));
}

TEST(ArrayFile, KeepsTheOtherTensorsAndMetadata) {
  TemporaryFolder folder;
  std::string file = folder / "a.safetensors";
  writeFile(file,
            safetensors("{\"__metadata__\":{\"made\":\"by hand\"},\"old\":{"
                        "\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]"
                        "},\"x\":{\"dtype\":\"U16\",\"shape\":[1],"
                        "\"data_offsets\":[8,10]}}",
                        10));
  Array x(ElementType::BF16, {3, 1});
  Array y(ElementType::F32, {});
  writeArrays({{file + ":x", &x}, {file + ":y", &y}});
  EXPECT_EQ(readArray(file + ":x").shape(), x.shape());
  EXPECT_EQ(readArray(file + ":y").elementCount(), 1);
  std::string bytes = readFile(file);
  EXPECT_THAT(bytes, HasSubstr("\"made\":\"by hand\""));
  EXPECT_THAT(bytes, HasSubstr("\"old\""));
  EXPECT_THAT(bytes, HasSubstr(std::string(8, '\1')));
}

TEST(ArrayFile, NamesBadPlaces) {
  TemporaryFolder folder;
  Array array(ElementType::F32, {1});
  EXPECT_THAT(messageOf([] { checkPlace("a.txt"); }),
              HasSubstr("a.txt: neither FILE.npy nor FILE.safetensors:NAME"));
  EXPECT_THAT(messageOf([] { checkPlace("a.safetensors"); }),
              HasSubstr("which tensor?"));
  EXPECT_THAT(messageOf([&] { readArray(folder / "none.npy"); }),
              EndsWith("none.npy: cannot open: No such file or directory"));
  std::filesystem::create_directory(folder / "folder.npy");
  EXPECT_THAT(messageOf([&] { readArray(folder / "folder.npy"); }),
              HasSubstr("not a regular file"));
  EXPECT_THAT(messageOf([&] { writeArray(folder / "no/a.npy", array); }),
              HasSubstr("cannot write: No such file"));
  EXPECT_THAT(messageOf([&] {
                writeArrays(
                    {{folder / "a.npy", &array}, {folder / "a.npy", &array}});
              }),
              HasSubstr("named twice"));
}

TEST(ArrayFile, WritesAllOrNothing) {
  TemporaryFolder folder;
  Array array(ElementType::F32, {1});
  writeFile(folder / "z.safetensors", "not a safetensors file");
  messageOf([&] {
    writeArrays(
        {{folder / "a.npy", &array}, {folder / "z.safetensors:x", &array}});
  });
  EXPECT_FALSE(std::filesystem::exists(folder / "a.npy"));
  EXPECT_EQ(readFile(folder / "z.safetensors"), "not a safetensors file");
  size_t files =
      std::distance(std::filesystem::directory_iterator(folder.path()), {});
  EXPECT_EQ(files, 1u);
}

TEST(ArrayFile, SurvivesEveryTruncationAndFlippedBytes) {
  std::mt19937_64 generator = freshGenerator();
  TemporaryFolder folder;
  Array array = randomArray(generator, ElementType::U16, {3, 4});
  Array other = randomArray(generator, ElementType::Bool, {5});
  writeArray(folder / "a.npy", array);
  writeArrays({{folder / "a.safetensors:x", &array},
               {folder / "a.safetensors:y", &other}});
  auto check = [&](const std::string &bytes, auto parse) {
    auto parseIgnoring = [&](const std::string &text) {
      try {
        parse(text);
        return true;
      } catch (const Error &) {
        return false;
      }
    };
    ASSERT_TRUE(parseIgnoring(bytes));
    for (size_t length = 0; length < bytes.size(); ++length)
      EXPECT_FALSE(parseIgnoring(bytes.substr(0, length))) << length;
    for (int i = 0; i < 20000; ++i) {
      std::string damaged = bytes;
      for (int64_t flips = uniform(generator, 1, 3); flips > 0; --flips)
        damaged[uniform(generator, 0, bytes.size() - 1)] =
            static_cast<char>(generator());
      parseIgnoring(damaged);
    }
  };
  check(readFile(folder / "a.npy"), parseNpy);
  check(readFile(folder / "a.safetensors"), parseSafetensors);
}

} // namespace
