// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Data races in global memory: between threads, between CTAs, and flags.

#include "HazardTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class HazardGlobalTest : public HazardTest {
protected:
  void expectRace(const std::string &statements, const Expected &expected,
                  const Shape &shape = {}) {
    expectHazard({Kind::RaceGlobal}, statements, expected, shape);
  }

  /// CTA 0 writes a word and raises a flag; CTA 1 waits for that and reads.
  static std::string message(const std::string &release, const std::string &set,
                             const std::string &test,
                             const std::string &acquire) {
    return "setp.eq.u32 %p0, %r1, 0;\n"
           "@!%p7 bra END;\n"
           "@%p0 bra WRITE;\n"
           "SPIN: " +
           test +
           " %r10, [%rd4+128]; // MAY 0-0 of 1\n"
           "setp.eq.u32 %p1, %r10, 0;\n"
           "@%p1 bra SPIN;\n" +
           acquire +
           "\nld.global.u32 %r9, [%rd4]; // HERE 0-0 of 1\n"
           "bra END;\n"
           "WRITE: st.global.u32 [%rd4], 1234; // HERE 0-0 of 0\n" +
           release + "\n" + set +
           " [%rd4+128], 1; // MAY 0-0 of 0\n"
           "END:\n";
  }
};

} // namespace

TEST_F(HazardGlobalTest, threadsOfACta) {
  const std::string place = "mad.wide.u32 %rd8, %r0, 4, %rd4;\n"
                            "xor.b32 %r10, %r0, 32;\n"
                            "mad.wide.u32 %rd9, %r10, 4, %rd4;\n"
                            "add.u32 %r11, %r0, 5;\n";
  auto opposite = [](uint32_t thread) { return (thread ^ 32) + 5; };
  expectRace(place + "st.global.u32 [%rd8], %r11; // HERE\n"
                     "// FIX: bar.sync 0;\n"
                     "ld.global.u32 %r9, [%rd9]; // HERE\n",
             opposite);
  // A fence without an order is none, and one order of two needs no fence.
  expectRace(place + "st.global.u32 [%rd8], %r11; // HERE\n"
                     "membar.gl;\n"
                     "// FIX: bar.sync 0;\n"
                     "ld.u32 %r9, [%rd9]; // HERE\n",
             opposite);
  expectRace(place + "ld.global.u32 %r9, [%rd9]; // HERE\n"
                     "// FIX: bar.sync 0;\n"
                     "st.global.u32 [%rd8], %r11; // HERE\n",
             [](uint32_t) { return 0; });
  expectRace("st.global.u32 [%rd4], %r4; // BUG // HERE\n"
             "// FIX: @!%p6 st.global.u32 [%rd4], 1;\n"
             "bar.sync 0;\n"
             "ld.global.u32 %r9, [%rd4];\n",
             [](uint32_t) { return 1; });
}

TEST_F(HazardGlobalTest, lanesOfAWarp) {
  expectRace("mad.wide.u32 %rd8, %r0, 4, %rd4;\n"
             "xor.b32 %r10, %r0, 1;\n"
             "mad.wide.u32 %rd9, %r10, 4, %rd4;\n"
             "st.global.u32 [%rd8], %r0; // HERE\n"
             "// FIX: bar.warp.sync 0xFFFFFFFF;\n"
             "ld.global.u32 %r9, [%rd9]; // HERE\n",
             [](uint32_t thread) { return thread ^ 1; });
}

TEST_F(HazardGlobalTest, writesOfTwoCtas) {
  const Shape two = {64, 2, 1};
  expectRace(
      "@%p7 st.global.u32 [%rd4], %r1; // BUG // HERE\n"
      "// FIX: @%p7 red.global.add.u32 [%rd4], %r1;\n",
      [](uint32_t) { return 0; }, two);
  // The last thread of a CTA goes one word too far.
  expectRace(
      "mad.lo.u32 %r10, %r1, 64, %r0;\n"
      "mad.wide.u32 %rd8, %r10, 4, %rd4;\n"
      "setp.eq.u32 %p0, %r0, 63;\n"
      "st.global.u32 [%rd8], %r10; // HERE 0-0 of 1\n"
      "@%p0 st.global.u32 [%rd8+4], 0; // BUG // HERE 63-63 of 0\n"
      "ld.global.u32 %r9, [%rd8];\n",
      [](uint32_t index) { return index; }, two);
}

// CTA 1 reads what CTA 0 writes, and nothing orders them.
TEST_F(HazardGlobalTest, readOfAnotherCta) {
  expectRace("setp.eq.u32 %p0, %r1, 0;\n"
             "mad.wide.u32 %rd8, %r0, 4, %rd4;\n"
             "@%p0 st.global.u32 [%rd8], 3; // HERE 0-63 of 0\n"
             "@!%p0 ld.global.u32 %r9, [%rd8]; // BUG // HERE 0-63 of 1\n"
             "// FIX: @!%p0 ld.global.u32 %r9, [%rd8+2048];\n",
             [](uint32_t) { return 0; }, {64, 2, 1});
}

TEST_F(HazardGlobalTest, flagsThatOrder) {
  const Shape two = {32, 2, 1};
  auto silent = [&](const char *release, const char *set, const char *test,
                    const char *acquire) {
    expectSilent(
        message(release, set, test, acquire),
        [](uint32_t index) { return index == 32 ? 1234u : 0u; }, two);
  };
  const char *fence = "fence.acq_rel.gpu;";
  silent(fence, "st.relaxed.gpu.global.u32", "ld.relaxed.gpu.global.u32",
         fence);
  silent("fence.sc.gpu;", "st.relaxed.gpu.global.u32",
         "ld.relaxed.gpu.global.u32", fence);
  silent("", "st.release.gpu.global.u32", "ld.acquire.gpu.global.u32", "");
  silent("", "st.release.sys.global.u32", "ld.relaxed.gpu.global.u32", fence);
  silent("membar.gl;", "st.volatile.global.u32", "ld.volatile.global.u32",
         "membar.gl;");
  silent("membar.gl;", "red.global.add.u32", "ld.volatile.global.u32",
         "membar.sys;");
  silent("", "red.release.gpu.global.add.u32", "ld.acquire.gpu.global.u32", "");
  silent("", "atom.acq_rel.gpu.global.exch.b32 %r11,",
         "ld.acquire.gpu.global.u32", "");
}

TEST_F(HazardGlobalTest, flagsThatDoNot) {
  const Shape two = {32, 2, 1};
  auto races = [&](const char *release, const char *set, const char *test,
                   const char *acquire) {
    expectReported({Kind::RaceGlobal}, message(release, set, test, acquire),
                   two);
  };
  const char *fence = "fence.acq_rel.gpu;";
  const char *set = "st.relaxed.gpu.global.u32";
  const char *test = "ld.relaxed.gpu.global.u32";
  races("", set, test, "");
  races(fence, set, test, "");
  races("", set, test, fence);
  races("", "st.release.gpu.global.u32", test, "");
  races("", set, "ld.acquire.gpu.global.u32", "");
  races("", "st.volatile.global.u32", "ld.volatile.global.u32", "");
  races("", "red.global.add.u32", "ld.volatile.global.u32", "");
  // Only within a CTA.
  races("fence.acq_rel.cta;", set, test, "fence.acq_rel.cta;");
  races("membar.cta;", "st.volatile.global.u32", "ld.volatile.global.u32",
        "membar.cta;");
  races("", "st.release.cta.global.u32", "ld.acquire.cta.global.u32", "");
  // The flag itself is an ordinary word.
  races("membar.gl;", "st.global.u32", "ld.volatile.global.u32", "membar.gl;");
}

// Ordered by a third: CTA 0 tells CTA 1, which tells CTA 2.
TEST_F(HazardGlobalTest, flagsOneAfterTheOther) {
  expectRace("@!%p7 bra END;\n"
             "setp.eq.u32 %p0, %r1, 0;\n"
             "@%p0 bra FIRST;\n"
             "add.u32 %r10, %r1, 31;\n"
             "mad.wide.u32 %rd8, %r10, 4, %rd4;\n"
             "SPIN: ld.acquire.gpu.global.u32 %r11, [%rd8];\n"
             "setp.eq.u32 %p1, %r11, 0;\n"
             "@%p1 bra SPIN;\n"
             "setp.eq.u32 %p1, %r1, 2;\n"
             "@%p1 bra LAST;\n"
             "st.relaxed.gpu.global.u32 [%rd4+132], 1; // BUG\n"
             "// FIX: st.release.gpu.global.u32 [%rd4+132], 1;\n"
             "bra END;\n"
             "LAST: ld.global.u32 %r9, [%rd4]; // HERE 0-0 of 2\n"
             "bra END;\n"
             "FIRST: st.global.u32 [%rd4], 77; // HERE 0-0 of 0\n"
             "st.release.gpu.global.u32 [%rd4+128], 1;\n"
             "END:\n",
             [](uint32_t index) { return index == 64 ? 77 : 0; }, {32, 3, 1});
}

TEST_F(HazardGlobalTest, atomics) {
  const Shape two = {64, 2, 1};
  // Numbers that all CTAs draw, each of them once.
  expectSilent(
      "atom.global.add.u32 %r10, [%rd4], 1;\n"
      "mad.wide.u32 %rd8, %r10, 4, %rd4;\n"
      "atom.global.exch.b32 %r9, [%rd8+512], 1;\n",
      [](uint32_t) { return 0; }, two);
  // Scopes: what is atomic for each CTA is not for two.
  expectRace(
      "red.relaxed.cta.global.add.u32 [%rd4], 1; // BUG // HERE\n"
      "// FIX: red.relaxed.gpu.global.add.u32 [%rd4], 1;\n",
      [](uint32_t) { return 0; }, two);
  // Within one it is enough.
  expectSilent("red.relaxed.cta.global.add.u32 [%rd4], 1;\n"
               "bar.sync 0;\n"
               "ld.global.u32 %r9, [%rd4];\n",
               [](uint32_t) { return 64; });
  expectRace("red.global.add.u32 [%rd4], 1; // HERE\n"
             "// FIX: bar.sync 0;\n"
             "ld.global.u32 %r9, [%rd4]; // HERE\n",
             [](uint32_t) { return 64; });
}

// The last CTA to count adds up what all have left, through a chain of atomics.
TEST_F(HazardGlobalTest, lastCtaSums) {
  auto program = [](const char *release, const char *acquire) {
    return "@!%p7 bra END;\n"
           "mad.wide.u32 %rd8, %r1, 4, %rd4;\n"
           "add.u32 %r10, %r1, 10;\n"
           "st.global.u32 [%rd8], %r10; // HERE 0-0\n" +
           std::string(release) +
           "\natom.global.inc.u32 %r11, [%rd4+128], 3;\n"
           "setp.ne.u32 %p0, %r11, 3;\n"
           "@%p0 bra END;\n" +
           acquire +
           "\nld.global.v4.u32 {%r12, %r13, %r14, %r15}, [%rd4]; // HERE 0-0\n"
           "add.u32 %r12, %r12, %r13; add.u32 %r14, %r14, %r15;\n"
           "add.u32 %r12, %r12, %r14;\n"
           "st.global.u32 [%rd4+256], %r12;\n"
           "END:\n";
  };
  const Shape four = {32, 4, 1};
  expectSilent(
      program("membar.gl;", "membar.gl;"), [](uint32_t) { return 0; }, four);
  expectReported({Kind::RaceGlobal}, program("", "membar.gl;"), four);
  expectReported({Kind::RaceGlobal}, program("membar.gl;", ""), four);
  expectReported({Kind::RaceGlobal}, program("", ""), four);
}

// Launches are ordered, whatever they share.
TEST_F(HazardGlobalTest, launchesFollowEachOther) {
  EmulatorOptions options = late();
  options.checks = EmulatorOptions::Checks::All;
  device = createEmulator(options);
  DeviceAddress buffer = device->allocate(512);
  LaunchConfiguration configuration;
  configuration.block = {128, 1, 1};
  const std::string begin =
      ".visible .entry kernel(.param .u64 at) {\n"
      ".reg .b32 %r<4>; .reg .b64 %rd<4>;\n"
      "ld.param.u64 %rd0, [at]; mov.u32 %r0, %tid.x; xor.b32 %r2, %r0, 127;\n"
      "mad.wide.u32 %rd1, %r0, 4, %rd0; mad.wide.u32 %rd2, %r2, 4, %rd0;\n";
  auto launchWith = [&](const std::string &statements) {
    run(begin + statements + "ret;\n}\n", configuration,
        Parameters().add(buffer));
  };
  launchWith("st.global.u32 [%rd1], %r0;\n");
  launchWith("ld.global.u32 %r1, [%rd2];\n");
  launchWith("st.global.u32 [%rd2], %r0;\n");
  auto words = download<uint32_t>(buffer, 128);
  for (uint32_t index = 0; index < 128; ++index)
    EXPECT_EQ(words[index], 127 - index);
}

// Without checks nobody looks.
TEST_F(HazardGlobalTest, onlyWhenAskedFor) {
  std::string ptx = kernel("st.global.u32 [%rd4], %r0;\n"
                           "st.shared.u32 [tile], %r0;\n"
                           "ld.global.u32 %r9, [%rd3];\n",
                           {}, Prelude::Bare);
  DeviceAddress buffer = device->allocate(4096);
  TensorMap map = {};
  Parameters parameters;
  for (unsigned index = 0; index < 4; ++index)
    parameters.add(buffer);
  parameters.add(map).add(map);
  LaunchConfiguration configuration;
  configuration.block = {64, 1, 1};
  EXPECT_EQ(errorOf([&] { run(ptx, configuration, parameters); }), "no error");
}
