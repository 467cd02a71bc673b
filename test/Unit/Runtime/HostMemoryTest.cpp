// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the system's files say of memory, for systems of any kind.

#include "TestSupport.h"

#include "pbs/Runtime/HostMemory.h"

#include <fstream>

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::MatchesRegex;

namespace {

struct HostMemory : testing::Test {
  TemporaryFolder root;

  void write(const std::string &name, const std::string &text) {
    std::filesystem::path path = root / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void SetUp() override {
    write("proc/meminfo", "MemTotal:       9000000 kB\n"
                          "MemFree:             1 kB\n"
                          "MemAvailable:  1000000 kB\n");
  }
  uint64_t available() { return availableHostMemory(root.path()); }
};

constexpr uint64_t ofSystem = uint64_t(1000000) * 1024;

} // namespace

TEST_F(HostMemory, OfASystemWithoutControlGroups) {
  EXPECT_EQ(available(), ofSystem);
  std::filesystem::remove(root / "proc/meminfo");
  EXPECT_GT(available(), 0u);
}

TEST_F(HostMemory, OfControlGroupsOfVersionTwo) {
  write("proc/self/cgroup", "0::/user/task\n");
  const std::string group = "sys/fs/cgroup/user/task/";
  write(group + "memory.max", "max\n");
  write(group + "memory.current", "5000\n");
  EXPECT_EQ(available(), ofSystem);
  write(group + "memory.max", "8000\n");
  EXPECT_EQ(available(), 3000u);
  // The cache gives way.
  write(group + "memory.stat", "anon 1\nfile 9\ninactive_file 700\n");
  EXPECT_EQ(available(), 3700u);
  // The group around it leaves less; and nothing, where it is beyond its limit.
  write("sys/fs/cgroup/user/memory.max", "6000\n");
  write("sys/fs/cgroup/user/memory.current", "5500\n");
  EXPECT_EQ(available(), 500u);
  write("sys/fs/cgroup/user/memory.current", "7000\n");
  EXPECT_EQ(available(), 0u);
}

TEST_F(HostMemory, OfAContainer) {
  // The group's name is one outside, or the root inside.
  for (const char *name : {"0::/docker/1234\n", "0::/\n"}) {
    write("proc/self/cgroup", name);
    write("sys/fs/cgroup/memory.max", "8000\n");
    write("sys/fs/cgroup/memory.current", "1000\n");
    EXPECT_EQ(available(), 7000u) << name;
  }
}

TEST_F(HostMemory, OfControlGroupsOfVersionOne) {
  write("proc/self/cgroup", "8:cpu:/other\n4:hugetlb,memory:/task\n0::/\n");
  const std::string group = "sys/fs/cgroup/memory/task/";
  write(group + "memory.limit_in_bytes", "9223372036854771712\n");
  write(group + "memory.usage_in_bytes", "5000\n");
  EXPECT_EQ(available(), ofSystem);
  write(group + "memory.limit_in_bytes", "20000\n");
  write(group + "memory.stat", "inactive_file 1\ntotal_inactive_file 100\n");
  EXPECT_EQ(available(), 15100u);
}

TEST(CheckHostMemory, SaysWhatNeedsHowMuch) {
  checkHostMemory("little", 1);
  EXPECT_THAT(messageOf([] { checkHostMemory("much", UINT64_MAX); }),
              MatchesRegex("much: needs 18446744073709551615 bytes, the host "
                           "has [0-9]+"));
  EXPECT_THAT(messageOf([] {
                Array(ElementType::F32, {int64_t(1) << 32, int64_t(1) << 20});
              }),
              MatchesRegex("an array of shape .4294967296, 1048576.: needs "
                           "18014398509481984 bytes, the host has [0-9]+"));
}
