// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hazards of single accesses: memory that nobody wrote, addresses that are
// wrong. Divergence, deadlocks, and more than a multiprocessor has.

#include "HazardTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::HasSubstr;

namespace {

class HazardMemoryTest : public HazardTest {
protected:
  void expectUninitialised(const std::string &statements,
                           const Expected &expected, const Shape &shape = {}) {
    expectHazard({Kind::Uninitialised}, statements, expected, shape,
                 Prelude::Bare);
  }

  /// The message of a launch of a whole kernel "kernel" without parameters.
  std::string launchOf(const std::string &text, uint32_t threads,
                       uint64_t dynamicSharedBytes = 0) {
    EmulatorOptions options = late();
    options.checks = EmulatorOptions::Checks::All;
    device = createEmulator(options);
    LaunchConfiguration configuration;
    configuration.block = {threads, 1, 1};
    configuration.dynamicSharedBytes = dynamicSharedBytes;
    expectAssembles(text);
    return errorOf([&] { run(text, configuration, {}); });
  }

  /// A warpgroup for each of \p counts, which sets its registers so.
  static std::string registers(const std::string &maximum,
                               const std::vector<int> &counts) {
    std::string text = ".visible .entry kernel() .reqntid " +
                       std::to_string(128 * counts.size()) + " " + maximum +
                       " {\n.reg .b32 %r<4>; .reg .pred %p<4>;\n"
                       "mov.u32 %r0, %tid.x; shr.u32 %r0, %r0, 7;\n";
    for (size_t group = 0; group < counts.size(); ++group) {
      std::string number = std::to_string(group);
      text += "setp.ne.u32 %p0, %r0, " + number + ";\n@%p0 bra AFTER" + number +
              ";\nsetmaxnreg." + (counts[group] < 0 ? "dec" : "inc") +
              ".sync.aligned.u32 " + std::to_string(std::abs(counts[group])) +
              ";\nAFTER" + number + ":\n";
    }
    return text + "ret;\n}\n";
  }
};

uint32_t zero(uint32_t) { return 0; }

} // namespace

TEST_F(HazardMemoryTest, uninitialisedSharedMemory) {
  expectUninitialised("// FIX: st.shared.u32 [%r2], 4;\n"
                      "ld.shared.u32 %r9, [%r2]; // HERE\n",
                      [](uint32_t) { return 4; });
  // A byte of four, the last word of four, of one thread.
  expectUninitialised("st.shared.u16 [%r2], 4; st.shared.u8 [%r2+3], 0;\n"
                      "// FIX: st.shared.u8 [%r2+2], 1;\n"
                      "ld.shared.u32 %r9, [%r2]; // HERE\n",
                      [](uint32_t) { return 0x10004; });
  expectUninitialised("mad.lo.u32 %r10, %r0, 16, %r7;\n"
                      "st.shared.v2.u32 [%r10], {1, 2};\n"
                      "st.shared.u32 [%r10+8], 3;\n"
                      "setp.ne.u32 %p0, %r0, 45; // BUG\n"
                      "@%p0 st.shared.u32 [%r10+12], 4; // BUG\n"
                      "// FIX: st.shared.u32 [%r10+12], 4;\n"
                      "ld.shared.v4.u32 {%r11, %r12, %r13, %r9}, [%r10]; "
                      "// HERE 45-45\n",
                      [](uint32_t) { return 4; });
  // An atomic operation reads as well.
  expectUninitialised("// FIX: @%p7 st.shared.u32 [tile], 0;\n"
                      "bar.sync 0;\n"
                      "atom.shared.add.u32 %r10, [tile], 1; // HERE\n"
                      "bar.sync 0;\n"
                      "ld.shared.u32 %r9, [tile]; // MAY\n",
                      [](uint32_t) { return 64; });
  expectUninitialised("// FIX: st.shared.u32 [%r2], %r0;\n"
                      "bar.sync 0;\n"
                      "and.b32 %r10, %r0, 7; mad.lo.u32 %r10, %r10, 16, %r7;\n"
                      "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r9}, [%r10]; "
                      "// HERE\n",
                      [](uint32_t thread) { return thread % 32; });
}

// Every CTA begins with memory of its own, also behind another one.
TEST_F(HazardMemoryTest, sharedMemoryOfTheCtaBefore) {
  expectUninitialised("setp.eq.u32 %p0, %r1, 0; // BUG\n"
                      "@%p0 st.shared.u32 [%r2], 4; // BUG\n"
                      "// FIX: st.shared.u32 [%r2], 4;\n"
                      "ld.shared.u32 %r9, [%r2]; // HERE 0-63\n",
                      [](uint32_t) { return 4; }, {64, 3, 1});
}

TEST_F(HazardMemoryTest, uninitialisedGlobalMemory) {
  const std::string place = "mad.wide.u32 %rd8, %r0, 4, %rd3;\n";
  expectUninitialised(place + "// FIX: st.global.u32 [%rd8], 6;\n"
                              "ld.global.u32 %r9, [%rd8]; // HERE\n",
                      [](uint32_t) { return 6; });
  expectUninitialised(place +
                          "st.global.u8 [%rd8], 6; st.global.u8 [%rd8+1], 0;\n"
                          "// FIX: st.global.u16 [%rd8+2], 1;\n"
                          "ld.u32 %r9, [%rd8]; // HERE\n",
                      [](uint32_t) { return 0x10006; });
  expectUninitialised("// FIX: @%p7 st.global.u32 [%rd3], 0;\n"
                      "bar.sync 0;\n"
                      "red.global.add.u32 [%rd3], 1; // HERE\n"
                      "bar.sync 0;\n"
                      "ld.global.u32 %r9, [%rd3]; // MAY\n",
                      [](uint32_t) { return 64; });
  // By a copy: there or where what it brought is read.
  expectUninitialised(place +
                          "// FIX: st.global.u32 [%rd8], 6;\n"
                          "cp.async.ca.shared.global [%r2], [%rd8], 4; // MAY\n"
                          "cp.async.wait_all;\n"
                          "ld.shared.u32 %r9, [%r2]; // MAY\n",
                      [](uint32_t) { return 6; });
  expectUninitialised(
      place +
          "@%p7 mbarrier.init.shared.b64 [bar], 1;\n"
          "// FIX: st.global.u32 [%rd8], 6;\n"
          "fence.proxy.async;\n"
          "bar.sync 0;\n"
          "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 256;\n"
          "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
          "bytes [tile], [%rd3], 256, [bar]; // MAY\n"
          "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], 0;\n"
          "@!%p0 bra WAIT;\n"
          "ld.shared.u32 %r9, [%r2]; // MAY\n",
      [](uint32_t) { return 6; });
}

// What the host fills and copies has been written.
TEST_F(HazardMemoryTest, theHostWrites) {
  EmulatorOptions options = late();
  options.checks = EmulatorOptions::Checks::All;
  device = createEmulator(options);
  DeviceAddress buffer = device->allocate(64);
  LaunchConfiguration configuration;
  configuration.block = {16, 1, 1};
  const std::string text =
      ".visible .entry kernel(.param .u64 at) {\n"
      ".reg .b32 %r<4>; .reg .b64 %rd<4>;\n"
      "ld.param.u64 %rd0, [at]; mov.u32 %r0, %tid.x;\n"
      "mad.wide.u32 %rd1, %r0, 4, %rd0; ld.global.u32 %r1, [%rd1];\nret;\n}\n";
  auto message = [&] {
    return errorOf([&] { run(text, configuration, Parameters().add(buffer)); });
  };
  EXPECT_THAT(message(), HasSubstr("hazard: uninitialised: test.ptx:7:"));
  device->fill(buffer, 0, 32);
  EXPECT_THAT(message(), HasSubstr("thread (8,0,0)"));
  uint32_t words[8] = {};
  device->copyToDevice(buffer + 32, words, 32);
  EXPECT_EQ(message(), "no error");
  // Another allocation in the same place has not been written.
  device->deallocate(buffer);
  buffer = device->allocate(64);
  EXPECT_THAT(message(), HasSubstr("hazard: uninitialised: test.ptx:7:"));
}

TEST_F(HazardMemoryTest, outOfBounds) {
  auto outside = [&](const std::string &statements) {
    expectHazard({Kind::OutOfBounds}, statements, zero);
  };
  outside("mad.wide.u32 %rd8, %r0, 64, %rd4; // BUG\n"
          "// FIX: mad.wide.u32 %rd8, %r0, 32, %rd4;\n"
          "ld.global.u32 %r9, [%rd8+64]; // HERE 63-63\n");
  outside("mov.u64 %rd9, 64; // BUG\n"
          "// FIX: mov.u64 %rd9, %rd4;\n"
          "@%p7 st.global.u32 [%rd9], 0; // HERE 0-0\n");
  outside("mad.lo.u32 %r10, %r0, 64, %r7; // BUG\n"
          "// FIX: mad.lo.u32 %r10, %r0, 32, %r7;\n"
          "ld.shared.u32 %r11, [%r10+72]; // HERE 63-63\n");
  outside("mov.u32 %r10, 0; mov.u32 %r11, 0;\n"
          "mov.u32 %r12, 1024; // BUG\n"
          "// FIX: mov.u32 %r12, 16;\n"
          "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], %r12;\n"
          "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
          "bytes [tile], [%rd0+4080], %r12, [bar]; // HERE 0-0\n"
          "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], 0;\n"
          "@!%p0 bra WAIT;\n");
}

TEST_F(HazardMemoryTest, misaligned) {
  auto misaligned = [&](const std::string &statements) {
    expectHazard({Kind::Misaligned}, statements, zero);
  };
  misaligned("add.u64 %rd8, %rd0, 2; // BUG\n"
             "// FIX: add.u64 %rd8, %rd0, 4;\n"
             "ld.global.u32 %r10, [%rd8]; // HERE\n");
  misaligned("ld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [tile+8]; // BUG "
             "// HERE\n"
             "// FIX: ld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [tile+16];\n");
  misaligned("@%p7 cp.async.bulk.global.shared::cta.bulk_group [%rd4], "
             "[tile+8], 16; // BUG // HERE 0-0\n"
             "// FIX: @%p7 cp.async.bulk.global.shared::cta.bulk_group [%rd4],"
             " [tile], 16;\n"
             "@%p7 cp.async.bulk.commit_group;\n"
             "@%p7 cp.async.bulk.wait_group 0;\n");
  misaligned("mad.wide.u32 %rd8, %r0, 4, %rd0; // BUG\n"
             "// FIX: mad.wide.u32 %rd8, %r0, 16, %rd0;\n"
             "mad.lo.u32 %r10, %r0, 16, %r7;\n"
             "cp.async.cg.shared.global [%r10], [%rd8], 16; // HERE\n"
             "cp.async.wait_all;\n");
}

TEST_F(HazardMemoryTest, divergence) {
  auto divergent = [&](const std::string &statements) {
    expectHazard({Kind::Divergence}, statements, zero);
  };
  divergent("setp.eq.u32 %p0, %r0, 40;\n"
            "@%p0 bra SKIP; // BUG\n"
            "bar.sync 0; // HERE 32-63\n"
            "SKIP:\n");
  divergent("setp.eq.u32 %p0, %r0, 40;\n"
            "@!%p0 bar.sync 0; // BUG // HERE 32-63\n"
            "// FIX: bar.sync 0;\n");
  divergent("setp.eq.u32 %p0, %r0, 40;\n"
            "@%p0 bra SKIP; // BUG\n"
            "shfl.sync.bfly.b32 %r10, %r0, 1, 31, 0xFFFFFFFF; // HERE 32-63\n"
            "SKIP:\n");
  divergent("setp.lt.u32 %p0, %r3, 8;\n"
            "@!%p0 bra SKIP; // BUG\n"
            "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r10}, [tile]; // HERE\n"
            "SKIP:\n");
  expectHazard({Kind::Divergence},
               "setp.eq.u32 %p0, %r0, 40;\n"
               "@%p0 bra SKIP; // BUG\n"
               "barrier.cluster.arrive.aligned; // HERE 32-63\n"
               "barrier.cluster.wait.aligned;\n"
               "SKIP:\n",
               zero, {64, 2, 2});
}

TEST_F(HazardMemoryTest, deadlock) {
  expectHazard({Kind::Deadlock},
               "@%p6 bar.sync 1, 64; // BUG // MAY\n"
               "@!%p6 bar.sync 2, 64; // BUG // MAY\n"
               "// FIX: bar.sync 1, 64;\n",
               zero);
  // One CTA of the cluster waits at another barrier.
  expectHazard({Kind::Deadlock},
               "setp.eq.u32 %p0, %r1, 0;\n"
               "@!%p0 bra OTHER;\n"
               "barrier.cluster.arrive;\n"
               "barrier.cluster.wait; // MAY\n"
               "bra MEET;\n"
               "OTHER: bar.sync 1, 128; // BUG // MAY\n"
               "// FIX: OTHER: barrier.cluster.arrive;\n"
               "// FIX: barrier.cluster.wait;\n"
               "MEET:\n",
               zero, {64, 2, 2});
  expectHazard({Kind::Deadlock},
               "setp.lt.u32 %p0, %r3, 16;\n"
               "@%p0 bra LOW;\n"
               "bar.warp.sync 0xFFFFFFFF; // MAY\n"
               "bra MEET;\n"
               "LOW: WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p1, [bar],"
               " 0; // MAY\n"
               "@!%p1 bra WAIT; // BUG\n"
               "bar.warp.sync 0xFFFFFFFF;\n"
               "MEET:\n",
               zero);
}

TEST_F(HazardMemoryTest, sharedMemoryAboveTheMultiprocessors) {
  const std::string text = ".extern .shared .align 16 .b8 memory[];\n"
                           ".visible .entry kernel() {\nret;\n}\n";
  EXPECT_EQ(launchOf(text, 32, 232448), "no error");
  EXPECT_THAT(launchOf(text, 32, 232449), HasSubstr("hazard: resources: "));
  EXPECT_THAT(launchOf(text, 32, 232449), HasSubstr("kernel 'kernel'"));
}

TEST_F(HazardMemoryTest, registersAboveTheMultiprocessors) {
  // 64,512 registers, less, and 65,536 exactly.
  EXPECT_EQ(launchOf(registers(".maxnreg 168", {-40, 232, 232}), 384),
            "no error");
  EXPECT_EQ(launchOf(registers(".maxnreg 128", {-104, 152, 152}), 384),
            "no error");
  EXPECT_EQ(launchOf(registers(".maxnreg 128", {-24, 248, 216, -24}), 512),
            "no error");
  for (const std::vector<int> &counts :
       {std::vector<int>{232, 232, 232}, {-40, 240, 240, -40}}) {
    std::string message = launchOf(
        registers(counts.size() == 3 ? ".maxnreg 168" : ".maxnreg 128", counts),
        uint32_t(128 * counts.size()));
    EXPECT_THAT(message, HasSubstr("hazard: resources: test.ptx:"));
    EXPECT_THAT(message, HasSubstr("kernel 'kernel': CTA (0,0,0) thread ("));
  }
}
