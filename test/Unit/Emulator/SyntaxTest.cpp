// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every form of the asynchronous instructions that the PTX ISA has, for sm_90a.

#include "AsyncWorkTest.h"

#include <sstream>
#include <string_view>

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class SyntaxTest : public AsyncWorkTest {
protected:
  static std::string kernel(const std::string &statements) {
    return ".visible .entry k(.param .align 64 .b8 map[128]) {\n"
           ".shared .align 128 .b8 s[1024]; .shared .align 8 .b64 m;\n"
           ".reg .b32 %r<9>; .reg .b64 %rd<9>; .reg .pred %p<9>;\n"
           ".reg .b16 %h<9>; .reg .f32 %f<9>; .reg .f64 %fd<9>;\n" +
           statements + "ret;\n}\n";
  }

  static std::vector<std::string> lines(std::string_view text) {
    std::vector<std::string> result;
    std::istringstream stream{std::string(text)};
    for (std::string line; std::getline(stream, line);)
      result.push_back(line);
    return result;
  }
};

constexpr std::string_view legal = R"(mapa.u64 %rd0, %rd1, %r2;
mapa.shared::cluster.u32 %r0, s, %r2;
mapa.shared::cluster.u32 %r0, s+4, 1;
mapa.shared::cluster.u64 %rd0, %rd1, %r2;
getctarank.u64 %r0, %rd1;
getctarank.shared::cluster.u32 %r0, %r1;
getctarank.shared::cluster.u32 %r0, s;
mbarrier.init.shared.b64 [m], 1;
mbarrier.init.b64 [%rd0], %r0;
mbarrier.inval.shared::cta.b64 [m];
mbarrier.arrive.b64 %rd0, [%rd1];
mbarrier.arrive.b64 _, [%rd1], 3;
mbarrier.arrive.shared::cluster.b64 _, [%r1];
mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r1], %r2;
mbarrier.arrive.relaxed.cluster.b64 _, [%rd1], %r2;
mbarrier.arrive.expect_tx.shared.b64 %rd0, [m], 16;
mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 %rd0, [m], %r0;
mbarrier.arrive.expect_tx.relaxed.cluster.shared::cluster.b64 _, [%r1], %r0;
mbarrier.arrive.noComplete.shared.b64 %rd0, [m], 2;
mbarrier.arrive.noComplete.release.cta.b64 %rd0, [%rd1], 2;
mbarrier.arrive.release.cta.noComplete.b64 %rd0, [%rd1], 2;
mbarrier.arrive_drop.shared.b64 %rd0, [m];
mbarrier.arrive_drop.noComplete.shared.b64 %rd0, [m], 1;
mbarrier.arrive_drop.release.cluster.shared::cluster.b64 _, [%r1], 1;
mbarrier.arrive_drop.expect_tx.shared.b64 %rd0, [m], 16;
mbarrier.arrive_drop.expect_tx.relaxed.cluster.shared::cluster.b64 _, [%r1], 16;
mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [m], 16;
mbarrier.expect_tx.relaxed.cluster.shared::cluster.b64 [%r1], 16;
mbarrier.expect_tx.b64 [%rd1], 16;
mbarrier.complete_tx.shared::cta.b64 [m], 16;
mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [%r1], 16;
mbarrier.test_wait.shared.b64 %p0, [m], %rd0;
mbarrier.test_wait.parity.acquire.cluster.shared::cta.b64 %p0, [m], 1;
mbarrier.test_wait.parity.relaxed.cta.shared::cta.b64 %p0, [m], 1;
mbarrier.try_wait.b64 %p0, [%rd1], %rd0;
mbarrier.try_wait.parity.shared.b64 %p0, [m], %r0, 1000;
mbarrier.try_wait.shared.b64 %p0, [m], %rd0, %r1;
mbarrier.pending_count.b64 %r0, %rd0;
cp.async.mbarrier.arrive.b64 [%rd0];
cp.async.mbarrier.arrive.noinc.shared.b64 [m];
cp.async.mbarrier.arrive.shared::cta.b64 [m];
cp.async.mbarrier.arrive.noinc.shared::cta.b64 [m];
cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [s], [%rd0], 16, [m];
cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [s], [%rd0], 16, [m];
cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes.L2::cache_hint [s], [%rd0], 16, [m], %rd1;
cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [s], [%rd0], 16, [m], %h0;
cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint [s+16], [%rd0+16], %r0, [m], 3, %rd1;
cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint.multicast::cluster [s+16], [%rd0+16], %r0, [m], 3, %rd1;
cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%r0], [s], 16, [%r1];
cp.async.bulk.global.shared::cta.bulk_group [%rd0], [s], 16;
cp.async.bulk.global.shared::cta.bulk_group.L2::cache_hint [%rd0], [s], 16, %rd1;
cp.async.bulk.prefetch.L2.global [%rd0], 16;
cp.async.bulk.prefetch.L2.global.L2::cache_hint [%rd0], %r0, %rd1;
cp.async.bulk.tensor.1d.shared::cluster.global.mbarrier::complete_tx::bytes [s], [%rd0, {%r0}], [m];
cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [s], [%rd0, {%r0, %r1}], [m], %h0;
cp.async.bulk.tensor.2d.shared::cta.global.tile.mbarrier::complete_tx::bytes [s], [%rd0, {%r0, 5}], [m];
cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint [%r1], [%rd0, {%r0, %r1, -3}], [m+0], %h0, %rd1;
cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%rd2], [%rd0, {%r0, %r1,%r2,%r3}], [%rd3];
cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint [s], [%rd0, {%r0, %r1,%r2,%r3,%r4}], [m], %rd1;
cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%rd0, {%r0, %r1}], [s];
cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group.L2::cache_hint [%rd0, {%r0, %r1}], [s], %rd1;
cp.async.bulk.prefetch.tensor.2d.L2.global.tile [%rd0, {%r0, %r1}];
cp.async.bulk.prefetch.tensor.2d.L2.global.tile.L2::cache_hint [%rd0, {%r0, %r1}], %rd1;
cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group [%rd0, {%r0, %r1}], [s];
cp.reduce.async.bulk.tensor.2d.global.shared::cta.max.bulk_group.L2::cache_hint [%rd0, {%r0, %r1}], [s], %rd1;
cp.async.bulk.commit_group;
cp.async.bulk.wait_group 0;
cp.async.bulk.wait_group.read 3;
prefetch.tensormap [%rd0];
prefetch.param.tensormap [map];
prefetch.const.tensormap [%rd0];
st.async.mbarrier::complete_tx::bytes.u32 [%rd0], %r1, [%rd1];
st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%r0], {%r1,%r2,%r3,%r4}, [%r5];
st.async.shared::cluster.mbarrier::complete_tx::bytes.f32 [%r0], %f1, [%r5];
st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.s64 [%r0], {%rd1,%rd2}, [%r5];
barrier.cluster.arrive;
barrier.cluster.arrive.aligned;
barrier.cluster.arrive.release;
barrier.cluster.arrive.release.aligned;
barrier.cluster.arrive.relaxed;
barrier.cluster.arrive.relaxed.aligned;
barrier.cluster.wait.acquire;
barrier.cluster.wait.acquire.aligned;
barrier.cluster.wait.aligned;
barrier.cluster.wait;
fence.proxy.async;
fence.proxy.async.shared::cta;
fence.proxy.async.shared::cluster;
fence.proxy.async.global;
fence.proxy.alias;
fence.proxy.tensormap::generic.release.gpu;
fence.proxy.tensormap::generic.release.cta;
fence.proxy.tensormap::generic.acquire.sys [%rd0], 128;
fence.proxy.tensormap::generic.acquire.cluster [%rd0], 128;
fence.proxy.async::generic.acquire.sync_restrict::shared::cluster.cluster;
fence.proxy.async::generic.release.sync_restrict::shared::cta.cluster;
fence.acquire.sync_restrict::shared::cluster.cluster;
fence.release.sync_restrict::shared::cta.cluster;
fence.mbarrier_init.release.cluster;
fence.sc.cluster;
fence.acq_rel.gpu;
fence.release.cta;
elect.sync %r0|%p0, 0xffffffff;
elect.sync _|%p0, -1;
elect.sync _|%p0, %r1;
griddepcontrol.wait;
griddepcontrol.launch_dependents;
isspacep.shared::cluster %p0, %rd0;
isspacep.shared::cta %p0, %rd0;
cvta.shared::cluster.u64 %rd0, %rd1;
cvta.to.shared::cluster.u64 %rd0, %rd1;
cvta.shared::cta.u64 %rd0, %rd1;
ld.shared::cluster.u32 %r0, [%r1];
st.shared::cluster.v4.u32 [%r1], {%r0,%r0,%r0,%r0};
atom.shared::cluster.add.u32 %r0, [%r1], 1;
atom.acquire.cluster.shared::cluster.cas.b32 %r0, [%r1], 1, 2;
red.shared::cluster.add.u32 [%r1], 1;
barrier.cta.sync.aligned 1, 64;
barrier.cta.arrive.aligned 1, 64;
barrier.cta.sync 1;
barrier.cta.arrive 1, %r0;
barrier.sync 2, 32;
barrier.arrive 2, 32;
bar.sync %r0, %r1;
bar.arrive 1, 64;
bar.cta.arrive 1, 64;
bar.cta.sync 1, 64;
cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.add.s32 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u64 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f64 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.min.u32 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.min.s32 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.min.u64 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.min.s64 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.min.f16 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.min.bf16 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.max.u32 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.max.s32 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.max.u64 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.max.s64 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.max.f16 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.max.bf16 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.inc.u32 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.dec.u32 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.and.b32 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.and.b64 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.or.b32 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.or.b64 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.xor.b32 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.xor.b64 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.add.noftz.f16 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.add.noftz.bf16 [%rd0], [%r1], 16;
cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.add.u32 [%r0], [%r1], 16, [%r2];
red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u32 [%r0], %r1, [%r2];
cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.add.s32 [%r0], [%r1], 16, [%r2];
red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.s32 [%r0], %r1, [%r2];
cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.add.u64 [%r0], [%r1], 16, [%r2];
red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u64 [%r0], %rd1, [%r2];
cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.min.u32 [%r0], [%r1], 16, [%r2];
red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.min.u32 [%r0], %r1, [%r2];
cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.min.s32 [%r0], [%r1], 16, [%r2];
red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.min.s32 [%r0], %r1, [%r2];
cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.max.u32 [%r0], [%r1], 16, [%r2];
red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.max.u32 [%r0], %r1, [%r2];
cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.max.s32 [%r0], [%r1], 16, [%r2];
red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.max.s32 [%r0], %r1, [%r2];
cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.inc.u32 [%r0], [%r1], 16, [%r2];
red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.inc.u32 [%r0], %r1, [%r2];
cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.dec.u32 [%r0], [%r1], 16, [%r2];
red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.dec.u32 [%r0], %r1, [%r2];
cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.and.b32 [%r0], [%r1], 16, [%r2];
red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.and.b32 [%r0], %r1, [%r2];
cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.or.b32 [%r0], [%r1], 16, [%r2];
red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.or.b32 [%r0], %r1, [%r2];
cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.xor.b32 [%r0], [%r1], 16, [%r2];
red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.xor.b32 [%r0], %r1, [%r2];
red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.s64 [%r0], %rd1, [%r2];
red.async.relaxed.cluster.mbarrier::complete_tx::bytes.add.u32 [%rd0], %r1, [%rd2];
)";

constexpr std::string_view illegal =
    R"(mbarrier.arrive.shared::cluster.b64 %rd0, [%r1];
mbarrier.arrive.noComplete.shared.b64 %rd0, [m];
mbarrier.arrive.expect_tx.shared.b64 %rd0, [m];
mbarrier.init.shared.b32 [m], 1;
mbarrier.init.global.b64 [%rd0], 1;
mbarrier.test_wait.shared::cluster.b64 %p0, [%r0], %rd0;
mbarrier.test_wait.shared.b64 %p0, [m], %rd0, 5;
cp.async.bulk.global.shared::cta.mbarrier::complete_tx::bytes [%rd0], [s], 16, [m];
cp.async.bulk.shared::cluster.global.bulk_group [s], [%rd0], 16;
cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [s], [%rd0], 16;
cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [s], [%rd0], 16, [m];
cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [s], [%rd0], 16, [m], %h0;
cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f16 [%rd0], [%r1], 16;
cp.reduce.async.bulk.global.shared::cta.bulk_group.inc.s32 [%rd0], [%r1], 16;
cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.add.f32 [%r0], [%r1], 16, [%r2];
cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [s], [%rd0, {%r0}], [m];
cp.async.bulk.tensor.shared::cluster.global.mbarrier::complete_tx::bytes [s], [%rd0, {%r0}], [m];
cp.async.bulk.tensor.6d.shared::cluster.global.mbarrier::complete_tx::bytes [s], [%rd0, {%r0}], [m];
mapa.shared::cluster.u32 %rd0, %r1, %r2;
getctarank.shared::cluster.u32 %rd0, %r1;
st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.b64 [%r0], {%rd1, %rd1, %rd1, %rd1}, [%r5];
red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.f32 [%r0], %f1, [%r2];
)";

} // namespace

TEST_F(SyntaxTest, everyFormLoads) {
  for (const std::string &statement : lines(legal))
    EXPECT_EQ(errorOf([&] {
                device->loadModule(header + kernel(statement + "\n"), "k.ptx");
              }),
              "no error")
        << statement;
  expectAssembles(kernel(std::string(legal)));
}

TEST_F(SyntaxTest, otherFormsDoNot) {
  for (const std::string &statement : lines(illegal))
    EXPECT_THAT(errorOf([&] {
                  device->loadModule(header + kernel(statement + "\n"),
                                     "k.ptx");
                }),
                testing::StartsWith("k.ptx:8: "))
        << statement;
}
