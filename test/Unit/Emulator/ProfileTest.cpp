// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What EmulatorOptions::profile collects of accesses: wavefronts, sectors and
// bytes by path.

#include "AsyncWorkTest.h"

#include <map>

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class ProfileTest : public AsyncWorkTest {
protected:
  ProfileTest() {
    EmulatorOptions options;
    options.hostThreads = 1;
    options.profile = true;
    device = createEmulator(options);
  }

  const EmulatorProfile &profile() const { return *device->launchProfile(); }

  /// The profile of one warp that executes \p statements with its lane in %r0,
  /// 4 KiB of shared memory at %r1 and \p memory, or 4 KiB of it, at %rd0.
  const EmulatorProfile &profileOf(const std::string &statements,
                                   std::vector<uint32_t> memory = {}) {
    memory.resize(1024);
    std::string ptx = R"(.visible .entry kernel(.param .u64 in) {
      .shared .align 1024 .b8 tile[8192];
      .reg .b16 %h<2>; .reg .b32 %r<16>; .reg .b64 %rd<8>; .reg .pred %p;
      ld.param.u64 %rd0, [in]; mov.u32 %r0, %tid.x; mov.u32 %r1, tile;
)" + statements + "\nret;\n}\n";
    expectAssembles(ptx);
    LaunchConfiguration configuration;
    configuration.block = {32, 1, 1};
    run(ptx, configuration, Parameters().add(upload(memory)));
    return profile();
  }

  /// %r2 is the lane times \p stride bytes into shared memory.
  static std::string sharedAddress(unsigned stride) {
    return "mad.lo.u32 %r2, %r0, " + std::to_string(stride) + ", %r1;\n";
  }
  static std::string globalAddress(unsigned stride) {
    return "mad.wide.u32 %rd1, %r0, " + std::to_string(stride) + ", %rd0;\n";
  }

  /// \p statement goes to shared memory once.
  void expectBanks(const std::string &statements,
                   EmulatorProfile::SharedKind kind, uint64_t wavefronts,
                   uint64_t excess) {
    const BankCounts &counts = profileOf(statements).banks[kind];
    EXPECT_EQ(counts.accesses, 1u) << statements;
    EXPECT_EQ(counts.wavefronts, wavefronts) << statements;
    EXPECT_EQ(counts.excess, excess) << statements;
  }

  void expectSectors(const std::string &statements,
                     EmulatorProfile::GlobalKind kind, uint64_t sectors,
                     uint64_t usedBytes) {
    const SectorCounts &counts = profileOf(statements).sectors[kind];
    EXPECT_EQ(counts.accesses, 1u) << statements;
    EXPECT_EQ(counts.sectors, sectors) << statements;
    EXPECT_EQ(counts.usedBytes, usedBytes) << statements;
  }

  /// The paths that have bytes, without those of the tile that is filled.
  std::map<std::string, uint64_t> paths(uint64_t filled = 0) const {
    std::map<std::string, uint64_t> result;
    for (size_t index = 0; index < bytePathCount; ++index)
      result[std::string(bytePathName(BytePath(index)))] =
          profile().bytes[index];
    result["registers -> shared"] -= filled;
    for (auto path = result.begin(); path != result.end();)
      path = path->second == 0 ? result.erase(path) : std::next(path);
    return result;
  }
};

using Paths = std::map<std::string, uint64_t>;

} // namespace

TEST_F(ProfileTest, banksOfWords) {
  for (auto [stride, wavefronts] :
       std::initializer_list<std::pair<unsigned, unsigned>>{
           {0, 1}, {4, 1}, {8, 2}, {12, 1}, {16, 4}, {128, 32}, {132, 1}}) {
    std::string address = sharedAddress(stride);
    expectBanks(address + "ld.shared.u32 %r3, [%r2];",
                EmulatorProfile::SharedLoads, wavefronts, wavefronts - 1);
    expectBanks(address + "st.shared.u32 [%r2], %r0;",
                EmulatorProfile::SharedStores, wavefronts, wavefronts - 1);
  }
  // Lanes share words; a generic address is as good.
  expectBanks(sharedAddress(2) + "ld.shared.u16 %h0, [%r2];",
              EmulatorProfile::SharedLoads, 1, 0);
  expectBanks(sharedAddress(128) + "cvt.u64.u32 %rd1, %r2;\n"
                                   "cvta.shared.u64 %rd1, %rd1;\n"
                                   "ld.u32 %r3, [%rd1];",
              EmulatorProfile::SharedLoads, 32, 31);
  // Eight lanes.
  expectBanks(sharedAddress(128) + "setp.lt.u32 %p, %r0, 8;\n"
                                   "@%p ld.shared.u32 %r3, [%r2];",
              EmulatorProfile::SharedLoads, 8, 7);
}

TEST_F(ProfileTest, banksOfWideAccesses) {
  auto load = [](unsigned stride, const char *statement) {
    return sharedAddress(stride) + statement;
  };
  // Two halves, four quarters of a warp.
  const char *two = "ld.shared.v2.u32 {%r3, %r4}, [%r2];";
  const char *four = "ld.shared.v4.u32 {%r3, %r4, %r5, %r6}, [%r2];";
  expectBanks(load(8, two), EmulatorProfile::SharedLoads, 2, 0);
  expectBanks(load(16, two), EmulatorProfile::SharedLoads, 4, 2);
  expectBanks(load(128, two), EmulatorProfile::SharedLoads, 32, 30);
  expectBanks(load(16, four), EmulatorProfile::SharedLoads, 4, 0);
  expectBanks(load(32, four), EmulatorProfile::SharedLoads, 8, 4);
  expectBanks(load(128, four), EmulatorProfile::SharedLoads, 32, 28);
  expectBanks(load(144, four), EmulatorProfile::SharedLoads, 4, 0);
}

TEST_F(ProfileTest, banksOfAtomics) {
  expectBanks(sharedAddress(4) + "red.shared.add.u32 [%r2], %r0;",
              EmulatorProfile::SharedAtomics, 1, 0);
  expectBanks("atom.shared.add.u32 %r3, [%r1], %r0;",
              EmulatorProfile::SharedAtomics, 32, 31);
}

TEST_F(ProfileTest, banksOfMatrices) {
  // Lane 8i + j has row j of matrix i, which is chunk i of that row.
  auto address = [](unsigned pitch, bool isSwizzled) {
    return "and.b32 %r2, %r0, 7;\nshr.u32 %r3, %r0, 3;\n" +
           std::string(isSwizzled ? "xor.b32 %r3, %r3, %r2;\n" : "") +
           "mad.lo.u32 %r2, %r2, " + std::to_string(pitch) +
           ", %r1;\nmad.lo.u32 %r2, %r3, 16, %r2;\n";
  };
  const char *load = "ldmatrix.sync.aligned.m8n8.x4.shared.b16 "
                     "{%r4, %r5, %r6, %r7}, [%r2];";
  const char *store = "stmatrix.sync.aligned.m8n8.x2.shared.b16 "
                      "[%r2], {%r0, %r0};";
  expectBanks(address(128, false) + load, EmulatorProfile::MatrixRows, 32, 28);
  expectBanks(address(128, true) + load, EmulatorProfile::MatrixRows, 4, 0);
  expectBanks(address(144, false) + load, EmulatorProfile::MatrixRows, 4, 0);
  expectBanks(address(64, false) + load, EmulatorProfile::MatrixRows, 16, 12);
  expectBanks(address(128, false) + store, EmulatorProfile::MatrixRows, 16, 14);
  expectBanks(address(128, true) + store, EmulatorProfile::MatrixRows, 2, 0);
}

TEST_F(ProfileTest, banksAtRandom) {
  for (unsigned round = 0; round < 20; ++round) {
    std::vector<uint32_t> offsets(32);
    std::map<uint32_t, std::set<uint32_t>> banks;
    size_t wavefronts = 0;
    for (uint32_t &offset : offsets) {
      offset = uint32_t(random() % (round % 2 ? 2048 : 64)) * 4;
      auto &bank = banks[offset / 4 % 32];
      bank.insert(offset);
      wavefronts = std::max(wavefronts, bank.size());
    }
    const BankCounts &counts =
        profileOf("mad.wide.u32 %rd1, %r0, 4, %rd0;\nld.global.u32 %r2, "
                  "[%rd1];\nadd.u32 %r2, %r2, %r1;\nld.shared.u32 %r3, [%r2];",
                  offsets)
            .banks[EmulatorProfile::SharedLoads];
    EXPECT_EQ(counts.wavefronts, wavefronts) << seedText;
    EXPECT_EQ(counts.excess, wavefronts - 1) << seedText;
  }
}

TEST_F(ProfileTest, sectors) {
  auto load = [](unsigned stride, const char *address) {
    return globalAddress(stride) + "ld.global.u32 %r3, " + address + ";";
  };
  expectSectors(load(4, "[%rd1]"), EmulatorProfile::GlobalLoads, 4, 128);
  expectSectors(load(4, "[%rd1+16]"), EmulatorProfile::GlobalLoads, 5, 128);
  expectSectors(load(8, "[%rd1]"), EmulatorProfile::GlobalLoads, 8, 128);
  expectSectors(load(32, "[%rd1]"), EmulatorProfile::GlobalLoads, 32, 128);
  expectSectors(load(0, "[%rd1]"), EmulatorProfile::GlobalLoads, 1, 4);
  expectSectors(globalAddress(16) +
                    "ld.global.v4.u32 {%r3, %r4, %r5, %r6}, [%rd1];",
                EmulatorProfile::GlobalLoads, 16, 512);
  expectSectors(globalAddress(64) + "st.global.u16 [%rd1], %h0;",
                EmulatorProfile::GlobalStores, 32, 64);
  expectSectors(sharedAddress(16) + globalAddress(64) +
                    "cp.async.ca.shared.global [%r2], [%rd1], 16;",
                EmulatorProfile::AsyncCopies, 32, 512);
  expectSectors(sharedAddress(16) + globalAddress(16) +
                    "cp.async.ca.shared.global [%r2], [%rd1], 16, 4;",
                EmulatorProfile::AsyncCopies, 16, 128);
}

TEST_F(ProfileTest, namesTheWorstLines) {
  const EmulatorProfile &found =
      profileOf("shl.b32 %r3, %r0, 6;\nadd.u32 %r3, %r3, %r1;\n"
                "ld.shared.u32 %r4, [%r3];\nshl.b32 %r3, %r0, 7;\n"
                "add.u32 %r3, %r3, %r1;\nst.shared.u32 [%r3], %r4;\n" +
                sharedAddress(4) + "ld.shared.u32 %r4, [%r2];\n" +
                globalAddress(8) + "st.global.u32 [%rd1], %r4;");
  ASSERT_EQ(found.bankLines.size(), 2u);
  EXPECT_EQ(found.bankLines[0].opcode, "st.shared.u32");
  EXPECT_EQ(found.bankLines[0].counts.excess, 31u);
  EXPECT_EQ(found.bankLines[1].opcode, "ld.shared.u32");
  EXPECT_EQ(found.bankLines[1].counts.excess, 15u);
  EXPECT_EQ(found.bankLines[0].line, found.bankLines[1].line + 3);
  ASSERT_EQ(found.sectorLines.size(), 1u);
  EXPECT_EQ(found.sectorLines[0].opcode, "st.global.u32");
  EXPECT_EQ(found.sectorLines[0].counts.efficiency(), 0.5);
}

TEST_F(ProfileTest, bytesOfThreads) {
  profileOf(sharedAddress(4) + globalAddress(4) +
            ".local .align 4 .b8 own[8];\n"
            "ld.global.u32 %r3, [%rd1];\nst.global.u8 [%rd1], %r3;\n"
            "red.global.add.u32 [%rd1], %r3;\n"
            "ld.shared.v2.u32 {%r4, %r5}, [tile];\nst.shared.u16 [%r2], %h0;\n"
            "atom.shared.add.u32 %r6, [%r2], %r3;\n"
            "st.local.u32 [own], %r3;\nld.local.u16 %h0, [own];\n"
            "cp.async.ca.shared.global [%r2], [%rd1], 4;\n");
  EXPECT_EQ(paths(), (Paths{{"global -> registers", 128},
                            {"registers -> global", 32},
                            {"atomics on global memory", 128},
                            {"shared -> registers", 256},
                            {"registers -> shared", 64},
                            {"atomics on shared memory", 128},
                            {"registers -> local", 128},
                            {"local -> registers", 64},
                            {"global -> shared, cp.async", 128}}));
}

TEST_F(ProfileTest, bytesOfBulkCopies) {
  DeviceAddress in = upload(randomWords(1024));
  ASSERT_EQ(
      runSimple(
          "mov.u32 %r1, %cluster_ctarank;\nor.b32 %r1, %r1, %r0;\n"
          "setp.ne.u32 %p0, %r1, 0;\n@%p0 bra END;\n"
          "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 528;\n"
          "cp.async.bulk.shared::cluster.global"
          ".mbarrier::complete_tx::bytes [tile], [%rd0], 512, [bar];\n"
          "mov.u32 %r1, tile;\nmov.u32 %r2, bar;\n"
          "mapa.shared::cluster.u32 %r3, %r1, 0;\n"
          "mapa.shared::cluster.u32 %r4, %r2, 0;\n"
          "cp.async.bulk.shared::cluster.shared::cta"
          ".mbarrier::complete_tx::bytes [%r3+1024], [tile+2048], 16, "
          "[%r4];\n" +
              waitForBar() +
              "cp.async.bulk.global.shared::cta.bulk_group [%rd1], [tile], "
              "256;\n"
              "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32 "
              "[%rd1], [tile], 64;\n"
              "cp.async.bulk.commit_group;\ncp.async.bulk.wait_group 0;\nEND:",
          in, device->allocate(4096), 64, true, /*clusterCtas=*/2),
      "no error");
  EXPECT_EQ(paths(8192), (Paths{{"global -> shared, bulk copies", 512},
                                {"shared -> global, bulk copies", 256},
                                {"shared -> global, reductions", 64},
                                {"between CTAs of a cluster", 16}}));
}

TEST_F(ProfileTest, bytesOfAnotherCta) {
  std::string ptx = R"(.visible .entry kernel() {
    .shared .align 1024 .b8 tile[1024];
    .reg .b32 %r<8>; .reg .pred %p;
    mov.u32 %r0, %tid.x; mov.u32 %r1, %cluster_ctarank;
    xor.b32 %r1, %r1, 1; mov.u32 %r2, tile;
    mad.lo.u32 %r2, %r0, 4, %r2;
    mapa.shared::cluster.u32 %r3, %r2, %r1;
    st.shared::cluster.u32 [%r3], %r0;
    barrier.cluster.arrive; barrier.cluster.wait;
    ld.shared.u32 %r4, [%r2];
    ret;
  })";
  expectAssembles(ptx);
  LaunchConfiguration configuration;
  configuration.block = {32, 1, 1};
  configuration.grid = {4, 1, 1};
  configuration.cluster = {2, 1, 1};
  run(ptx, configuration, Parameters());
  EXPECT_EQ(paths(), (Paths{{"between CTAs of a cluster", 512},
                            {"shared -> registers", 512}}));
  // Both CTAs of a cluster do the same.
  ASSERT_EQ(profile().roles.size(), 1u);
  EXPECT_EQ(profile().roles[0].warps,
            (std::vector<std::vector<uint32_t>>{{0}, {0}}));
  EXPECT_EQ(profile().roles[0].warpCount, 4u);
  ASSERT_EQ(profile().roles[0].waits.size(), 1u);
  EXPECT_EQ(profile().roles[0].waits[0].kind,
            EmulatorProfile::WaitKind::ClusterBarrier);
  EXPECT_EQ(profile().roles[0].waits[0].reached, 4u);
}

TEST_F(ProfileTest, isOffByDefault) {
  EXPECT_EQ(createEmulator()->launchProfile(), nullptr);
}

TEST_F(ProfileTest, aLaunchThatFailsHasNone) {
  profileOf("ld.shared.u32 %r3, [tile];");
  ASSERT_EQ(paths().size(), 1u);
  EXPECT_ANY_THROW(profileOf("trap;"));
  EXPECT_EQ(paths().size(), 0u);
}
