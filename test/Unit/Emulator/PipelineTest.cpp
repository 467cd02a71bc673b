// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whole kernels of producers and consumers, whatever the timing.

#include "WholeKernelTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::HasSubstr;

namespace {

class PipelineTest : public WholeKernelTest {
protected:
  static std::string replaced(std::string text, const std::string &from,
                              const std::string &to) {
    size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos)
      text.replace(at, from.size(), to);
    return text;
  }
};

constexpr uint32_t swizzles[] = {0, 32, 64, 128};

} // namespace

TEST_F(PipelineTest, ringOfTensorCopies) {
  std::string text = inputFile("tma_pipeline.ptx");
  expectAssembles(text.substr(text.find(".visible")));
  forEachTiming(20, [&] {
    // Rows that are narrower than their swizzle would be padded.
    for (uint32_t inSwizzle : swizzles)
      for (uint32_t outSwizzle : swizzles)
        if (inSwizzle == outSwizzle || inSwizzle == 0 || outSwizzle == 0)
          ASSERT_EQ(copyMatrix(text, randomCopy(inSwizzle, outSwizzle)),
                    "right")
              << inSwizzle << " to " << outSwizzle;
  });
}

// Each mistake that a GPU mostly forgives is seen by one timing at least.
TEST_F(PipelineTest, mistakesShow) {
  std::string text = inputFile("tma_pipeline.ptx");
  auto finds = [&](const std::string &from, const std::string &to) {
    std::string faulty = replaced(text, from, to);
    unsigned found = 0;
    forEachTiming(20, [&] {
      found += copyMatrix(faulty, randomCopy(128, 128)) != "right";
    });
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
    EXPECT_NE(copyMatrix(text, randomCopy(128, 128)), "right") << seedText;
}

TEST_F(PipelineTest, wrongByteCountsEnd) {
  std::string more = replaced(inputFile("tma_pipeline.ptx"),
                              "[%r22], %r5;\n  rem", "[%r22], 4096;\n  rem");
  CopyCase one;
  one.width = 64;
  one.height = one.tileHeight = 8;
  one.inSwizzle = one.outSwizzle = 128;
  EXPECT_THAT(copyMatrix(more, one),
              HasSubstr("thread (32,0,0): warp 1 waits at mbarrier 0x4000 "
                        "phase 0 in line 103, "
                        "warp 2 waits at"));
}

TEST_F(PipelineTest, multicastInAClusterOfTwo) {
  std::string text = inputFile("tma_multicast.ptx");
  expectAssembles(text.substr(text.find(".visible")));
  forEachTiming(20, [&] {
    uint32_t rows = uint32_t(random() % 112) + 1;
    ASSERT_EQ(multicast(text, rows), "right");
    // A tile is read once for both.
    EXPECT_EQ(device->launchStatistics().asyncCopyBytes, rows * 128u);
    EXPECT_EQ(device->launchStatistics().globalStoreBytes, rows * 256u);
  });
}
