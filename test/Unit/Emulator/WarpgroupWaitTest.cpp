// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// When products of wgmma happen, what may go wrong, and what is counted.

#include "WarpgroupTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::HasSubstr;

namespace {

class WarpgroupWaitTest : public WarpgroupTest {
protected:
  WarpgroupWaitTest() {
    product.columns = 16;
    product.a.swizzle = product.b.swizzle = 128;
    product.a.stride = product.b.stride = 1024;
    product.b.start = 8192;
    inputs = randomInputs(product);
  }

  void useEarly() {
    EmulatorOptions options;
    options.hostThreads = 1;
    options.asyncCopies = EmulatorOptions::AsyncCopies::Early;
    device = createEmulator(options);
  }

  /// \p base plus \p times the product of A and B.
  std::vector<float> plusProducts(int times) {
    Inputs none = inputs;
    none.c.assign(none.c.size(), 0);
    std::vector<float> sum = expected(product, none);
    for (size_t index = 0; index < sum.size(); ++index)
      sum[index] = inputs.c[index] + float(times) * sum[index];
    return sum;
  }

  std::string issue() { return fenceWarpgroup + product.statement(); }

  /// The message of a launch of \p statements.
  std::string fault(const std::string &statements) {
    return errorOf([&] { execute(product, inputs, statements); });
  }

  /// The message about a product whose B has \p layout.
  std::string faultOf(const Layout &layout) {
    Product changed = product;
    changed.b = layout;
    return errorOf([&] { execute(changed, inputs); });
  }

  std::string load(const std::string &statement) {
    return errorOf([&] {
      device->loadModule(header +
                             ".entry k() {\n.reg .f32 %f<130>; .reg .b32 "
                             "%r<8>; .reg .b64 %d<2>; .reg .pred %p;\n" +
                             statement + "\n}\n",
                         "test.ptx");
    });
  }

  Product product;
  Inputs inputs;
};

/// Zeroes all of shared memory; the warps have to be together.
const std::string clearMemory =
    "bar.sync 0; mul.lo.u32 %r4, %r0, 16;\n"
    "CLEAR: setp.lt.u32 %p1, %r4, %r2; @!%p1 bra CLEARED;\n"
    "add.u32 %r9, %r4, %r1; st.shared.v4.u32 [%r9], {0, 0, 0, 0};\n"
    "add.u32 %r4, %r4, 2048; bra CLEAR;\nCLEARED: bar.sync 0;\n";

} // namespace

TEST_F(WarpgroupWaitTest, computesAtTheWait) {
  std::string overwritten = issue() + commitGroup + clearMemory + waitForAll;
  // As late as allowed: what is in memory at the wait.
  EXPECT_EQ(execute(product, inputs, overwritten), inputs.c) << seedText;
  // Without a commit or with too weak a wait nothing happens.
  for (const char *wait : {"", "wgmma.wait_group.sync.aligned 1;\n"})
    EXPECT_EQ(execute(product, inputs, issue() + commitGroup + wait), inputs.c)
        << seedText;
  EXPECT_EQ(execute(product, inputs, issue() + waitForAll), inputs.c)
      << seedText;
  useEarly();
  EXPECT_EQ(execute(product, inputs, overwritten), plusProducts(1)) << seedText;
  EXPECT_EQ(execute(product, inputs, issue()), plusProducts(1)) << seedText;
}

TEST_F(WarpgroupWaitTest, keepsTheOrderOfGroups) {
  std::string twice = product.statement() + product.statement();
  std::string three =
      fenceWarpgroup + twice + commitGroup + product.statement() + commitGroup;
  EXPECT_EQ(
      execute(product, inputs, three + "wgmma.wait_group.sync.aligned 1;\n"),
      plusProducts(2))
      << seedText;
  EXPECT_EQ(execute(product, inputs, three + waitForAll), plusProducts(3))
      << seedText;
  // A group without products is one as well.
  EXPECT_EQ(execute(product, inputs,
                    three + commitGroup + "wgmma.wait_group.sync.aligned 2;\n"),
            plusProducts(2))
      << seedText;
  // The last product begins anew.
  Product fresh = product;
  fresh.scale = "0";
  inputs.c.assign(inputs.c.size(), 0);
  EXPECT_EQ(execute(product, inputs,
                    fenceWarpgroup + twice + fresh.statement() + commitGroup +
                        waitForAll),
            plusProducts(1))
      << seedText;
}

// After the wait of one warp the product no longer needs shared memory, though
// the other warps come to it much later.
TEST_F(WarpgroupWaitTest, oneWarpWaitsForTheProductOfAll) {
  std::string statements =
      "shr.u32 %r5, %r0, 5; setp.eq.u32 %p2, %r5, 0;\nmov.u32 %r6, 0;\n"
      "@%p2 bra ISSUE;\n"
      "DELAY: add.u32 %r6, %r6, 1; setp.lt.u32 %p3, %r6, 100000;\n"
      "@%p3 bra DELAY;\nISSUE:\n" +
      issue() + commitGroup + waitForAll +
      "@!%p2 bra DONE;\nmul.lo.u32 %r4, %r0, 16;\n"
      "CLEAR: setp.lt.u32 %p1, %r4, %r2; @!%p1 bra DONE;\n"
      "add.u32 %r9, %r4, %r1; st.shared.v4.u32 [%r9], {0, 0, 0, 0};\n"
      "add.u32 %r4, %r4, 512; bra CLEAR;\nDONE:\n";
  EXPECT_EQ(execute(product, inputs, statements), plusProducts(1)) << seedText;
  useEarly();
  EXPECT_EQ(execute(product, inputs, statements), plusProducts(1)) << seedText;
}

TEST_F(WarpgroupWaitTest, exitDropsWhatNobodyWaitsFor) {
  EXPECT_EQ(fault(issue() + commitGroup), "no error");
  // Nor does the next launch see it.
  EXPECT_EQ(execute(product, inputs), plusProducts(1)) << seedText;
}

TEST_F(WarpgroupWaitTest, everyWarpOfTheGroupTakesPart) {
  std::string only = "shr.u32 %r5, %r0, 5; setp.eq.u32 %p2, %r5, 2;\n";
  EXPECT_THAT(
      fault(only + "@%p2 bra SKIP;\n" + issue() + commitGroup + waitForAll +
            "SKIP:\n"),
      HasSubstr("thread (0,0,0): warp 0 waits at wgmma.wait_group for its "
                "warpgroup in line"));
  EXPECT_THAT(fault("setp.lt.u32 %p2, %r0, 5;\n@!%p2 bra SKIP;\n" + issue() +
                    "SKIP:\n"),
              HasSubstr("wgmma.fence.sync.aligned is executed by only some "
                        "lanes of the warp"));
  EXPECT_THAT(fault("setp.lt.u32 %p2, %r0, 5;\n@%p2 " + product.statement()),
              HasSubstr("only some lanes of the warp"));
  inputs.threads = 96;
  EXPECT_THAT(fault(product.statement()),
              HasSubstr("wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 "
                        "is executed by an incomplete warpgroup: the CTA has "
                        "96 threads"));
  // The fifth warp has no group; the first four are fine.
  inputs.threads = 160;
  std::string last = "setp.ge.u32 %p2, %r0, 128;\n";
  EXPECT_THAT(fault(last + "@!%p2 bra SKIP;\n" + fenceWarpgroup + "SKIP:\n"),
              HasSubstr("thread (128,0,0): wgmma.fence.sync.aligned is"));
  EXPECT_EQ(fault(last + "@%p2 exit;\n" + issue() + commitGroup + waitForAll),
            "no error");
}

TEST_F(WarpgroupWaitTest, warpsAndLanesAgree) {
  std::string warpTwo = "shr.u32 %r5, %r0, 5; setp.eq.u32 %p2, %r5, 2;\n";
  EXPECT_THAT(fault(warpTwo + "@%p2 add.u64 %da, %da, 2;\n" + issue()),
              HasSubstr("has another descriptor of matrix A than warp 0"));
  EXPECT_THAT(
      fault("cvt.u64.u32 %rd3, %r0; add.u64 %db, %db, %rd3;\n" + issue()),
      HasSubstr("has another descriptor of matrix B than lane 0"));
  EXPECT_THAT(fault("setp.eq.u32 %p0, %r0, 7;\n" + issue()),
              HasSubstr("thread (7,0,0): wgmma.mma_async.sync.aligned.m64n16k16"
                        ".f32.bf16.bf16 has another scale-d than lane 0"));
  EXPECT_THAT(fault(warpTwo + "@%p2 setp.ne.u32 %p0, %r0, %r0;\n" + issue()),
              HasSubstr("has another scale-d than warp 0"));
  EXPECT_THAT(fault(warpTwo + "@%p2 bra OTHER;\n" + issue() + "bra END;\n" +
                    "OTHER:\n" + issue() + "END:\n"),
              HasSubstr("is not what warp 0 of the warpgroup executes, which "
                        "is in line "));
}

TEST_F(WarpgroupWaitTest, faultyDescriptors) {
  Layout layout = product.b;
  layout.start = uint32_t(inputs.image.size()) - 1024;
  EXPECT_THAT(faultOf(layout), HasSubstr(" of matrix B, which reads 16 bytes "
                                         "at 0x2800, outside the 10240 bytes "
                                         "of shared memory"));
  layout = product.b;
  layout.stride = 65536;
  EXPECT_THAT(faultOf(layout), HasSubstr("reads 16 bytes at 0x12000, outside"));
  layout = product.b;
  layout.start += 112;
  EXPECT_THAT(faultOf(layout),
              HasSubstr("misaligned: 32 bytes from byte 112 on leave a "
                        "swizzled row of 128"));
  layout = product.b;
  layout.stride = 528;
  EXPECT_THAT(faultOf(layout),
              HasSubstr("misaligned: an offset is no multiple of the 1024 "
                        "bytes of a swizzled block"));
  layout = product.b;
  layout.swizzle = 0;
  layout.baseOffset = 2;
  EXPECT_THAT(faultOf(layout), HasSubstr("a base offset but no swizzle"));
  // An address that was not divided by 16, for one.
  EXPECT_THAT(fault("or.b64 %da, %da, 0x8000;\n" + issue()),
              HasSubstr("has the descriptor 0x4000004000008000 of matrix A, "
                        "whose reserved bits are not zero"));
}

// Any descriptor is either right, or refused in one line.
TEST_F(WarpgroupWaitTest, randomDescriptors) {
  static constexpr unsigned swizzles[] = {0, 32, 64, 128};
  unsigned accepted = 0;
  for (unsigned round = 0; round < 300; ++round) {
    Product changed = product;
    changed.isAInRegisters = true;
    changed.columns = 8 + random() % 16 * 8;
    Layout &layout = changed.b;
    layout.swizzle = swizzles[random() % 4];
    layout.isTransposed = random() % 2;
    layout.baseOffset = layout.swizzle ? random() % 8 : 0;
    uint32_t unit = layout.swizzle ? 8 * layout.swizzle : 16;
    layout.start = random() % 640 * 16;
    layout.leading = random() % 4 * unit;
    layout.stride = random() % 4 * unit;
    Inputs all = inputs;
    all.b = randomMatrix(changed.columns);
    all.c.assign(size_t(64) * changed.columns, 0);
    // What is there, where the matrix is inside.
    for (unsigned index = 0; index + 1 < all.image.size(); index += 2) {
      uint16_t bits = toBFloatBits(float(int(random() % 15) - 7));
      std::memcpy(&all.image[index], &bits, 2);
    }
    std::vector<float> result;
    std::string message = errorOf([&] { result = execute(changed, all); });
    if (message != "no error") {
      EXPECT_THAT(message, HasSubstr(" of matrix B, ")) << seedText;
      continue;
    }
    ++accepted;
    for (unsigned row = 0; row < changed.columns; ++row)
      for (unsigned k = 0; k < 16; ++k) {
        size_t address = layout.address(row, k);
        ASSERT_LE(address + 2, all.image.size()) << seedText;
        uint16_t bits;
        std::memcpy(&bits, &all.image[address], 2);
        uint32_t wide = uint32_t(bits) << 16;
        std::memcpy(&all.b.at(row, k), &wide, 4);
      }
    EXPECT_TRUE(result == expected(changed, all)) << seedText;
  }
  EXPECT_GT(accepted, 0u);
}

TEST_F(WarpgroupWaitTest, refusesOtherForms) {
  const std::string mma = "wgmma.mma_async.sync.aligned.";
  const std::string four = "{%f0, %f1, %f2, %f3}, ";
  const std::string tail = "%d0, %d1, %p, 1, 1, 0, 0;";
  EXPECT_EQ(load(mma + "m64n8k16.f32.f16.f16 " + four + tail), "no error");
  EXPECT_EQ(load(mma + "m64n8k16.f16.f16.f16 {%r0, %r1}, " + tail), "no error");
  EXPECT_EQ(load(mma + "m64n8k16.f32.bf16.bf16 " + four +
                 "{%r0, %r1, %r2, %r3}, %d1, 1, -1, 1, 1;"),
            "no error");
  for (const char *form : {"m64n8k8.f32.tf32.tf32 ", "m64n8k32.f32.e4m3.e4m3 ",
                           "m64n8k32.f32.e5m2.e4m3 ", "m64n8k32.s32.s8.s8 ",
                           "m64n12k16.f32.f16.f16 ", "m64n264k16.f32.f16.f16 "})
    EXPECT_THAT(load(mma + form + four + tail),
                HasSubstr("test.ptx:6: unknown modifier '."))
        << form;
  EXPECT_THAT(load("wgmma.mma_async.sp.sync.aligned.m64n8k32.f32.f16.f16 " +
                   four + tail),
              HasSubstr("test.ptx:6: unknown instruction 'wgmma.mma_async.sp"));
  for (const std::string &statement :
       {mma + "m64n8k16.f32.tf32.tf32 " + four + tail,
        mma + "m64n8k16.f16.bf16.bf16 {%r0, %r1}, " + tail,
        mma + "m64n8k16.f32.f16.bf16 " + four + tail,
        mma + "m64n16k16.f32.f16.f16 " + four + tail,
        mma + "m64n8k16.m64n16k16.f32.f16.f16 " + four + tail,
        mma + "m64n8k16.f32.f16 " + four + tail,
        mma + "m64n8k16.f32.f16.f16 {%f0, _, %f2, %f3}, " + tail,
        mma + "m64n8k16.f32.f16.f16 " + four + "%d0, %d1, %p, 1, 1, 0;",
        mma + "m64n8k16.f32.f16.f16 " + four + "%d0, %d1, %p, 2, 1, 0, 0;",
        mma + "m64n8k16.f32.f16.f16 " + four + "%d0, %d1, %p, 1, 0, 0, 0;",
        mma + "m64n8k16.f32.f16.f16 " + four + "%d0, %d1, %p, 1, 1, 2, 0;",
        mma + "m64n8k16.f32.f16.f16 " + four + "%d0, %d1, %p, 1, 1, 0, -1;",
        mma + "m64n8k16.f32.f16.f16 " + four + "{%r0, %r1}, %d1, %p, 1, 1, 0;",
        mma + "m64n8k16.f32.f16.f16 " + four +
            "{%r0, %r1, %r2, %r3}, %d1, %p, 1, 1, 0, 0;",
        std::string("setmaxnreg.inc.sync.aligned.u32 16;"),
        std::string("setmaxnreg.dec.sync.aligned.u32 100;"),
        std::string("setmaxnreg.dec.sync.aligned.u32 264;"),
        std::string("setmaxnreg.dec.sync.aligned 64;")})
    EXPECT_THAT(load(statement), HasSubstr("test.ptx:6: unsupported form '"))
        << statement;
  EXPECT_THAT(
      load(mma + "m64n8k16.f32.f16.f16 " + four + "%r0, %d1, %p, 1, 1, 0, 0;"),
      HasSubstr("a register of 32 bits for an operand of 64"));
  EXPECT_THAT(load(mma + "m64n8k16.f32.f16.f16 " + four +
                   "%d0, %d1, %p, %tid.x, 1, 0, 0;"),
              HasSubstr("expected a constant"));
  EXPECT_THAT(load("wgmma.wait_group.sync.aligned %r0;"),
              HasSubstr("expected a constant"));
}

TEST_F(WarpgroupWaitTest, setmaxnregAndFencesDoNothing) {
  EXPECT_EQ(execute(product, inputs,
                    "setmaxnreg.dec.sync.aligned.u32 24;\n"
                    "fence.proxy.async.global; fence.proxy.async.shared::cta;\n"
                    "fence.proxy.async.shared::cluster;\n"
                    "fence.proxy.async::generic.acquire.sync_restrict::shared"
                    "::cluster.cluster;\n" +
                        issue() + commitGroup +
                        "setmaxnreg.inc.sync.aligned.u32 256;\n" + waitForAll),
            plusProducts(1))
      << seedText;
  inputs.threads = 96;
  EXPECT_THAT(fault("setmaxnreg.inc.sync.aligned.u32 240;\n"),
              HasSubstr("incomplete warpgroup"));
}

TEST_F(WarpgroupWaitTest, countsAQuarterPerWarp) {
  auto counted = [&](const std::string &statements) {
    execute(product, inputs, statements);
    return device->launchStatistics();
  };
  LaunchStatistics without = counted("");
  LaunchStatistics with = counted(issue() + commitGroup + waitForAll);
  auto classCount = [&](InstructionClass kind) {
    return with.laneInstructions[size_t(kind)] -
           without.laneInstructions[size_t(kind)];
  };
  EXPECT_EQ(with.matrixFlops, 2u * 64 * 16 * 16);
  EXPECT_EQ(classCount(InstructionClass::Matrix), 128u);
  EXPECT_EQ(classCount(InstructionClass::Barrier), 3u * 128);
  // All of A and of B, once.
  EXPECT_EQ(with.sharedLoadBytes - without.sharedLoadBytes,
            64u * 16 * 2 + 16 * 16 * 2);
  product.isAInRegisters = true;
  EXPECT_EQ(counted(issue()).sharedLoadBytes, 16u * 16 * 2);
}
