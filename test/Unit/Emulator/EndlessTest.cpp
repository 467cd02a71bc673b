// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels that come to no end: the limit of steps, and being stopped.

#include "EmulatorTest.h"

#include <thread>

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::AllOf;
using testing::HasSubstr;

namespace {

class EndlessTest : public EmulatorTest {
protected:
  void useDevice(uint64_t maxSteps, bool checks = false, unsigned threads = 1) {
    EmulatorOptions options;
    options.hostThreads = threads;
    options.maxSteps = maxSteps;
    if (checks)
      options.checks = EmulatorOptions::Checks::All;
    device = createEmulator(options);
  }

  /// What running \p body in \p grid CTAs of \p block threads says; the body
  /// begins in line 8 and has the thread in %r0, the CTA in %r1.
  std::string runBody(const std::string &body, uint32_t grid = 1,
                      uint32_t block = 64) {
    LaunchConfiguration configuration;
    configuration.grid = {grid, 1, 1};
    configuration.block = {block, 1, 1};
    return errorOf([&] {
      run(".global .u32 flag, other; .visible .entry kernel() {\n"
          ".shared .align 8 .b64 bar; .reg .b32 %r<8>; .reg .b64 %rd<8>;\n"
          ".reg .pred %p<4>;\n"
          "mov.u32 %r0, %tid.x; mov.u32 %r1, %ctaid.x;\n" +
              body + "\nret;\n}\n",
          configuration, Parameters());
    });
  }

  /// More than the warps execute before the next one gets its turn.
  static constexpr uint64_t steps = 300000;

  static std::string noEnd(unsigned line, const std::string &places,
                           const std::string &thread = "(0,0,0)") {
    return "test.ptx:" + std::to_string(line) +
           ": kernel 'kernel': CTA (0,0,0) thread " + thread +
           ": no end within " + std::to_string(steps) + " steps: " + places;
  }
};

} // namespace

TEST_F(EndlessTest, theMessageSaysWhereEveryWarpIs) {
  for (bool checks : {false, true}) {
    useDevice(steps, checks);
    EXPECT_EQ(runBody("LOOP:\nbra LOOP;"),
              noEnd(9, "warp 0 runs in line 9, warp 1 runs in line 9"));
    // A warp waits, another runs.
    EXPECT_EQ(runBody("setp.lt.u32 %p0, %r0, 32;\n@%p0 bra WAIT;\n"
                      "LOOP:\nbra LOOP;\nWAIT:\nbar.sync 1;"),
              noEnd(13, "warp 0 waits at barrier 1 in line 13, "
                        "warp 1 runs in line 11"));
    // One that has ended is not named.
    EXPECT_EQ(runBody("setp.lt.u32 %p0, %r0, 32;\n@%p0 bra END;\n"
                      "LOOP:\nbra LOOP;\nEND:"),
              noEnd(11, "warp 1 runs in line 11", "(32,0,0)"));
  }
}

TEST_F(EndlessTest, pollsAndMeetingsAreSteps) {
  for (bool checks : {false, true}) {
    useDevice(steps, checks);
    // Memory that only a CTA behind this one would write.
    EXPECT_THAT(runBody("setp.ne.u32 %p0, %r1, 0;\n@%p0 bra WRITE;\nSPIN:\n"
                        "ld.volatile.global.u32 %r2, [flag];\n"
                        "setp.eq.u32 %p1, %r2, 0;\n@%p1 bra SPIN;\nret;\n"
                        "WRITE:\nst.volatile.global.u32 [flag], 1;",
                        2),
                HasSubstr("CTA (0,0,0) thread (0,0,0): no end within 300000 "
                          "steps: warp 0 runs in line 1"));
    EXPECT_THAT(runBody("LOOP:\nbar.sync 0;\nbra LOOP;"),
                HasSubstr("no end within 300000 steps: "));
    // A warp waits at an mbarrier while the other changes something for ever.
    EXPECT_THAT(
        runBody("setp.ne.u32 %p0, %r0, 0;\n"
                "@!%p0 mbarrier.init.shared.b64 [bar], 1;\nbar.sync 0;\n"
                "setp.ge.u32 %p1, %r0, 32;\n@%p1 bra LOOP;\nWAIT:\n"
                "mbarrier.try_wait.parity.shared.b64 %p2, [bar], 0;\n"
                "@!%p2 bra WAIT;\nret;\nLOOP:\nbra LOOP;"),
        AllOf(HasSubstr("no end within 300000 steps: warp 0 waits at mbarrier "
                        "0x0 phase 0 in line 14, warp 1 runs in line 18")));
  }
}

TEST_F(EndlessTest, theLimitIsExact) {
  // The first launch counts the steps of the second.
  std::string additions;
  for (uint64_t count = random() % 50; count > 0; --count)
    additions += "add.u32 %r2, %r0, %r1;\n";
  ASSERT_EQ(runBody(additions), "no error");
  uint64_t needed = device->launchStatistics().warpInstructions;
  useDevice(needed);
  EXPECT_EQ(runBody(additions), "no error") << seedText;
  useDevice(needed - 1);
  EXPECT_THAT(runBody(additions),
              HasSubstr("no end within " + std::to_string(needed - 1)))
      << seedText;
  // Each CTA has as many.
  useDevice(needed);
  EXPECT_EQ(runBody(additions, 5), "no error") << seedText;
}

// CTA 0 waits in vain for CTA 1, whose fault is the cause.
TEST_F(EndlessTest, aFaultSaysMoreThanWhatItLeavesWaiting) {
  useDevice(1 << 25, false, 2);
  EXPECT_THAT(runBody("setp.ne.u32 %p0, %r1, 0;\n@%p0 trap;\nSPIN:\n"
                      "ld.volatile.global.u32 %r2, [flag];\n"
                      "setp.eq.u32 %p1, %r2, 0;\n@%p1 bra SPIN;",
                      2),
              HasSubstr("CTA (1,0,0) thread (0,0,0): trap was executed"));
}

TEST_F(EndlessTest, aLaunchIsStoppedFromAnotherThread) {
  for (bool checks : {false, true}) {
    useDevice(0, checks, 2);
    std::string message;
    ErrorKind kind = ErrorKind::Invalid;
    std::thread launching([&] {
      try {
        run(".visible .entry kernel() { LOOP: bra LOOP; }", {}, Parameters());
      } catch (const Error &error) {
        message = error.what();
        kind = error.kind();
      }
    });
    device->stop();
    launching.join();
    EXPECT_EQ(message, "test.ptx: kernel 'kernel': stopped on request");
    EXPECT_EQ(kind, ErrorKind::Stopped);
    // Until resume().
    EXPECT_EQ(runBody(""), "test.ptx: kernel 'kernel': stopped on request");
    device->resume();
    EXPECT_EQ(runBody(""), "no error");
  }
}
