// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What ends a launch, and the line that says so.

#include "EmulatorTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::HasSubstr;
using testing::MatchesRegex;

namespace {

class ErrorTest : public EmulatorTest {
protected:
  /// The message of a launch of one CTA of 64 threads, in a grid of (2, 2, 1).
  /// The statements begin in line 8 of the module; %r0 is the thread, %rd0 the
  /// address of 256 bytes.
  std::string fault(const std::string &statements) {
    LaunchConfiguration configuration;
    configuration.block = {32, 2, 1};
    configuration.grid = {2, 2, 1};
    DeviceAddress buffer = device->allocate(256);
    return errorOf([&] {
      run(".visible .entry kernel(.param .u64 in) {\n"
          ".shared .align 16 .b8 tile[64]; .local .align 4 .b8 stack[8];"
          ".reg .b32 %r<8>; .reg .b64 %rd<8>; .reg .pred %p<4>;\n"
          "ld.param.u64 %rd0, [in]; mov.u32 %r0, %tid.x;\n"
          "setp.eq.u32 %p0, %r0, 17;\n" +
              statements + "\nret;\n}\n",
          configuration, Parameters().add(buffer));
    });
  }

  static std::string at(unsigned line, const std::string &thread,
                        const std::string &kind = "") {
    return (kind.empty() ? "" : "hazard: " + kind + ": ") +
           "test.ptx:" + std::to_string(line) +
           ": kernel 'kernel': CTA (0,0,0) thread " + thread + ": ";
  }
};

} // namespace

TEST_F(ErrorTest, globalAccessOutsideEveryAllocation) {
  EXPECT_EQ(fault("mov.u64 %rd1, 4096;\n@%p0 ld.global.f32 %r1, [%rd1+8];"),
            at(9, "(17,0,0)", "out-of-bounds") +
                "ld.global.f32 reads 4 bytes at 0x1008, outside every "
                "allocation");
}

TEST_F(ErrorTest, globalAccessBeyondAnAllocation) {
  EXPECT_THAT(fault("mad.wide.u32 %rd1, %r0, 16, %rd0;\n"
                    "st.global.u32 [%rd1], %r0;"),
              HasSubstr(at(9, "(16,0,0)") + "st.global.u32 writes 4 bytes at"));
  EXPECT_THAT(fault("ld.global.u64 %rd2, [%rd0+252];"),
              HasSubstr("not aligned to 8 bytes"));
  EXPECT_THAT(fault("add.u64 %rd1, %rd0, 256;\nld.global.u8 %r1, [%rd1];"),
              HasSubstr("ld.global.u8 reads 1 bytes at"));
}

TEST_F(ErrorTest, misalignedAccess) {
  EXPECT_THAT(fault("@%p0 atom.global.add.u32 %r1, [%rd0+2], 1;"),
              HasSubstr(at(8, "(17,0,0)") +
                        "atom.global.add.u32 updates 4 bytes at 0x7f"));
  EXPECT_THAT(fault("mov.u32 %r1, tile;\n"
                    "ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [%r1+8];"),
              HasSubstr("reads 16 bytes at 0x8, not aligned to 16 bytes"));
  EXPECT_THAT(fault("ld.global.u32 %r1, [%rd0+1];"),
              HasSubstr("hazard: misaligned: test.ptx:8: "));
}

TEST_F(ErrorTest, sharedAndLocalAccessOutOfBounds) {
  EXPECT_EQ(fault("mov.u32 %r1, tile;\nmad.lo.u32 %r1, %r0, 4, %r1;\n"
                  "st.shared.u32 [%r1], %r0;"),
            at(10, "(16,0,0)", "out-of-bounds") +
                "st.shared.u32 writes 4 bytes at 0x40, "
                "outside the 64 bytes of shared memory");
  EXPECT_THAT(fault("ld.local.u32 %r1, [stack+16];"),
              HasSubstr("bytes of local memory"));
  EXPECT_THAT(fault("ld.param.u32 %r1, [in+8];"),
              HasSubstr("outside the 8 bytes of parameters"));
}

TEST_F(ErrorTest, asynchronousCopyOutOfBounds) {
  EXPECT_THAT(fault("mov.u32 %r1, tile;\n"
                    "@%p0 cp.async.cg.shared.global [%r1], [%rd0+256], 16;"),
              HasSubstr(at(9, "(17,0,0)") +
                        "cp.async.cg.shared.global reads 16 bytes at"));
}

TEST_F(ErrorTest, deadlock) {
  EXPECT_EQ(fault("mov.u32 %r1, %tid.y;\nsetp.eq.u32 %p1, %r1, 1;\n"
                  "@%p1 bra OTHER;\nbar.sync 1;\nret;\nOTHER:\nbar.sync 2;"),
            at(11, "(0,0,0)", "deadlock") +
                "warp 0 waits at barrier 1 in line "
                "11, warp 1 waits at barrier 2 in line 14");
}

TEST_F(ErrorTest, divergenceWhereAllLanesAreWanted) {
  EXPECT_THAT(fault("@%p0 bra SKIP;\nbar.sync 0;\nSKIP: mov.u32 %r1, 1;"),
              HasSubstr(at(9, "(17,0,0)", "divergence") +
                        "bar.sync is reached by only some threads"));
  EXPECT_THAT(fault("@%p0 bra SKIP;\n"
                    "shfl.sync.bfly.b32 %r1, %r0, 1, 31, -1;\n"
                    "SKIP: mov.u32 %r1, 1;"),
              HasSubstr("names lanes 0x00020000 that do not execute it"));
  EXPECT_THAT(fault("mov.u32 %r1, tile;\n@%p0 bra SKIP;\n"
                    "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r2}, [%r1];\n"
                    "SKIP:"),
              HasSubstr("only some lanes of the warp"));
}

TEST_F(ErrorTest, trap) {
  EXPECT_EQ(fault("@%p0 trap;"), at(8, "(17,0,0)") + "trap was executed");
}

TEST_F(ErrorTest, theDeviceStaysUsable) {
  fault("trap;");
  EXPECT_EQ(fault("mov.u32 %r1, 1;"), "no error");
}

TEST_F(ErrorTest, theFirstFaultyCtaIsNamed) {
  EXPECT_THAT(fault("mov.u32 %r1, %ctaid.x;\nsetp.eq.u32 %p1, %r1, 1;\n"
                    "@%p1 trap;"),
              HasSubstr("CTA (1,0,0) thread (0,0,0): trap"));
}

TEST_F(ErrorTest, unknownInstructionsFailWhenLoaded) {
  EXPECT_EQ(fault("frobnicate.u32 %r1, %r0;"),
            "test.ptx:8: unknown instruction 'frobnicate.u32'");
  EXPECT_EQ(fault("add.wrong.u32 %r1, %r0, 1;"),
            "test.ptx:8: unknown modifier '.wrong' of 'add'");
  EXPECT_EQ(fault("add.cc.u16 %r1, %r0, 1;"),
            "test.ptx:8: a register of 32 bits for an operand of 16");
  EXPECT_EQ(fault("atom.global.inc.s32 %r1, [%rd0], 1;"),
            "test.ptx:8: unsupported form 'atom.global.inc.s32'");
}

TEST_F(ErrorTest, launchesAgainstTheKernel) {
  auto module = device->loadModule(
      header + ".visible .entry kernel(.param .u64 a, .param .u32 b)\n"
               ".reqntid 64, 2, 1\n{\n.shared .b8 tile[1024];\nret;\n}\n"
               ".visible .entry large() { .shared .b8 x[300000]; ret; }\n"
               ".visible .entry bounded() .maxntid 128 { ret; }\n",
      "test.ptx");
  EXPECT_THAT(module->kernelNames(),
              testing::ElementsAre("kernel", "large", "bounded"));
  auto launch = [&](const char *kernel, LaunchConfiguration configuration,
                    size_t bytes) {
    return errorOf([&] {
      device->launch(*module, kernel, configuration,
                     std::vector<uint8_t>(bytes));
    });
  };
  LaunchConfiguration good;
  good.block = {64, 2, 1};
  EXPECT_EQ(launch("kernel", good, 12), "no error");
  EXPECT_EQ(launch("missing", good, 12), "test.ptx: no kernel 'missing'");
  EXPECT_EQ(launch("kernel", good, 16),
            "test.ptx: kernel 'kernel': the parameter buffer has 16 bytes, "
            "the kernel's parameters 12");
  LaunchConfiguration wrong = good;
  wrong.block = {128, 1, 1};
  EXPECT_EQ(launch("kernel", wrong, 12),
            "test.ptx: kernel 'kernel': block (128,1,1) is not the .reqntid "
            "(64,2,1)");
  wrong.block = {1024, 2, 1};
  EXPECT_THAT(launch("kernel", wrong, 12),
              HasSubstr("2048 threads, more than 1024"));
  wrong = good;
  wrong.dynamicSharedBytes = 232448;
  EXPECT_THAT(launch("kernel", wrong, 12),
              HasSubstr("1024 bytes of static and 232448 bytes of dynamic "
                        "shared memory are more than 232448"));
  EXPECT_THAT(launch("large", {}, 0), HasSubstr("are more than 232448"));
  wrong = {};
  wrong.block = {129, 1, 1};
  EXPECT_THAT(launch("bounded", wrong, 0),
              HasSubstr("has more threads than .maxntid (128,1,1)"));
  wrong.block = {0, 1, 1};
  EXPECT_THAT(launch("bounded", wrong, 0), HasSubstr("block (0,1,1)"));
  wrong = {};
  wrong.grid = {1, 70000, 1};
  EXPECT_THAT(launch("bounded", wrong, 0), HasSubstr("grid (1,70000,1)"));
}
