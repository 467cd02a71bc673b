// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "EmulatorTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class AsyncTest : public EmulatorTest {
protected:
  std::vector<uint32_t> input() {
    std::vector<uint32_t> values(256);
    for (uint32_t &value : values)
      value = uint32_t(random()) & 0x7FFFFFFF;
    return values;
  }

  /// Threads copy 16 bytes each by \p statements, then store four words from
  /// shared memory at %r1. %rd0 is the source, 16 bytes per thread.
  std::vector<uint32_t> copied(const std::vector<uint32_t> &values,
                               const std::string &statements) {
    DeviceAddress out = device->allocate(64 * 16);
    LaunchConfiguration configuration;
    configuration.block = {64, 1, 1};
    run(R"(.visible .entry kernel(.param .u64 in, .param .u64 out) {
      .shared .align 16 .b8 tile[2048];
      .reg .b32 %r<12>; .reg .b64 %rd<4>; .reg .pred %p<2>;
      ld.param.u64 %rd0, [in]; ld.param.u64 %rd1, [out];
      mov.u32 %r0, %tid.x;
      mad.wide.u32 %rd0, %r0, 16, %rd0; mad.wide.u32 %rd1, %r0, 16, %rd1;
      mov.u32 %r1, tile; mad.lo.u32 %r1, %r0, 16, %r1;
      st.shared.v4.u32 [%r1], {1, 2, 3, 4};
)" + statements +
            R"(
      ld.shared.v4.u32 {%r2, %r3, %r4, %r5}, [%r1];
      st.global.v4.u32 [%rd1], {%r2, %r3, %r4, %r5};
      ret;
    })",
        configuration, Parameters().add(upload(values)).add(out));
    return download<uint32_t>(out, 256);
  }
};

std::vector<uint32_t> untouched() {
  std::vector<uint32_t> values;
  for (uint32_t index = 0; index < 256; ++index)
    values.push_back(index % 4 + 1);
  return values;
}

} // namespace

// Neither with nor without the number of bytes is the hint taken for it.
TEST_F(AsyncTest, cacheHints) {
  auto values = input();
  for (const char *size : {"", ", 16"})
    EXPECT_EQ(copied(values,
                     "mov.u64 %rd3, 0x12F0000000000000;\n"
                     "cp.async.cg.shared.global.L2::cache_hint [%r1], [%rd0], "
                     "16" +
                         std::string(size) + ", %rd3;\ncp.async.wait_all;\n"),
              values)
        << seedText;
}

TEST_F(AsyncTest, waitingMakesCopiesVisible) {
  auto values = input();
  EXPECT_EQ(copied(values, "cp.async.cg.shared.global [%r1], [%rd0], 16;\n"
                           "cp.async.commit_group;\ncp.async.wait_group 0;\n"),
            values)
      << seedText;
  EXPECT_EQ(copied(values, "cp.async.ca.shared.global [%r1], [%rd0], 8;\n"
                           "cp.async.ca.shared.global [%r1+8], [%rd0+8], 4;\n"
                           "cp.async.ca.shared.global [%r1+12], [%rd0+12], 4;\n"
                           "cp.async.wait_all;\n"),
            values)
      << seedText;
}

TEST_F(AsyncTest, nothingIsVisibleBeforeTheWait) {
  auto values = input();
  EXPECT_EQ(copied(values, "cp.async.cg.shared.global [%r1], [%rd0], 16;\n"
                           "cp.async.commit_group;\nbar.sync 0;\n"),
            untouched());
  // One group may still be in flight: it is the one.
  EXPECT_EQ(copied(values, "cp.async.cg.shared.global [%r1], [%rd0], 16;\n"
                           "cp.async.commit_group;\ncp.async.wait_group 1;\n"),
            untouched());
  // Not committed, so no group that a wait_group waits for.
  EXPECT_EQ(copied(values, "cp.async.cg.shared.global [%r1], [%rd0], 16;\n"
                           "cp.async.wait_group 0;\n"),
            untouched());
}

TEST_F(AsyncTest, earlyCopiesAreVisibleAtOnce) {
  EmulatorOptions options;
  options.hostThreads = 1;
  options.asyncCopies = EmulatorOptions::AsyncCopies::Early;
  device = createEmulator(options);
  auto values = input();
  EXPECT_EQ(copied(values, "cp.async.cg.shared.global [%r1], [%rd0], 16;\n"),
            values);
}

TEST_F(AsyncTest, olderGroupsComeFirst) {
  auto values = input();
  // Both groups write the same place; the second one is waited for later.
  const std::string both = "cp.async.cg.shared.global [%r1], [%rd0], 16;\n"
                           "cp.async.commit_group;\n"
                           "cp.async.ca.shared.global [%r1], [%rd0+4], 4;\n"
                           "cp.async.commit_group;\n";
  EXPECT_EQ(copied(values, both + "cp.async.wait_group 1;\n"), values);
  auto results = copied(values, both + "cp.async.wait_group 0;\n");
  for (size_t index = 0; index < 256; ++index)
    EXPECT_EQ(results[index], values[index % 4 == 0 ? index + 1 : index])
        << seedText;
}

TEST_F(AsyncTest, missingSourceBytesAreZero) {
  auto values = input();
  auto results =
      copied(values, "and.b32 %r6, %r0, 3;\nshl.b32 %r6, %r6, 2;\n"
                     "cp.async.cg.shared.global [%r1], [%rd0], 16, %r6;\n"
                     "cp.async.wait_all;\n");
  for (size_t index = 0; index < 256; ++index)
    EXPECT_EQ(results[index], index % 4 < index / 4 % 4 ? values[index] : 0)
        << seedText;
  // No byte is read: the source may be anywhere.
  results = copied(values, "mov.u32 %r6, 0;\nmov.u64 %rd0, 64;\n"
                           "cp.async.ca.shared.global [%r1], [%rd0], 16, %r6;\n"
                           "cp.async.wait_all;\n");
  EXPECT_EQ(results, std::vector<uint32_t>(256, 0));
  results = copied(values, "setp.lt.u32 %p0, %r0, 10;\n"
                           "cp.async.cg.shared.global [%r1], [%rd0], 16, %p0;\n"
                           "cp.async.wait_all;\n");
  for (size_t index = 0; index < 256; ++index)
    EXPECT_EQ(results[index], index / 4 < 10 ? 0 : values[index]) << seedText;
}

TEST_F(AsyncTest, threadsHaveGroupsOfTheirOwn) {
  auto values = input();
  // Threads below 16 commit once more, so their copy is the older group.
  auto results = copied(values, "cp.async.cg.shared.global [%r1], [%rd0], 16;\n"
                                "cp.async.commit_group;\n"
                                "setp.lt.u32 %p0, %r0, 16;\n"
                                "@%p0 cp.async.commit_group;\n"
                                "cp.async.wait_group 1;\n");
  auto without = untouched();
  for (size_t index = 0; index < 256; ++index)
    EXPECT_EQ(results[index], index / 4 < 16 ? values[index] : without[index]);
}
