// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What EmulatorOptions::profile says of the roles of warps and their waits.

#include "AsyncWorkTest.h"

#include <sstream>

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

using Kind = EmulatorProfile::WaitKind;
using Warps = std::vector<std::vector<uint32_t>>;

class ProfileWaitTest : public AsyncWorkTest {
protected:
  static EmulatorOptions profiled() {
    EmulatorOptions options = late();
    options.profile = true;
    return options;
  }

  /// The profile of \p statements in one CTA, with the thread in %r0, 4 KiB of
  /// global memory at %rd0 and an mbarrier "bar" of one arrival.
  EmulatorProfile profileOf(const std::string &statements, uint32_t threads) {
    device = createEmulator(profiled());
    EXPECT_EQ(runSimple(statements, upload(randomWords(1024)),
                        device->allocate(4096), threads),
              "no error");
    return *device->launchProfile();
  }

  /// A product of matrices by Inputs/tma_wgmma_product.ptx: six CTAs with seven
  /// tiles along k.
  EmulatorProfile productProfile(const EmulatorOptions &options) {
    device = createEmulator(options);
    constexpr uint32_t m = 256, n = 384, k = 448;
    auto describe = [&](uint32_t rows, uint32_t length, uint32_t boxRows) {
      TensorMapDescription map;
      map.elementBytes = 2;
      map.format = TensorMapDescription::Format::BFloat;
      map.base = device->allocate(size_t(rows) * length * 2);
      map.shape = {length, rows};
      map.strides = {uint64_t(length) * 2};
      map.box = {64, boxRows};
      map.swizzleBytes = 128;
      return device->encodeTensorMap(map);
    };
    Parameters parameters;
    parameters.add(describe(m, k, 128))
        .add(describe(n, k, 128))
        .add(describe(m, n, 64))
        .add(k);
    LaunchConfiguration configuration;
    configuration.block = {384, 1, 1};
    configuration.grid = {n / 128, m / 128, 1};
    configuration.dynamicSharedBytes = 131120;
    std::ifstream file(PBS_INPUTS "/tma_wgmma_product.ptx");
    std::stringstream text;
    text << file.rdbuf();
    auto module = device->loadModule(text.str(), "product.ptx");
    device->launch(*module, "product", configuration, parameters.bytes);
    return *device->launchProfile();
  }

  static const EmulatorProfile::Wait *find(const EmulatorProfile::Role &role,
                                           const std::string &opcode) {
    for (const EmulatorProfile::Wait &wait : role.waits)
      if (wait.opcode.find(opcode) != std::string::npos)
        return &wait;
    return nullptr;
  }

  /// Everything about roles but the instructions, of which polling takes as
  /// many as it happens to.
  static std::string describeRoles(const EmulatorProfile &profile) {
    std::ostringstream text;
    for (const EmulatorProfile::Role &role : profile.roles) {
      for (const auto &warps : role.warps)
        for (uint32_t warp : warps)
          text << warp << " ";
      text << ": " << role.warpCount << " " << role.matrixFlops << "\n";
      for (const EmulatorProfile::Wait &wait : role.waits)
        text << wait.line << " " << wait.opcode << " " << wait.first << " "
             << wait.last << " " << wait.reached << " " << wait.waited << " "
             << wait.steps << "\n";
    }
    return text.str();
  }

  static std::string describe(const EmulatorProfile &profile) {
    std::ostringstream text;
    text << describeRoles(profile);
    for (uint64_t bytes : profile.bytes)
      text << bytes << " ";
    for (const BankCounts &counts : profile.banks)
      text << counts.accesses << " " << counts.wavefronts << " ";
    for (const auto &line : profile.bankLines)
      text << line.line << " " << line.counts.excess << " ";
    for (const EmulatorProfile::Role &role : profile.roles)
      text << role.instructions << " ";
    return text.str();
  }
};

} // namespace

TEST_F(ProfileWaitTest, barriersWaitForTheLast) {
  // Warp 1 executes 40 instructions more, warp 0 the branch.
  std::string work;
  for (unsigned index = 0; index < 40; ++index)
    work += "add.u32 %r1, %r1, 1;\n";
  EmulatorProfile found =
      profileOf("setp.lt.u32 %p0, %r0, 32;\n@%p0 bra MEET;\n" + work +
                    "MEET:\nbarrier.sync 3, 64;\n",
                64);
  // The same lines, so the same role.
  ASSERT_EQ(found.roles.size(), 1u);
  const EmulatorProfile::Role &role = found.roles[0];
  EXPECT_EQ(role.warps, (Warps{{0, 1}}));
  ASSERT_EQ(role.waits.size(), 2u);
  const EmulatorProfile::Wait &wait = role.waits[1];
  EXPECT_EQ(wait.opcode, "barrier.sync");
  EXPECT_EQ(wait.kind, Kind::Barrier);
  EXPECT_EQ(wait.first, 3u);
  EXPECT_EQ(wait.last, 3u);
  EXPECT_EQ(wait.reached, 2u);
  EXPECT_EQ(wait.waited, 1u);
  EXPECT_EQ(wait.steps, 39u);
}

TEST_F(ProfileWaitTest, copiesTakeTheirTime) {
  // 512 bytes of a warp are read in 16 steps and arrive 500 steps later. An
  // instruction is a step, so the wait begins one step after the copy.
  std::string copy = "mov.u32 %r1, tile;\nmad.lo.u32 %r1, %r0, 16, %r1;\n"
                     "mad.wide.u32 %rd2, %r0, 16, %rd0;\n"
                     "cp.async.cg.shared.global [%r1], [%rd2], 16;\n";
  const EmulatorProfile all =
      profileOf(copy + "cp.async.wait_all;\ncp.async.wait_all;", 32);
  const std::vector<EmulatorProfile::Wait> &waits = all.roles.at(0).waits;
  ASSERT_EQ(waits.size(), 3u);
  EXPECT_EQ(waits[1].kind, Kind::Copies);
  EXPECT_EQ(waits[1].waited, 1u);
  EXPECT_EQ(waits[1].steps, 515u);
  EXPECT_EQ(waits[2].waited, 0u);

  // Of two groups the first one.
  const EmulatorProfile first =
      profileOf(copy + "cp.async.commit_group;\n"
                       "cp.async.cg.shared.global [%r1], [%rd2], 16;\n"
                       "cp.async.commit_group;\ncp.async.wait_group 1;",
                32);
  EXPECT_EQ(first.roles.at(0).waits.at(1).steps, 512u);
}

TEST_F(ProfileWaitTest, bulkCopiesTakeTheirTime) {
  std::string begin = "setp.ne.u32 %p0, %r0, 0;\n@%p0 bra END;\n";
  // 1024 bytes take 32 steps. What is only read is over before it arrives.
  std::string store = "cp.async.bulk.global.shared::cta.bulk_group [%rd1], "
                      "[tile], 1024;\ncp.async.bulk.commit_group;\n";
  EmulatorProfile found = profileOf(begin + store +
                                        "cp.async.bulk.wait_group.read 0;\n"
                                        "cp.async.bulk.wait_group 0;\nEND:",
                                    64);
  ASSERT_EQ(found.roles.size(), 2u);
  EXPECT_EQ(found.roles[1].waits.size(), 1u);
  const std::vector<EmulatorProfile::Wait> &waits = found.roles[0].waits;
  ASSERT_EQ(waits.size(), 3u);
  EXPECT_EQ(waits[1].kind, Kind::BulkCopies);
  EXPECT_EQ(waits[1].steps, 30u);
  EXPECT_EQ(waits[2].steps, 499u);

  found = profileOf(begin +
                        "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 1024;\n"
                        "cp.async.bulk.shared::cluster.global"
                        ".mbarrier::complete_tx::bytes [tile], [%rd0], 1024, "
                        "[bar];\n" +
                        waitForBar() + "END:",
                    64);
  const EmulatorProfile::Wait *wait = find(found.roles.at(0), "try_wait");
  ASSERT_TRUE(wait);
  EXPECT_EQ(wait->kind, Kind::Mbarrier);
  EXPECT_EQ(wait->first, wait->last);
  EXPECT_EQ(wait->reached, 1u);
  EXPECT_EQ(wait->waited, 1u);
  EXPECT_EQ(wait->steps, 531u);
}

TEST_F(ProfileWaitTest, producerAndConsumers) {
  EmulatorProfile found = productProfile(profiled());
  ASSERT_EQ(found.roles.size(), 4u);
  const EmulatorProfile::Role &producer = found.roles[0];
  const EmulatorProfile::Role &idle = found.roles[1];
  const EmulatorProfile::Role &storing = found.roles[2];
  const EmulatorProfile::Role &consumer = found.roles[3];
  EXPECT_EQ(producer.warps, (Warps{{0}}));
  EXPECT_EQ(idle.warps, (Warps{{1, 2, 3}}));
  EXPECT_EQ(storing.warps, (Warps{{4, 8}}));
  EXPECT_EQ(consumer.warps, (Warps{{5, 6, 7, 9, 10, 11}}));
  EXPECT_EQ(producer.warpCount, 6u);
  EXPECT_EQ(consumer.warpCount, 36u);
  EXPECT_EQ(producer.matrixFlops, 0u);
  EXPECT_EQ(consumer.matrixFlops, uint64_t(2) * 256 * 384 * 448 * 6 / 8);
  EXPECT_EQ(consumer.matrixFlops, 3 * storing.matrixFlops);

  // Seven tiles through three stages: four times the producer comes back to a
  // stage that the consumers have to give up first.
  const EmulatorProfile::Wait *empty = find(producer, "mbarrier.try_wait");
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->first, 131096u);
  EXPECT_EQ(empty->last, 131096u + 16);
  EXPECT_EQ(empty->reached, 6u * 7);
  EXPECT_EQ(empty->waited, 6u * 4);
  EXPECT_GT(empty->steps, 0u);

  const EmulatorProfile::Wait *full = find(consumer, "mbarrier.try_wait");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->first, 131072u);
  EXPECT_EQ(full->last, 131072u + 16);
  EXPECT_EQ(full->reached, 36u * 7);
  EXPECT_GE(full->waited, 36u);
  EXPECT_GT(full->steps, empty->steps);
  const EmulatorProfile::Wait *group = find(consumer, "wgmma.wait_group");
  ASSERT_TRUE(group);
  EXPECT_EQ(group->kind, Kind::Products);
  EXPECT_EQ(group->reached, 36u * 7);
  const EmulatorProfile::Wait *read = find(storing, "wait_group.read");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->reached, 12u);
  EXPECT_FALSE(find(consumer, "wait_group.read"));

  EXPECT_EQ(found.bytesOf(BytePath::GlobalToSharedTensor),
            uint64_t(2) * 448 * (256 * 3 + 384 * 2));
  EXPECT_EQ(found.bytesOf(BytePath::SharedToGlobalTensor),
            uint64_t(2) * 256 * 384);
  // 64 by 16 of A and 16 by 128 of B for each product.
  EXPECT_EQ(found.bytesOf(BytePath::SharedToTensorCore),
            uint64_t(6) * 2 * 7 * 4 * (64 + 128) * 16 * 2);
  ASSERT_EQ(found.products.size(), 1u);
  EXPECT_EQ(found.products[0].shape, "wgmma m64n128k16");
  EXPECT_EQ(found.products[0].instructions, uint64_t(6) * 8 * 7 * 4);
  // stmatrix of swizzled rows.
  EXPECT_EQ(found.banks[EmulatorProfile::MatrixRows].excess, 0u);
  EXPECT_EQ(found.banks[EmulatorProfile::MatrixRows].wavefronts,
            uint64_t(6) * 8 * 8 * 4);
}

TEST_F(ProfileWaitTest, hostThreadsChangeNothing) {
  EmulatorOptions options = profiled();
  std::string alone = describe(productProfile(options));
  for (unsigned hostThreads : {2u, 3u}) {
    options.hostThreads = hostThreads;
    EXPECT_EQ(describe(productProfile(options)), alone);
  }
}

TEST_F(ProfileWaitTest, theOrderOfExecutionChangesNoWait) {
  EmulatorOptions options = profiled();
  std::string expected = describeRoles(productProfile(options));
  options.asyncCopies = EmulatorOptions::AsyncCopies::Early;
  EXPECT_EQ(describeRoles(productProfile(options)), expected);
  options = profiled();
  for (unsigned index = 0; index < 4; ++index) {
    options.seed = random();
    EXPECT_EQ(describeRoles(productProfile(options)), expected)
        << "seed " << *options.seed;
  }
}
