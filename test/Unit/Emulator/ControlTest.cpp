// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "EmulatorTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class ControlTest : public EmulatorTest {
protected:
  /// Runs \p ptx, whose only parameter is the address of one word per thread.
  std::vector<uint32_t> words(const std::string &ptx, uint32_t threads,
                              uint32_t ctas = 1) {
    DeviceAddress out = device->allocate(size_t(threads) * ctas * 4);
    LaunchConfiguration configuration;
    configuration.block = {threads, 1, 1};
    configuration.grid = {ctas, 1, 1};
    run(ptx, configuration, Parameters().add(out));
    return download<uint32_t>(out, size_t(threads) * ctas);
  }

  static constexpr const char *prologue =
      ".visible .entry kernel(.param .u64 out) {\n"
      ".reg .b32 %r<20>;\n.reg .b64 %rd<4>;\n.reg .pred %p<8>;\n"
      "mov.u32 %r0, %tid.x;\nmov.u32 %r10, %ctaid.x;\n"
      "mov.u32 %r11, %ntid.x;\nmad.lo.u32 %r12, %r10, %r11, %r0;\n"
      "ld.param.u64 %rd0, [out];\nmad.wide.u32 %rd0, %r12, 4, %rd0;\n";
};

} // namespace

TEST_F(ControlTest, nestedBranchesReconverge) {
  auto results = words(std::string(prologue) + R"(
    and.b32 %r1, %r0, 1;
    and.b32 %r2, %r0, 2;
    setp.eq.u32 %p0, %r1, 0;
    setp.eq.u32 %p1, %r2, 0;
    mov.u32 %r3, 0;
    @%p0 bra EVEN;
    add.u32 %r3, %r3, 1;
    @%p1 bra ODD_LOW;
    add.u32 %r3, %r3, 10;
    bra ODD_END;
  ODD_LOW:
    add.u32 %r3, %r3, 20;
  ODD_END:
    activemask.b32 %r4;
    bra END;
  EVEN:
    add.u32 %r3, %r3, 100;
    activemask.b32 %r4;
  END:
    activemask.b32 %r5;
    popc.b32 %r4, %r4;
    popc.b32 %r5, %r5;
    mad.lo.u32 %r3, %r4, 1000, %r3;
    mad.lo.u32 %r3, %r5, 100000, %r3;
    st.global.u32 [%rd0], %r3;
    ret;
  })",
                       32);
  for (uint32_t thread = 0; thread < 32; ++thread) {
    uint32_t value = thread % 2 == 0 ? 100 : thread & 2 ? 11 : 21;
    // Half of the warp meets at ODD_END, all of it at END.
    EXPECT_EQ(results[thread], value + 16000 + 3200000) << thread;
  }
}

TEST_F(ControlTest, loopsWithDifferentTripCounts) {
  auto results = words(std::string(prologue) + R"(
    mov.u32 %r1, 0;
    mov.u32 %r2, 0;
  LOOP:
    setp.ge.u32 %p0, %r1, %r0;
    @%p0 bra DONE;
    // Inner loop, again of its own length.
    and.b32 %r3, %r1, 3;
  INNER:
    setp.eq.u32 %p1, %r3, 0;
    @%p1 bra INNER_DONE;
    add.u32 %r2, %r2, %r3;
    sub.u32 %r3, %r3, 1;
    bra INNER;
  INNER_DONE:
    add.u32 %r1, %r1, 1;
    bra LOOP;
  DONE:
    activemask.b32 %r4;
    setp.ne.u32 %p2, %r4, 0xFFFFFFFF;
    @%p2 trap;
    st.global.u32 [%rd0], %r2;
    ret;
  })",
                       96);
  for (uint32_t thread = 0; thread < 96; ++thread) {
    uint32_t sum = 0;
    for (uint32_t outer = 0; outer < thread; ++outer)
      for (uint32_t inner = outer & 3; inner != 0; --inner)
        sum += inner;
    EXPECT_EQ(results[thread], sum) << thread;
  }
}

// The lanes that a loop in the middle of a warp keeps waiting meet the others
// behind it, though the loop could end in a trap.
TEST_F(ControlTest, trapsAreNoMeetingPoint) {
  auto results = words(std::string(prologue) + R"(
    setp.ne.u32 %p0, %r0, 0;
    @%p0 bra MEET;
    mov.u32 %r1, 0;
  TURN:
    add.u32 %r1, %r1, 1;
    setp.ge.u32 %p1, %r1, 10;
    @%p1 bra MEET;
    setp.lt.u32 %p2, %r1, 1000;
    @%p2 bra TURN;
    trap;
  MEET:
    bar.sync 0;
    activemask.b32 %r2;
    st.global.u32 [%rd0], %r2;
    ret;
  })",
                       32);
  for (uint32_t mask : results)
    EXPECT_EQ(mask, UINT32_MAX);
}

TEST_F(ControlTest, loopsThatLeaveInTheMiddle) {
  // Two exits from one loop, one of which ends the thread.
  auto results = words(std::string(prologue) + R"(
    mov.u32 %r1, 0;
    st.global.u32 [%rd0], %r1;
  LOOP:
    add.u32 %r1, %r1, 1;
    setp.eq.u32 %p0, %r1, 5;
    setp.lt.and.u32 %p0, %r0, 8, %p0;
    @%p0 exit;
    setp.gt.u32 %p1, %r1, %r0;
    @%p1 bra OUT;
    setp.lt.u32 %p2, %r1, 20;
    @%p2 bra LOOP;
    mov.u32 %r1, 77;
  OUT:
    st.global.u32 [%rd0], %r1;
    ret;
  })",
                       32);
  for (uint32_t thread = 0; thread < 32; ++thread) {
    uint32_t expected = thread + 1;
    if (thread >= 4 && thread < 8)
      expected = 0;
    else if (thread >= 20)
      expected = 77;
    EXPECT_EQ(results[thread], expected) << thread;
  }
}

// Below BUG nobody goes on, so all meet at END.
TEST_F(ControlTest, trapsDoNotKeepLanesApart) {
  auto results = words(std::string(prologue) + R"(
    and.b32 %r1, %r0, 1;
    setp.eq.u32 %p0, %r1, 0;
    setp.gt.u32 %p1, %r0, 1000;
    @%p0 bra EVEN;
    @%p1 bra BUG;
    bra END;
  EVEN:
    @!%p1 bra END;
  BUG:
    trap;
  END:
    activemask.b32 %r5;
    st.global.u32 [%rd0], %r5;
    ret;
  })",
                       32);
  EXPECT_THAT(results, testing::Each(0xFFFFFFFFu));
}

// Threads 5, 13, 21 and 29 return by a branch, 3, 11, 19 and 27 by a guard.
TEST_F(ControlTest, lanesThatReturnEarlyDoNotKeepOthersApart) {
  auto results = words(std::string(prologue) + R"(
    and.b32 %r1, %r0, 7;
    and.b32 %r2, %r0, 1;
    setp.eq.u32 %p0, %r2, 0;
    setp.eq.u32 %p1, %r1, 5;
    setp.eq.u32 %p2, %r1, 3;
    mov.u32 %r3, 1;
    st.global.u32 [%rd0], %r3;
    @%p0 bra EVEN;
    @%p1 bra LEAVE;
    @%p2 ret;
    mov.u32 %r3, 2;
  EVEN:
    bar.sync 0;
    activemask.b32 %r5;
    st.global.u32 [%rd0], %r5;
  LEAVE:
    ret;
  })",
                       64);
  for (uint32_t thread = 0; thread < 64; ++thread)
    EXPECT_EQ(results[thread],
              thread % 8 == 5 || thread % 8 == 3 ? 1 : 0xD7D7D7D7)
        << thread;
}

// The lanes that loop until they return are waited for by no others.
TEST_F(ControlTest, lanesThatReturnFromALoopMeetOthersAtTheEnd) {
  auto results = words(std::string(prologue) + R"(
    .shared .u32 flag;
    setp.eq.u32 %p0, %r0, 0;
    mov.u32 %r1, 0;
    @!%p0 bra NOT_FIRST;
    st.shared.u32 [flag], %r1;
  NOT_FIRST:
    bar.warp.sync -1;
    mov.u32 %r2, 7;
    @!%p0 bra OTHERS;
  POLL:
    ld.volatile.shared.u32 %r1, [flag];
    setp.eq.u32 %p1, %r1, 0;
    st.global.u32 [%rd0], %r1;
    @%p1 bra POLL;
    ret;
  OTHERS:
    st.volatile.shared.u32 [flag], %r2;
    st.global.u32 [%rd0], %r2;
    ret;
  })",
                       32);
  EXPECT_THAT(results, testing::Each(7u));
}

TEST_F(ControlTest, guardsInstructions) {
  auto results = words(std::string(prologue) + R"(
    setp.lt.u32 %p0, %r0, 10;
    mov.u32 %r1, 1;
    @%p0 mov.u32 %r1, 2;
    @!%p0 add.u32 %r1, %r1, 5;
    st.global.u32 [%rd0], %r1;
    ret;
  })",
                       40);
  for (uint32_t thread = 0; thread < 40; ++thread)
    EXPECT_EQ(results[thread], thread < 10 ? 2u : 6u) << thread;
}

TEST_F(ControlTest, branchesByTable) {
  auto results = words(std::string(prologue) + R"(
    rem.u32 %r1, %r0, 3;
    TABLE: .branchtargets A, B, C;
    brx.idx %r1, TABLE;
  A:
    mov.u32 %r2, 10;
    bra END;
  B:
    mov.u32 %r2, 20;
    bra END;
  C:
    mov.u32 %r2, 30;
  END:
    st.global.u32 [%rd0], %r2;
    ret;
  })",
                       64);
  for (uint32_t thread = 0; thread < 64; ++thread)
    EXPECT_EQ(results[thread], 10 + thread % 3 * 10) << thread;
}

TEST_F(ControlTest, callsFunctions) {
  const std::string functions = R"(
  .func (.param .b32 result) twice(.param .b32 x) {
    .reg .b32 %r<3>;
    .reg .pred %p;
    ld.param.b32 %r0, [x];
    and.b32 %r1, %r0, 1;
    setp.eq.u32 %p, %r1, 0;
    @%p bra EVEN;
    shl.b32 %r2, %r0, 1;
    st.param.b32 [result], %r2;
    ret;
  EVEN:
    mov.u32 %r2, 1000;
    st.param.b32 [result], %r2;
    ret;
  }
  .func (.reg .b32 %result) plus(.reg .b32 %x, .reg .b32 %y) {
    add.u32 %result, %x, %y;
    ret;
  }
)";
  auto results = words(functions + prologue + R"(
    setp.lt.u32 %p0, %r0, 20;
    mov.u32 %r3, 7;
    {
      .param .b32 argument;
      .param .b32 value;
      st.param.b32 [argument], %r0;
      @%p0 call.uni (value), twice, (argument);
      @%p0 ld.param.b32 %r3, [value];
    }
    call (%r4), plus, (%r3, 5);
    st.global.u32 [%rd0], %r4;
    ret;
  })",
                       32);
  for (uint32_t thread = 0; thread < 32; ++thread) {
    uint32_t value = thread >= 20 ? 7 : thread % 2 ? 2 * thread : 1000;
    EXPECT_EQ(results[thread], value + 5) << thread;
  }
}

TEST_F(ControlTest, barriersOrderSharedMemory) {
  // Each thread reads what a thread of another warp wrote.
  auto results =
      words(std::string(".shared .align 4 .b8 cells[512];\n") + prologue + R"(
    mov.u32 %r1, cells;
    shl.b32 %r2, %r0, 2;
    add.u32 %r3, %r1, %r2;
    mul.lo.u32 %r4, %r0, 3;
    st.shared.u32 [%r3], %r4;
    bar.sync 0;
    xor.b32 %r5, %r2, 508;
    add.u32 %r3, %r1, %r5;
    ld.shared.u32 %r6, [%r3];
    barrier.sync 1, 128;
    st.global.u32 [%rd0], %r6;
    ret;
  })",
            128, 3);
  for (uint32_t thread = 0; thread < 3 * 128; ++thread)
    EXPECT_EQ(results[thread], (127 - thread % 128) * 3) << thread;
}

TEST_F(ControlTest, producersAndConsumersMeetAtNamedBarriers) {
  // Warp 0 produces and only arrives; warp 1 waits.
  auto results =
      words(std::string(".shared .align 4 .b8 cells[128];\n") + prologue + R"(
    mov.u32 %r1, cells;
    and.b32 %r2, %r0, 31;
    mad.lo.u32 %r1, %r2, 4, %r1;
    setp.ge.u32 %p0, %r0, 32;
    mov.u32 %r3, 0;
    @%p0 bra CONSUMER;
    add.u32 %r4, %r2, 50;
    st.shared.u32 [%r1], %r4;
    bar.arrive 3, 64;
    bra END;
  CONSUMER:
    bar.sync 3, 64;
    ld.shared.u32 %r3, [%r1];
  END:
    st.global.u32 [%rd0], %r3;
    ret;
  })",
            64);
  for (uint32_t thread = 0; thread < 64; ++thread)
    EXPECT_EQ(results[thread], thread < 32 ? 0 : thread - 32 + 50) << thread;
}

TEST_F(ControlTest, barriersReduce) {
  auto results = words(std::string(prologue) + R"(
    setp.lt.u32 %p0, %r0, 45;
    bar.red.popc.u32 %r1, 0, %p0;
    bar.red.and.pred %p1, 0, %p0;
    bar.red.or.pred %p2, 0, %p0;
    selp.u32 %r2, 100, 0, %p1;
    selp.u32 %r3, 1000, 0, %p2;
    add.u32 %r1, %r1, %r2;
    add.u32 %r1, %r1, %r3;
    st.global.u32 [%rd0], %r1;
    ret;
  })",
                       70);
  for (uint32_t value : results)
    EXPECT_EQ(value, 1045u);
}

TEST_F(ControlTest, warpBarriersJoinDivergentLanes) {
  // Both halves of the warp exchange through shared memory while diverged.
  auto results =
      words(std::string(".shared .align 4 .b8 cells[128];\n") + prologue + R"(
    mov.u32 %r1, cells;
    mad.lo.u32 %r1, %r0, 4, %r1;
    xor.b32 %r2, %r0, 16;
    mov.u32 %r3, cells;
    mad.lo.u32 %r3, %r2, 4, %r3;
    setp.lt.u32 %p0, %r0, 16;
    @%p0 bra LOW;
    st.shared.u32 [%r1], %r0;
    bar.warp.sync 0xFFFFFFFF;
    ld.shared.u32 %r4, [%r3];
    bra END;
  LOW:
    st.shared.u32 [%r1], %r0;
    bar.warp.sync 0xFFFFFFFF;
    ld.shared.u32 %r4, [%r3];
  END:
    st.global.u32 [%rd0], %r4;
    ret;
  })",
            32);
  for (uint32_t thread = 0; thread < 32; ++thread)
    EXPECT_EQ(results[thread], thread ^ 16) << thread;
}

TEST_F(ControlTest, pollingWarpsDoNotStarveOthers) {
  auto results =
      words(std::string(".shared .align 4 .b8 flag[4];\n") + prologue + R"(
    mov.u32 %r1, flag;
    setp.ne.u32 %p0, %r0, 0;
    @!%p0 st.shared.u32 [%r1], 0;
    bar.sync 0;
    setp.ge.u32 %p1, %r0, 32;
    @%p1 bra SET;
  POLL:
    ld.volatile.shared.u32 %r2, [%r1];
    setp.eq.u32 %p2, %r2, 0;
    @%p2 bra POLL;
    bra END;
  SET:
    mov.u32 %r2, 9;
    st.volatile.shared.u32 [%r1], 9;
  END:
    st.global.u32 [%rd0], %r2;
    ret;
  })",
            64);
  for (uint32_t value : results)
    EXPECT_EQ(value, 9u);
}

TEST_F(ControlTest, exitedWarpsCompleteBarriers) {
  auto results = words(std::string(prologue) + R"(
    mov.u32 %r1, 4;
    st.global.u32 [%rd0], %r1;
    setp.ge.u32 %p0, %r0, 32;
    @%p0 exit;
    bar.sync 0;
    st.global.u32 [%rd0], %r0;
    ret;
  })",
                       96);
  for (uint32_t thread = 0; thread < 96; ++thread)
    EXPECT_EQ(results[thread], thread < 32 ? thread : 4) << thread;
}

TEST_F(ControlTest, specialRegisters) {
  DeviceAddress out = device->allocate(256 * 12 * 4);
  LaunchConfiguration configuration;
  configuration.block = {8, 4, 2};
  configuration.grid = {2, 2, 1};
  run(R"(.visible .entry kernel(.param .u64 out) {
    .reg .b32 %r<20>; .reg .b64 %rd<3>;
    mov.u32 %r0, %tid.x; mov.u32 %r1, %tid.y; mov.u32 %r2, %tid.z;
    mov.u32 %r3, %ctaid.x; mov.u32 %r4, %ctaid.y; mov.u32 %r5, %nctaid.x;
    mov.u32 %r6, %ntid.x; mov.u32 %r7, %ntid.z;
    mov.u32 %r8, %laneid; mov.u32 %r9, %warpid; mov.u32 %r10, %lanemask_lt;
    mad.lo.u32 %r11, %r2, 4, %r1; mad.lo.u32 %r11, %r11, 8, %r0;
    mad.lo.u32 %r12, %r4, 2, %r3; mad.lo.u32 %r12, %r12, 64, %r11;
    ld.param.u64 %rd0, [out]; mad.wide.u32 %rd0, %r12, 48, %rd0;
    st.global.v4.u32 [%rd0], {%r0, %r1, %r2, %r3};
    st.global.v4.u32 [%rd0+16], {%r4, %r5, %r6, %r7};
    st.global.v4.u32 [%rd0+32], {%r8, %r9, %r10, %r11};
    ret;
  })",
      configuration, Parameters().add(out));
  auto results = download<uint32_t>(out, 256 * 12);
  for (uint32_t thread = 0; thread < 256; ++thread) {
    uint32_t inside = thread % 64, cta = thread / 64, lane = inside % 32;
    std::vector<uint32_t> expected = {
        inside % 8, inside / 8 % 4, inside / 32,      cta % 2, cta / 2, 2, 8, 2,
        lane,       inside / 32,    (1u << lane) - 1, inside};
    EXPECT_EQ(std::vector<uint32_t>(&results[thread * 12],
                                    &results[thread * 12] + 12),
              expected)
        << thread;
  }
}
