// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs the kernels of Inputs, which are written as one would for a GPU. Each
// run gives the message of its launch, or else "right" or "wrong".

#ifndef PBS_TEST_WHOLEKERNELTEST_H
#define PBS_TEST_WHOLEKERNELTEST_H

#include "AsyncWorkTest.h"
#include "WarpgroupTest.h"

#include <sstream>

namespace pbs::runtime::test {

class WholeKernelTest : public AsyncWorkTest {
protected:
  static std::string inputFile(const std::string &name) {
    std::ifstream file(std::string(PBS_INPUTS) + "/" + name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  /// Rows of 16-bit words, with words between them that belong to nobody.
  struct Rows {
    uint32_t count = 0, length = 0, pitch = 0;
    std::vector<uint16_t> words;
    DeviceAddress address = 0;

    TensorMapDescription describe(uint32_t boxLength, uint32_t boxCount,
                                  uint32_t swizzle) const {
      TensorMapDescription map;
      map.elementBytes = 2;
      map.format = TensorMapDescription::Format::BFloat;
      map.base = address;
      map.shape = {length, count};
      map.strides = {uint64_t(pitch) * 2};
      map.box = {boxLength, boxCount};
      map.swizzleBytes = swizzle;
      return map;
    }
  };

  /// Random bits in all words; \p values, if any, in the rows.
  Rows makeRows(uint32_t count, uint32_t length,
                const std::vector<float> &values = {}) {
    Rows rows;
    rows.count = count;
    rows.length = length;
    rows.pitch = (length + 7) / 8 * 8 + 8 * uint32_t(random() % 3);
    rows.words.resize(size_t(count) * rows.pitch);
    for (uint16_t &word : rows.words)
      word = uint16_t(random());
    for (size_t index = 0; index < values.size(); ++index)
      rows.words[index / length * rows.pitch + index % length] =
          toBFloatBits(values[index]);
    rows.address = upload(rows.words);
    return rows;
  }

  /// Small enough that every sum is exact in f32, in any order.
  std::vector<float> randomIntegers(size_t count) {
    std::vector<float> values(count);
    for (float &value : values)
      value = float(int(random() % 33) - 16);
    return values;
  }

  /// What tma_pipeline.ptx copies, and how.
  struct CopyCase {
    uint32_t width = 1, height = 1;
    uint32_t tileHeight = 1;
    uint32_t inSwizzle = 0, outSwizzle = 0;
    uint32_t ctas = 1;

    uint32_t tileWidth() const {
      return std::min(inSwizzle ? inSwizzle : 128,
                      outSwizzle ? outSwizzle : 128) /
             2;
    }
  };

  /// Sizes by chance.
  CopyCase randomCopy(uint32_t inSwizzle, uint32_t outSwizzle) {
    CopyCase copy;
    copy.inSwizzle = inSwizzle;
    copy.outSwizzle = outSwizzle;
    uint32_t tileHeight = 2048 / copy.tileWidth() >> random() % 3;
    copy.tileHeight = std::max(tileHeight - uint32_t(random() % 3), 1u);
    copy.width = uint32_t(random() % 200) + 1;
    copy.height = uint32_t(random() % 150) + 1;
    copy.ctas = uint32_t(random() % 3) + 1;
    return copy;
  }

  std::string copyMatrix(const std::string &text, const CopyCase &copy) {
    uint32_t tileWidth = copy.tileWidth(), tileHeight = copy.tileHeight;
    Rows in = makeRows(copy.height, copy.width);
    Rows out = makeRows(copy.height, copy.width);
    uint32_t tilesInRow = (copy.width + tileWidth - 1) / tileWidth;
    uint32_t tilesInColumn = (copy.height + tileHeight - 1) / tileHeight;
    auto mask = [](uint32_t swizzle) { return swizzle ? swizzle / 16 - 1 : 0; };
    auto map = [&](const Rows &rows, uint32_t swizzle) {
      return device->encodeTensorMap(
          rows.describe(tileWidth, tileHeight, swizzle));
    };
    Parameters parameters;
    parameters.add(map(in, copy.inSwizzle))
        .add(map(out, copy.outSwizzle))
        .add(tilesInRow)
        .add(tilesInRow * tilesInColumn)
        .add(tileWidth)
        .add(tileHeight)
        .add(tileWidth * tileHeight * 2)
        .add(mask(copy.inSwizzle))
        .add(mask(copy.outSwizzle));
    LaunchConfiguration configuration;
    configuration.block = {96, 1, 1};
    configuration.grid = {copy.ctas, 1, 1};
    std::string message = launch(text, "pipeline", configuration, parameters);
    if (message != "no error")
      return message;
    auto expected = out.words;
    for (uint32_t row = 0; row < copy.height; ++row) {
      std::copy_n(in.words.begin() + row * in.pitch, copy.width,
                  expected.begin() + row * out.pitch);
      clearPiece(expected, out, row);
    }
    return download<uint16_t>(out.address, expected.size()) == expected
               ? "right"
               : "wrong";
  }

  /// Stores write whole pieces of 16 bytes at the ends of rows; here they hold
  /// what loads filled with zeros.
  static void clearPiece(std::vector<uint16_t> &words, const Rows &rows,
                         uint32_t row) {
    for (uint32_t column = rows.length; column % 8 != 0; ++column)
      words[size_t(row) * rows.pitch + column] = 0;
  }

  /// Of tma_multicast.ptx, with so many rows of 32 words.
  std::string multicast(const std::string &text, uint32_t rows) {
    auto words = randomWords(size_t(rows) * 32);
    auto map = [&](DeviceAddress base, uint32_t boxRows) {
      TensorMapDescription description;
      description.elementBytes = 4;
      description.base = base;
      description.shape = {32, rows};
      description.strides = {128};
      description.box = {32, boxRows};
      description.swizzleBytes = 128;
      return device->encodeTensorMap(description);
    };
    std::array<DeviceAddress, 2> outs;
    Parameters parameters;
    parameters.add(map(upload(words), 8));
    for (DeviceAddress &out : outs) {
      out = device->allocate(words.size() * 4);
      parameters.add(map(out, 16));
    }
    parameters.add((rows + 15) / 16);
    LaunchConfiguration configuration;
    configuration.block = {64, 1, 1};
    configuration.grid = configuration.cluster = {2, 1, 1};
    std::string message = launch(text, "multicast", configuration, parameters);
    if (message != "no error")
      return message;
    for (uint32_t rank = 0; rank < 2; ++rank) {
      auto expected = words;
      for (uint32_t &word : expected)
        word += rank;
      if (download<uint32_t>(outs[rank], words.size()) != expected)
        return "wrong";
    }
    return "right";
  }

  /// Of tma_wgmma_product.ptx; C is M by N.
  std::string multiply(const std::string &text, uint32_t m, uint32_t n,
                       uint32_t k) {
    auto left = randomIntegers(size_t(m) * k);
    auto right = randomIntegers(size_t(n) * k);
    Rows a = makeRows(m, k, left);
    Rows b = makeRows(n, k, right);
    Rows c = makeRows(m, n);
    Parameters parameters;
    parameters.add(device->encodeTensorMap(a.describe(64, 128, 128)))
        .add(device->encodeTensorMap(b.describe(64, 128, 128)))
        .add(device->encodeTensorMap(c.describe(64, 64, 128)))
        .add(k);
    LaunchConfiguration configuration;
    configuration.block = {384, 1, 1};
    configuration.grid = {(n + 127) / 128, (m + 127) / 128, 1};
    configuration.dynamicSharedBytes = 131120;
    std::string message = launch(text, "product", configuration, parameters);
    if (message != "no error")
      return message;
    // What is between the rows stays.
    std::vector<uint16_t> expected = c.words;
    for (uint32_t row = 0; row < m; ++row) {
      clearPiece(expected, c, row);
      for (uint32_t column = 0; column < n; ++column) {
        float sum = 0;
        for (uint32_t index = 0; index < k; ++index)
          sum +=
              left[size_t(row) * k + index] * right[size_t(column) * k + index];
        expected[size_t(row) * c.pitch + column] = toBFloatBits(sum);
      }
    }
    return download<uint16_t>(c.address, expected.size()) == expected ? "right"
                                                                      : "wrong";
  }

  /// Of wgmma-product.ptx.
  std::string multiplyTiles(const std::string &text) {
    constexpr unsigned size = 128, depth = 64;
    std::vector<uint16_t> a(size * depth), columns(size * depth),
        rows(size * depth);
    auto left = randomIntegers(size * depth);
    auto right = randomIntegers(depth * size);
    for (unsigned index = 0; index < size * depth; ++index) {
      a[index] = toBFloatBits(left[index]);
      rows[index] = toBFloatBits(right[index]);
      columns[index % size * depth + index / size] = rows[index];
    }
    std::vector<float> expected(size * size);
    for (unsigned row = 0; row < size; ++row)
      for (unsigned column = 0; column < size; ++column)
        for (unsigned k = 0; k < depth; ++k)
          expected[row * size + column] +=
              left[row * depth + k] * right[k * size + column];
    DeviceAddress fromMemory = device->allocate(expected.size() * 4);
    DeviceAddress fromRegisters = device->allocate(expected.size() * 4);
    LaunchConfiguration configuration;
    configuration.block = {256, 1, 1};
    Parameters parameters;
    parameters.add(upload(a)).add(upload(columns)).add(upload(rows));
    parameters.add(fromMemory).add(fromRegisters);
    std::string message = launch(text, "product", configuration, parameters);
    if (message != "no error")
      return message;
    for (DeviceAddress result : {fromMemory, fromRegisters})
      if (download<float>(result, expected.size()) != expected)
        return "wrong";
    return "right";
  }

  /// The message of a launch of a whole module.
  std::string launch(const std::string &text, const std::string &kernel,
                     const LaunchConfiguration &configuration,
                     const Parameters &parameters) {
    return errorOf([&] {
      auto module = device->loadModule(text, kernel + ".ptx");
      device->launch(*module, kernel, configuration, parameters.bytes);
    });
  }
};

} // namespace pbs::runtime::test

#endif // PBS_TEST_WHOLEKERNELTEST_H
