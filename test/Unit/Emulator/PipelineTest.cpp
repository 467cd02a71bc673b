// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whole kernels of producers and consumers, whatever the timing.

#include "AsyncWorkTest.h"

#include <sstream>

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::HasSubstr;

namespace {

class PipelineTest : public AsyncWorkTest {
protected:
  static std::string inputFile(const std::string &name) {
    std::ifstream file(std::string(PBS_INPUTS) + "/" + name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  static std::string replaced(std::string text, const std::string &from,
                              const std::string &to) {
    size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos)
      text.replace(at, from.size(), to);
    return text;
  }

  /// A matrix of 16-bit words with rows of `pitch` words.
  struct Matrix {
    uint32_t width = 0, height = 0, pitch = 0;
    std::vector<uint16_t> words;
    DeviceAddress address = 0;
  };

  Matrix randomMatrix(uint32_t width, uint32_t height) {
    Matrix matrix;
    matrix.width = width;
    matrix.height = height;
    matrix.pitch = (width + 7) / 8 * 8 + 8 * uint32_t(random() % 3);
    matrix.words.resize(size_t(matrix.pitch) * height);
    for (uint16_t &word : matrix.words)
      word = uint16_t(random());
    matrix.address = upload(matrix.words);
    return matrix;
  }

  static TensorMapDescription describe(const Matrix &matrix, uint32_t boxWidth,
                                       uint32_t boxHeight, uint32_t swizzle) {
    TensorMapDescription map;
    map.elementBytes = 2;
    map.base = matrix.address;
    map.shape = {matrix.width, matrix.height};
    map.strides = {uint64_t(matrix.pitch) * 2};
    map.box = {boxWidth, boxHeight};
    map.swizzleBytes = swizzle;
    return map;
  }

  /// Runs \p text over a matrix of random size; the message, or what is wrong
  /// with the result.
  std::string copyMatrix(const std::string &text, uint32_t inSwizzle,
                         uint32_t outSwizzle) {
    uint32_t least =
        std::min(inSwizzle ? inSwizzle : 128, outSwizzle ? outSwizzle : 128);
    uint32_t tileWidth = least / 2;
    uint32_t tileHeight = 4096 / least >> random() % 3;
    tileHeight = std::max(tileHeight - uint32_t(random() % 3), 1u);
    Matrix in = randomMatrix(uint32_t(random() % 200) + 1,
                             uint32_t(random() % 150) + 1);
    Matrix out = randomMatrix(in.width, in.height);
    uint32_t tilesInRow = (in.width + tileWidth - 1) / tileWidth;
    uint32_t tilesInColumn = (in.height + tileHeight - 1) / tileHeight;
    auto mask = [](uint32_t swizzle) { return swizzle ? swizzle / 16 - 1 : 0; };
    Parameters parameters;
    parameters
        .add(device->encodeTensorMap(
            describe(in, tileWidth, tileHeight, inSwizzle)))
        .add(device->encodeTensorMap(
            describe(out, tileWidth, tileHeight, outSwizzle)))
        .add(tilesInRow)
        .add(tilesInRow * tilesInColumn)
        .add(tileWidth)
        .add(tileHeight)
        .add(tileWidth * tileHeight * 2)
        .add(mask(inSwizzle))
        .add(mask(outSwizzle));
    LaunchConfiguration configuration;
    configuration.block = {96, 1, 1};
    configuration.grid = {uint32_t(random() % 3) + 1, 1, 1};
    std::string message = errorOf([&] {
      auto module = device->loadModule(text, "pipeline.ptx");
      device->launch(*module, "pipeline", configuration, parameters.bytes);
    });
    if (message != "no error")
      return message;
    auto expected = out.words;
    for (uint32_t row = 0; row < in.height; ++row)
      std::copy_n(in.words.begin() + row * in.pitch, in.width,
                  expected.begin() + row * out.pitch);
    return download<uint16_t>(out.address, expected.size()) == expected
               ? "right"
               : "wrong";
  }
};

constexpr uint32_t swizzles[] = {0, 32, 64, 128};

} // namespace

TEST_F(PipelineTest, ringOfTensorCopies) {
  std::string text = inputFile("tma_pipeline.ptx");
  expectAssembles(text.substr(text.find(".visible")));
  forEachTiming(20, [&] {
    for (uint32_t inSwizzle : swizzles)
      for (uint32_t outSwizzle : swizzles)
        ASSERT_EQ(copyMatrix(text, inSwizzle, outSwizzle), "right")
            << inSwizzle << " to " << outSwizzle;
  });
}

// Each mistake that a GPU mostly forgives is seen by one timing at least.
TEST_F(PipelineTest, mistakesShow) {
  std::string text = inputFile("tma_pipeline.ptx");
  auto finds = [&](const std::string &from, const std::string &to) {
    std::string faulty = replaced(text, from, to);
    unsigned found = 0;
    forEachTiming(20, [&] { found += copyMatrix(faulty, 128, 64) != "right"; });
    return found;
  };
  EXPECT_GT(finds("  @!%p4 bra WAIT_FULL;\n", ""), 0u);
  EXPECT_GT(finds("  @%p4 bra IS_EMPTY;\n  bra WAIT_EMPTY;\n", ""), 0u);
  EXPECT_GT(finds("  @%p6 cp.async.bulk.wait_group.read 0;\n", ""), 0u);
  EXPECT_GT(finds("  fence.proxy.async.shared::cta;\n"
                  "  barrier.cta.sync.aligned 1, 64;\n",
                  ""),
            0u);
}

TEST_F(PipelineTest, lateWorkShowsTheMissingWaitAlways) {
  std::string text =
      replaced(inputFile("tma_pipeline.ptx"), "  @!%p4 bra WAIT_FULL;\n", "");
  for (unsigned round = 0; round < 20; ++round)
    EXPECT_NE(copyMatrix(text, 128, 128), "right") << seedText;
}

TEST_F(PipelineTest, wrongByteCountsEnd) {
  std::string text = inputFile("tma_pipeline.ptx");
  std::string more =
      replaced(text, "[%r22], %r5;\n  rem", "[%r22], 4096;\n  rem");
  Matrix in = randomMatrix(64, 8);
  Parameters parameters;
  TensorMap map = device->encodeTensorMap(describe(in, 64, 8, 128));
  parameters.add(map).add(map);
  for (uint32_t value : {1u, 1u, 64u, 8u, 1024u, 7u, 7u})
    parameters.add(value);
  LaunchConfiguration configuration;
  configuration.block = {96, 1, 1};
  EXPECT_THAT(
      errorOf([&] {
        auto module = device->loadModule(more, "pipeline.ptx");
        device->launch(*module, "pipeline", configuration, parameters.bytes);
      }),
      HasSubstr("thread (32,0,0): warp 1 waits at mbarrier 0x4000 phase 0 in "
                "line 103, warp 2 waits at"));
}

TEST_F(PipelineTest, multicastInAClusterOfTwo) {
  std::string text = inputFile("tma_multicast.ptx");
  expectAssembles(text.substr(text.find(".visible")));
  forEachTiming(20, [&] {
    uint32_t tiles = uint32_t(random() % 7) + 1;
    uint32_t rows = 16 * tiles - uint32_t(random() % 16);
    auto words = randomWords(size_t(rows) * 32);
    auto map = [&](DeviceAddress base, uint32_t boxRows, uint32_t swizzle) {
      TensorMapDescription description;
      description.elementBytes = 4;
      description.base = base;
      description.shape = {32, rows};
      description.strides = {128};
      description.box = {32, boxRows};
      description.swizzleBytes = swizzle;
      return device->encodeTensorMap(description);
    };
    std::array<DeviceAddress, 2> outs;
    Parameters parameters;
    parameters.add(map(upload(words), 8, 128));
    for (DeviceAddress &out : outs) {
      out = device->allocate(words.size() * 4);
      parameters.add(map(out, 16, 128));
    }
    parameters.add(tiles);
    LaunchConfiguration configuration;
    configuration.block = {64, 1, 1};
    configuration.grid = configuration.cluster = {2, 1, 1};
    auto module = device->loadModule(text, "multicast.ptx");
    ASSERT_EQ(errorOf([&] {
                device->launch(*module, "multicast", configuration,
                               parameters.bytes);
              }),
              "no error");
    for (uint32_t rank = 0; rank < 2; ++rank) {
      auto expected = words;
      for (uint32_t &word : expected)
        word += rank;
      ASSERT_EQ(download<uint32_t>(outs[rank], words.size()), expected);
    }
    // A tile is read once for both.
    EXPECT_EQ(device->launchStatistics().asyncCopyBytes, words.size() * 4);
    EXPECT_EQ(device->launchStatistics().globalStoreBytes, words.size() * 8);
  });
}
