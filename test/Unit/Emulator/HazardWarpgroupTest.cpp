// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hazards of wgmma: its registers, what it reads of shared memory, and who has
// to execute it.

#include "HazardTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class HazardWarpgroupTest : public HazardTest {
protected:
  HazardWarpgroupTest()
      : left(uint32_t(random() % 7) + 1), right(uint32_t(random() % 7) + 1) {}

  static constexpr Shape warpgroup = {128, 1, 1};

  /// A pair of bf16.
  static std::string pair(uint32_t value) {
    float number = float(value);
    uint32_t bits;
    std::memcpy(&bits, &number, 4);
    return std::to_string(bits >> 16 | (bits & 0xFFFF0000));
  }

  /// A, 64 by 16, and B, 16 by 8, each of one number, in core matrices of 128
  /// bytes; their descriptors %rd10 and %rd11; accumulators of zeros.
  std::string fill() const {
    return "mov.u32 %r20, " + pair(left) + "; mov.u32 %r21, " + pair(right) +
           ";\n"
           "mad.lo.u32 %r22, %r0, 16, %r7;\n"
           "setp.lt.u32 %p1, %r0, 128;\n"
           "@%p1 st.shared.v4.u32 [%r22], {%r20, %r20, %r20, %r20}; // MAY\n"
           "setp.lt.u32 %p1, %r0, 16;\n"
           "@%p1 st.shared.v4.u32 [%r22+2048], {%r21, %r21, %r21, %r21}; "
           "// MAY\n"
           "shr.u32 %r23, %r7, 4; cvt.u64.u32 %rd10, %r23;\n"
           "or.b64 %rd10, %rd10, 0x1000080000; add.u64 %rd11, %rd10, 128;\n"
           "mov.f32 %f0, 0f00000000; mov.f32 %f1, %f0; mov.f32 %f2, %f0;\n"
           "mov.f32 %f3, %f0; mov.f32 %f4, %f0; mov.f32 %f5, %f0;\n"
           "mov.f32 %f6, %f0; mov.f32 %f7, %f0;\n"
           "mov.u32 %r24, %r20; mov.u32 %r25, %r20; mov.u32 %r26, %r20;\n"
           "mov.u32 %r27, %r20;\n";
  }
  /// All may use them.
  std::string ready() const {
    return fill() + "fence.proxy.async;\nbar.sync 0;\n";
  }

  const std::string fence = "wgmma.fence.sync.aligned;\n";
  /// Both from shared memory, A from registers, and one with other
  /// accumulators.
  const std::string multiply =
      "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0, %f1, %f2, "
      "%f3}, %rd10, %rd11, 1, 1, 1, 0, 0; // HERE\n";
  const std::string multiplyRegisters =
      "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0, %f1, %f2, "
      "%f3}, {%r24, %r25, %r26, %r27}, %rd11, 1, 1, 1, 0; // HERE\n";
  const std::string multiplyOther =
      "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f4, %f5, %f6, "
      "%f7}, %rd10, %rd11, 1, 1, 1, 0, 0; // MAY\n";
  const std::string commit = "wgmma.commit_group.sync.aligned;\n";
  const std::string wait = "wgmma.wait_group.sync.aligned 0;\n";
  /// The first of the sums.
  const std::string take = "cvt.rzi.u32.f32 %r9, %f0;\n";

  /// Of so many products.
  Expected product(uint32_t times = 1) const {
    uint32_t sum = 16 * left * right * times;
    return [sum](uint32_t) { return sum; };
  }

  /// Without the mark.
  static std::string unmarked(const std::string &statement) {
    return statement.substr(0, statement.find("//")) + "\n";
  }

  void expectRegister(const std::string &statements, uint32_t times = 1) {
    expectHazard({Kind::WgmmaRegister}, ready() + statements, product(times),
                 warpgroup);
  }

  uint32_t left, right;
};

} // namespace

TEST_F(HazardWarpgroupTest, accumulatorBeforeTheWait) {
  const std::string read = "cvt.rzi.u32.f32 %r9, %f0; // HERE\n";
  expectRegister(fence + multiply + commit +
                 "// FIX: wgmma.wait_group.sync.aligned 0;\n" + read + wait);
  // The group may still be in flight, or there is none.
  expectRegister(fence + multiply + commit +
                 "wgmma.wait_group.sync.aligned 1; // BUG\n"
                 "// FIX: wgmma.wait_group.sync.aligned 0;\n" +
                 read + wait);
  expectRegister(fence + multiply +
                 "// FIX: wgmma.commit_group.sync.aligned;\n" + wait + read +
                 commit + wait);
  // A fence is no wait.
  expectRegister(fence + multiply + commit + fence +
                 "// FIX: wgmma.wait_group.sync.aligned 0;\n" + read + wait);
  // Writing is as bad as reading, and so is the last of the registers.
  expectRegister(fence + multiply + commit +
                 "// FIX: wgmma.wait_group.sync.aligned 0;\n"
                 "mov.f32 %f3, 0f3F800000; // HERE\n" +
                 wait + take);
  expectRegister(fence + multiply + commit +
                 "// FIX: wgmma.wait_group.sync.aligned 0;\n"
                 "st.shared.f32 [%r2+2560], %f2; // HERE\n" +
                 wait + take);
  // In one of the warps only.
  expectRegister(fence + multiply + commit +
                 "// FIX: wgmma.wait_group.sync.aligned 0;\n"
                 "setp.eq.u32 %p2, %r0, 77;\n"
                 "@%p2 add.f32 %f4, %f4, %f1; // HERE 77-77\n" +
                 wait + take);
}

TEST_F(HazardWarpgroupTest, registersOfA) {
  // Of A, too, they must be left alone.
  expectRegister(fence + multiplyRegisters + commit +
                 "// FIX: wgmma.wait_group.sync.aligned 0;\n"
                 "mov.u32 %r25, 0; // HERE\n" +
                 wait + take);
  expectRegister(fence + multiplyRegisters + commit +
                 "// FIX: wgmma.wait_group.sync.aligned 0;\n"
                 "add.u32 %r10, %r27, 1; // HERE\n" +
                 wait + take);
  expectRegister(fence + multiplyRegisters + commit +
                 "// FIX: wgmma.wait_group.sync.aligned 0;\n"
                 "ld.shared.u32 %r24, [%r2]; // HERE\n" +
                 wait + take);
  // Other registers may change.
  expectSilent(ready() + fence + multiplyRegisters + commit +
                   "mov.u32 %r20, 0; add.u32 %r10, %r20, 1;\n"
                   "mov.f32 %f8, 0f3F800000;\n" +
                   wait + take,
               product(), warpgroup);
}

TEST_F(HazardWarpgroupTest, missingFence) {
  const std::string first = "// FIX: wgmma.fence.sync.aligned;\n";
  expectRegister(first + multiply + commit + wait + take);
  expectRegister(first + multiplyRegisters + commit + wait + take);
  // Behind the fence another instruction writes a register.
  expectRegister(fence + "mov.f32 %f1, 0f00000000; // MAY\n" + first +
                 multiply + commit + wait + take);
  expectRegister(fence + "mov.u32 %r26, %r20; // MAY\n" + first +
                 multiplyRegisters + commit + wait + take);
  // The second product's accumulator was changed after the first.
  expectRegister(fence + unmarked(multiply) + commit + wait +
                     "add.f32 %f0, %f0, 0f00000000; // MAY\n" + first +
                     multiply + commit + wait + take,
                 2);
  // It was only read; the next product writes it nevertheless.
  expectRegister(fence + unmarked(multiply) + commit + wait +
                     "cvt.rzi.u32.f32 %r10, %f2; // MAY\n" + first + multiply +
                     commit + wait + take,
                 2);
  // Two that only read do not need one.
  expectSilent(ready() + fence + "add.u32 %r10, %r27, 1;\n" +
                   multiplyRegisters + commit + wait + take,
               product(), warpgroup);
}

// Products with the same accumulator follow each other without a fence.
TEST_F(HazardWarpgroupTest, oneFenceForSeveralProducts) {
  expectSilent(ready() + fence + multiply + multiply + commit + multiply +
                   commit + wait + take,
               product(3), warpgroup);
  expectSilent(ready() + fence + multiplyRegisters + multiply +
                   multiplyRegisters + commit + wait + take,
               product(3), warpgroup);
}

TEST_F(HazardWarpgroupTest, oneGroupInFlight) {
  // The other product's group is still in flight when the sums are read.
  expectSilent(ready() + fence + multiply + commit + multiplyOther + commit +
                   "wgmma.wait_group.sync.aligned 1;\n" + take + wait,
               product(), warpgroup);
  expectHazard({Kind::WgmmaRegister},
               ready() + fence + multiplyOther + commit + multiply + commit +
                   "wgmma.wait_group.sync.aligned 1; // BUG\n"
                   "// FIX: wgmma.wait_group.sync.aligned 0;\n"
                   "cvt.rzi.u32.f32 %r9, %f0; // HERE\n" +
                   wait,
               product(), warpgroup);
}

TEST_F(HazardWarpgroupTest, memoryWithoutProxyFence) {
  for (const std::string &operation : {multiply, multiplyRegisters}) {
    auto proxy = [&](const std::string &statements) {
      expectHazard({Kind::RaceProxy},
                   fill() + statements + fence + operation + commit + wait +
                       take,
                   product(), warpgroup);
    };
    proxy("// FIX: fence.proxy.async;\nbar.sync 0;\n");
    proxy("bar.sync 0;\n// FIX: fence.proxy.async.shared::cta;\n");
    // Not a fence of the proxy.
    proxy("// FIX: fence.proxy.async;\nfence.acq_rel.cta;\nbar.sync 0;\n");
    // A fence, but no order with the other warps, of which any may be first.
    expectHazard({Kind::RaceProxy, Kind::OverwriteInFlight},
                 fill() + "fence.proxy.async;\n// FIX: bar.sync 0;\n" + fence +
                     operation + commit + wait + take,
                 product(), warpgroup);
  }
}

TEST_F(HazardWarpgroupTest, copiesWithoutProxyFence) {
  // cp.async is of the generic proxy. The bits of the input are of no matter.
  expectHazard(
      {Kind::RaceProxy},
      ready() +
          "mad.wide.u32 %rd8, %r0, 16, %rd4;\n"
          "mad.lo.u32 %r22, %r0, 16, %r7;\n"
          "cp.async.cg.shared.global [%r22], [%rd8], 16; "
          "// HERE\n"
          "cp.async.wait_all;\n"
          "// FIX: fence.proxy.async;\n"
          "bar.sync 0;\n" +
          fence + multiply + commit + wait + take,
      [](uint32_t) { return 0; }, warpgroup);
  // Bulk copies are not.
  expectSilent(
      ready() +
          "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 2048;\n"
          "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
          "bytes [tile], [%rd4], 2048, [bar];\n"
          "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], 0;\n"
          "@!%p0 bra WAIT;\n" +
          fence + multiply + commit + wait + take,
      [](uint32_t) { return 0; }, warpgroup);
  // But have to be waited for.
  expectHazard(
      {Kind::ReadBeforeWait},
      ready() +
          "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 2048;\n"
          "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::"
          "complete_tx::bytes [tile], [%rd4], 2048, [bar]; // HERE\n"
          "bar.sync 0;\n"
          "// FIX: WAIT: mbarrier.try_wait.parity.shared::cta.b64 "
          "%p0, [bar], 0;\n"
          "// FIX: @!%p0 bra WAIT;\n" +
          fence + multiply + commit + wait + take +
          "END: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], "
          "0;\n"
          "@!%p0 bra END;\n",
      [](uint32_t) { return 0; }, warpgroup);
}

TEST_F(HazardWarpgroupTest, memoryOverwrittenBeforeTheWait) {
  // By a store, with and without the barrier that the other warps need.
  expectHazard({Kind::OverwriteInFlight},
               ready() + fence + multiply + commit +
                   "// FIX: wgmma.wait_group.sync.aligned 0;\n"
                   "bar.sync 0;\n"
                   "st.shared.u32 [%r2], 0; // HERE\n" +
                   wait + take,
               product(), warpgroup);
  expectHazard({Kind::OverwriteInFlight},
               ready() + fence + multiplyRegisters + commit +
                   "// FIX: wgmma.wait_group.sync.aligned 0;\n"
                   "bar.sync 0;\n"
                   "@%p7 st.shared.u32 [tile+2048], 0; // HERE\n" +
                   wait + take,
               product(), warpgroup);
  // By a copy.
  expectHazard({Kind::OverwriteInFlight},
               ready() + fence + multiply + commit +
                   "// FIX: wgmma.wait_group.sync.aligned 0;\n"
                   "bar.sync 0;\n"
                   "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 2048;\n"
                   "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::"
                   "complete_tx::bytes [tile], [%rd4], 2048, [bar]; "
                   "// HERE 0-0\n" +
                   wait +
                   "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], "
                   "0;\n"
                   "@!%p0 bra WAIT;\n" +
                   take,
               product(), warpgroup);
}

// A second warpgroup is told that the tile is free, too early or in time.
TEST_F(HazardWarpgroupTest, otherWarpgroupOverwrites) {
  auto program = [&](const std::string &before, const std::string &after) {
    return ready() + "setp.ge.u32 %p2, %r0, 128;\n@%p2 bra OTHER;\n" + fence +
           multiply + commit + before + wait + after + take +
           "bra END;\n"
           "OTHER: bar.sync 1, 256;\n"
           "sub.u32 %r10, %r2, 512;\n"
           "st.shared.u32 [%r10], 0; // HERE 128-255\n"
           "END:\n";
  };
  const std::string free = "bar.arrive 1, 256;\n";
  const Shape two = {256, 1, 1};
  uint32_t sum = product()(0);
  expectReported({Kind::OverwriteInFlight}, program(free, ""), two);
  expectSilent(
      program("", free),
      [sum](uint32_t thread) { return thread < 128 ? sum : 0; }, two);
}

// A warpgroup and a warp in each of two CTAs. One thread of the warpgroup tells
// the warp that the tile is free, which then overwrites what each warp has
// read.
TEST_F(HazardWarpgroupTest, warpgroupsOfACluster) {
  auto program = [&](const std::string &before, const std::string &after) {
    return ready() + "setp.ge.u32 %p2, %r0, 128;\n@%p2 bra OTHER;\n" + fence +
           multiply + commit + before + wait + after + take +
           "bra END;\n"
           "OTHER: WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], "
           "0;\n@!%p0 bra WAIT;\n"
           "sub.u32 %r10, %r2, 512;\n"
           "st.shared.u32 [%r10], 0; // HERE 128-159\n"
           "st.shared.u32 [%r10+2048], 0; // HERE 128-159\n"
           "st.shared.u32 [%r10+1024], 0; // HERE 128-159\n"
           "END:\n";
  };
  const std::string free = "@%p7 mbarrier.arrive.shared.b64 _, [bar];\n";
  const Shape shape = {160, 2, 2};
  uint32_t sum = product()(0);
  expectReported({Kind::OverwriteInFlight, Kind::RaceProxy}, program(free, ""),
                 shape);
  expectSilent(
      program("", free),
      [sum](uint32_t index) { return index % 160 < 128 ? sum : 0; }, shape);
}

// All four warps, and whole ones.
TEST_F(HazardWarpgroupTest, divergence) {
  expectHazard({Kind::Divergence},
               ready() + fence +
                   "setp.eq.u32 %p2, %r0, 70;\n"
                   "@%p2 bra SKIP; // BUG\n" +
                   multiply + "SKIP:\n" + commit + wait + take,
               product(), warpgroup);
  expectHazard({Kind::Divergence},
               ready() +
                   "setp.eq.u32 %p2, %r0, 70;\n"
                   "@%p2 bra SKIP; // BUG\n"
                   "wgmma.fence.sync.aligned; // HERE 64-95\n"
                   "SKIP:\n" +
                   unmarked(multiply) + commit + wait + take,
               product(), warpgroup);
  // The warps do not agree about the operands.
  expectHazard({Kind::Divergence},
               ready() + fence +
                   "setp.eq.u32 %p2, %r4, 2;\n"
                   "@%p2 add.u64 %rd11, %rd11, 8; // BUG\n" +
                   multiply + commit + wait + take,
               product(), warpgroup);
}

TEST_F(HazardWarpgroupTest, missingWarp) {
  expectHazard({Kind::Deadlock, Kind::Divergence},
               ready() +
                   "setp.eq.u32 %p2, %r4, 3;\n"
                   "@%p2 bra SKIP; // BUG\n" +
                   fence + unmarked(multiply) + commit +
                   "wgmma.wait_group.sync.aligned 0; // MAY\n" + take +
                   "SKIP:\n",
               product(), warpgroup);
}
