// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "FakeDevice.h"
#include "TestSupport.h"

#include "pbs/Runtime/Launcher.h"
#include "pbs/Runtime/ParameterBuffer.h"

#include <cctype>
#include <cstddef>
#include <fstream>

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::ElementsAre;
using testing::EndsWith;

namespace {

const std::string planText = R"({
  "format": "pbs-plan", "version": 1, "producer": "a test",
  "module": {"ptx": "k.ptx", "chip": "sm_80", "ptx_version": "7.0"},
  "entries": [{
    "name": "main", "sizes": ["B", "N"],
    "arguments": [
      {"name": "q", "role": "input", "type": "bf16", "shape": ["B", "N", 16],
       "strides": "rows", "alignment": 16},
      {"name": "out", "role": "output", "type": "f32", "shape": ["B", "N"],
       "strides": "contiguous", "alignment": 4}
    ],
    "requirements": [{"condition": ["le", "N", 100],
                      "message": "N is at most 100"}],
    "buffers": [{"name": "work", "bytes": ["mul", "multiprocessors", "N"],
                 "alignment": 1024}],
    "tensor_maps": [{"name": "map", "tensor": "q", "offset": 32,
                     "type": "bf16", "shape": [16, ["sub", "N", 1]],
                     "strides": [["mul", ["stride", "q", 1], 2]],
                     "box": [16, 8], "swizzle": 32},
                    {"name": "unused", "tensor": "q", "type": "bf16",
                     "shape": ["N"], "strides": [], "box": [8], "swizzle": 0}],
    "steps": [
      {"memset": {"buffer": "work", "value": 3, "bytes": ["mul", "N", 2]}},
      {"guard": ["gt", "N", 50],
       "launch": {"kernel": "large", "grid": [["floordiv", 1, 0], 1, 1],
                  "block": [32, 1, 1], "shared_bytes": 0, "parameters": []}},
      {"launch": {"kernel": "empty", "grid": ["B", ["floordiv", "N", 50], 1],
                  "block": [32, 1, 1], "shared_bytes": 0,
                  "parameters": [{"i32": ["floordiv", 1, 0]}]}},
      {"launch": {"kernel": "k", "grid": ["B", "N", 4], "block": [32, 2, 1],
                  "cluster": [1, 1, 2], "shared_bytes": 50000,
                  "attributes": {"programmatic_stream_serialization": true},
                  "parameters": [{"i32": ["sub", 0, "N"]}, {"pointer": "q"},
                                 {"f32": 0.25}, {"tensor_map": "map"},
                                 {"i32": 7}, {"i64": ["stride", "q", 0]},
                                 {"pointer": "work", "offset": "N"},
                                 {"pointer": "out"}]}}
    ]
  }]
})";

struct Launcher : testing::Test {
  FakeDevice device;
  Plan plan = parsePlan(planText, "p");

  /// \p text with one replacement.
  Plan planWith(const std::string &from, const std::string &to) {
    std::string text = planText;
    size_t position = text.find(from);
    EXPECT_NE(position, std::string::npos) << from;
    return parsePlan(text.replace(position, from.size(), to), "p");
  }
  Executable load(const Plan &plan) {
    return Executable(device, plan, "main", "large empty k", "k.ptx");
  }
  /// The message of a run with B = 2, N = 10 after a replacement; nothing may
  /// have been allocated or enqueued.
  std::string messageWith(const std::string &from, const std::string &to) {
    device.log.clear();
    Plan changed = planWith(from, to);
    Executable executable = load(changed);
    std::string message = messageOf(
        [&] { executable.run({Array(ElementType::BF16, {2, 10, 16})}); });
    EXPECT_TRUE(device.log.empty());
    return message;
  }
};

TEST_F(Launcher, PacksParametersAtTheirNaturalAlignment) {
  std::mt19937_64 generator = freshGenerator();
  // Rows of 24 elements of which 16 are used.
  Array storage = randomArray(generator, ElementType::BF16, {2, 10, 24});
  Array q(ElementType::BF16, {2, 10, 16}, {240, 24, 1}, storage.storage());
  Array expected = randomArray(generator, ElementType::F32, {2, 10});
  device.execute = [&](FakeDevice &fake, const FakeDevice::RecordedLaunch &l) {
    DeviceAddress input = l.parameter<DeviceAddress>(8);
    EXPECT_EQ(input % 16, 0u);
    EXPECT_EQ(std::memcmp(fake.host(input, q.storage().size()),
                          q.storage().data(), q.storage().size()),
              0);
    DeviceAddress work = l.parameter<DeviceAddress>(208);
    EXPECT_EQ(work % 1024, 10u);
    uint8_t *bytes = fake.host(work - 10, 70);
    for (int i = 0; i < 70; ++i)
      EXPECT_EQ(bytes[i], i < 20 ? 3 : 0x5a);
    // All but the last element of the output is written.
    uint8_t *output = fake.host(l.parameter<DeviceAddress>(216), 80);
    for (int i = 0; i < 80; ++i)
      EXPECT_EQ(output[i], 0xff);
    std::memcpy(output, expected.storage().data(), 76);
    ASSERT_EQ(fake.tensorMaps.size(), 1u);
    EXPECT_EQ(fake.tensorMaps[0].base, input + 32);
  };
  std::vector<std::string> observed;
  {
    Executable executable = load(plan);
    executable.afterLaunch = [&](const Launch &launch,
                                 const LaunchConfiguration &configuration) {
      observed.push_back(launch.kernel);
      EXPECT_EQ(configuration.grid[1], 10u);
    };
    std::vector<Array> outputs = executable.run({q});
    ASSERT_EQ(outputs.size(), 1u);
    EXPECT_EQ(
        std::memcmp(outputs[0].storage().data(), expected.storage().data(), 76),
        0);
    EXPECT_EQ(outputs[0].data<uint32_t>()[19], 0xffffffffu);
  }
  EXPECT_TRUE(device.allocations.empty());
  EXPECT_THAT(observed, ElementsAre("k"));
  ASSERT_EQ(device.launches.size(), 1u);
  const FakeDevice::RecordedLaunch &launch = device.launches[0];
  EXPECT_THAT(launch.configuration.grid, ElementsAre(2u, 10u, 4u));
  EXPECT_THAT(launch.configuration.block, ElementsAre(32u, 2u, 1u));
  EXPECT_THAT(launch.configuration.cluster, ElementsAre(1u, 1u, 2u));
  EXPECT_EQ(launch.configuration.dynamicSharedBytes, 50000u);
  EXPECT_TRUE(launch.configuration.programmaticStreamSerialization);
  // i32 at 0, pointer at 8, f32 at 16, map at 64, i32 at 192, i64 at 200: the
  // offsets that a C struct of the same members has.
  struct Parameters {
    int32_t n;
    DeviceAddress q;
    float scale;
    TensorMap map;
    int32_t seven;
    int64_t stride;
    DeviceAddress work, out;
  };
  static_assert(offsetof(Parameters, work) == 208);
  EXPECT_EQ(launch.parameters.size(), offsetof(Parameters, out) + 8);
  EXPECT_EQ(launch.parameter<int32_t>(0), -10);
  EXPECT_EQ(launch.parameter<float>(16), 0.25f);
  EXPECT_EQ(launch.parameter<uint8_t>(64), 1);
  EXPECT_EQ(launch.parameter<uint8_t>(191), 1);
  EXPECT_EQ(launch.parameter<int32_t>(192), 7);
  EXPECT_EQ(launch.parameter<int64_t>(200), 240);
  const TensorMapDescription &map = device.tensorMaps[0];
  EXPECT_EQ(map.elementBytes, 2u);
  EXPECT_EQ(map.format, TensorMapDescription::Format::BFloat);
  EXPECT_THAT(map.shape, ElementsAre(16u, 9u));
  EXPECT_THAT(map.strides, ElementsAre(48u));
  EXPECT_THAT(map.box, ElementsAre(16u, 8u));
  EXPECT_EQ(map.swizzleBytes, 32u);
}

/// Memory for a run with B = 2.
struct Tensors {
  Tensors(Device &device, int64_t n)
      : n(n), q(device, 2 * n * 16 * 2), out(device, 2 * n * 4) {}
  std::vector<TensorDescriptor> arguments() const {
    return {{ElementType::BF16,
             {2, n, 16},
             {n * 16, 16, 1},
             q.address(),
             q.bytes()},
            {ElementType::F32, {2, n}, {n, 1}, out.address(), out.bytes()}};
  }

  int64_t n;
  DeviceMemory q, out;
};

TEST_F(Launcher, RunsOverTheCallersMemoryAndKeepsItsWorkspace) {
  Executable executable = load(plan);
  auto run = [&](int64_t n) {
    Tensors tensors(device, n);
    device.log.clear();
    executable.run(tensors.arguments());
  };
  run(10);
  EXPECT_THAT(device.log,
              ElementsAre("allocate 1094", "fill 3", "launch k", "record"));
  run(8);
  EXPECT_THAT(device.log, ElementsAre("fill 3", "launch k", "record"));
  run(11);
  EXPECT_THAT(device.log, ElementsAre("synchronize all", "allocate 1101",
                                      "fill 3", "launch k", "record"));
}

TEST_F(Launcher, LetsStreamsThatShareItsWorkspaceWaitForEachOther) {
  Executable executable = load(plan);
  Tensors tensors(device, 10);
  int first = 0, second = 0;
  auto runOn = [&](Stream stream) {
    StreamScope scope(device, stream);
    device.log.clear();
    executable.run(tensors.arguments());
  };
  runOn(&first);
  runOn(&second);
  EXPECT_THAT(device.log,
              ElementsAre("wait for event", "fill 3", "launch k", "record"));
  // The name may have gone to another stream since.
  runOn(&second);
  EXPECT_THAT(device.log,
              ElementsAre("wait for event", "fill 3", "launch k", "record"));
  runOn(nullptr);
  EXPECT_THAT(device.log,
              ElementsAre("wait for event", "fill 3", "launch k", "record"));
  runOn(nullptr);
  EXPECT_THAT(device.log, ElementsAre("fill 3", "launch k", "record"));
  EXPECT_EQ(device.currentStream(), nullptr);
}

TEST_F(Launcher, WaitsForWhatAFailedRunHasEnqueued) {
  Executable executable = load(plan);
  Tensors tensors(device, 10), longer(device, 11);
  int first = 0, second = 0;
  auto runOn = [&](Stream stream, const Tensors &on) {
    StreamScope scope(device, stream);
    device.log.clear();
    executable.run(on.arguments());
  };
  device.execute = [](FakeDevice &, const FakeDevice::RecordedLaunch &) {
    throw Error("no launch");
  };
  // The fill has been enqueued.
  EXPECT_EQ(messageOf([&] { runOn(&first, tensors); }), "no launch");
  EXPECT_EQ(device.log.back(), "record");
  device.execute = nullptr;
  runOn(&second, tensors);
  EXPECT_EQ(device.log.front(), "wait for event");
  device.execute = [](FakeDevice &, const FakeDevice::RecordedLaunch &) {
    throw Error("no launch");
  };
  EXPECT_EQ(messageOf([&] { runOn(&first, tensors); }), "no launch");
  device.execute = nullptr;
  runOn(&second, longer);
  EXPECT_EQ(device.log.front(), "synchronize all");
}

TEST_F(Launcher, UsesTheWorkspaceThatItIsGiven) {
  Executable executable = load(plan);
  Tensors tensors(device, 10);
  std::vector<TensorDescriptor> arguments = tensors.arguments();
  EXPECT_EQ(executable.workspaceBytes(arguments), 70u);
  EXPECT_EQ(executable.workspaceBytes({arguments[0]}), 70u);
  DeviceMemory memory(device, 80, 1024);
  device.log.clear();
  executable.run(arguments, {memory.address(), 70});
  EXPECT_THAT(device.log, ElementsAre("fill 3", "launch k"));
  EXPECT_EQ(device.launches.back().parameter<DeviceAddress>(208),
            memory.address() + 10);
  EXPECT_EQ(
      messageOf([&] { executable.run(arguments, {memory.address(), 69}); }),
      "entry 'main', workspace: has 69 bytes, expected at least 70");
  EXPECT_EQ(messageOf([&] {
              executable.run(arguments, {memory.address() + 256, 70});
            }),
            "entry 'main', workspace: its address is no multiple of 1024");
}

TEST_F(Launcher, PlacesEachBufferAtItsAlignment) {
  Plan changed =
      planWith(R"("buffers": [)",
               R"("buffers": [{"name": "first", "bytes": 3, "alignment": 2},)");
  Executable executable = load(changed);
  Tensors tensors(device, 10);
  EXPECT_EQ(executable.workspaceBytes(tensors.arguments()), 1024u + 70u);
}

TEST_F(Launcher, CapturesARunThatReplaysWithoutTheHost) {
  Executable executable = load(plan);
  Tensors tensors(device, 10);
  device.log.clear();
  {
    CapturedRun captured = executable.capture(tensors.arguments());
    EXPECT_THAT(device.log, ElementsAre("allocate 1094", "begin capture",
                                        "fill 3", "launch k", "end capture"));
    device.log.clear();
    captured.replay();
    captured.replay();
    EXPECT_THAT(device.log, ElementsAre("replay", "replay"));
    device.log.clear();
  }
  EXPECT_THAT(device.log, ElementsAre("synchronize all"));
  device.execute = [](FakeDevice &, const FakeDevice::RecordedLaunch &) {
    throw Error("this cannot be captured");
  };
  device.log.clear();
  EXPECT_EQ(messageOf([&] { executable.capture(tensors.arguments()); }),
            "this cannot be captured");
  EXPECT_EQ(device.log.back(), "end capture");
}

TEST_F(Launcher, PrefersTheCubinWhereTheDeviceTakesIt) {
  Plan changed = planWith(R"("chip")", R"("cubin": "k.cubin", "chip")");
  TemporaryFolder folder;
  changed.file = folder / "p.plan.json";
  std::ofstream(folder / "k.ptx") << "large empty k";
  std::ofstream(folder / "k.cubin") << "machine code";
  for (bool takesCubins : {true, false}) {
    device.takesCubins = takesCubins;
    device.log.clear();
    Executable executable(device, changed);
    EXPECT_THAT(device.log, ElementsAre("cubin machine code"));
    EXPECT_EQ(executable.entry().name, "main");
  }
}

TEST_F(Launcher, DoesNotAskForMachineCodeOfAnotherChip) {
  TemporaryFolder folder;
  std::ofstream(folder / "k.ptx") << "large empty k";
  std::ofstream(folder / "k.cubin") << "machine code";
  struct Case {
    const char *plan, *device;
    bool fits;
  };
  for (auto [chip, here, fits] :
       std::initializer_list<Case>{{"sm_80", "sm_80", true},
                                   {"sm_80", "sm_86", true},
                                   {"sm_86", "sm_80", false},
                                   {"sm_80", "sm_90a", false},
                                   {"sm_90", "sm_90a", true},
                                   {"sm_90a", "sm_90a", true},
                                   {"sm_100a", "sm_103a", false},
                                   {"sm_100f", "sm_103a", true},
                                   {"sm_100", "sm_120a", false},
                                   {"another", "sm_90a", true}}) {
    SCOPED_TRACE(std::string(chip) + " on " + here);
    Plan changed = planWith(R"("chip")", R"("cubin": "k.cubin", "chip")");
    changed.file = folder / "p.plan.json";
    changed.chip = chip;
    device.chipName = here;
    device.log.clear();
    Executable executable(device, changed);
    EXPECT_EQ(!device.log.empty(), fits);
  }
}

TEST_F(Launcher, ChecksTheAddressesOfTheCallersMemory) {
  Executable executable = load(plan);
  std::vector<TensorDescriptor> arguments = {
      {ElementType::BF16, {1, 4, 16}, {64, 16, 1}, 0x10008, 128},
      {ElementType::F32, {1, 4}, {4, 1}, 0x20000, 16}};
  EXPECT_THAT(messageOf([&] { executable.run(arguments); }),
              EndsWith("address 65544 is not a multiple of 16 bytes"));
  arguments.pop_back();
  EXPECT_EQ(messageOf([&] { executable.run(arguments); }),
            "entry 'main' takes 2 arguments, inputs and outputs, found 1");
  EXPECT_TRUE(device.log.empty());
}

TEST_F(Launcher, EvaluatesSharedBytes) {
  std::mt19937_64 generator = freshGenerator();
  Array q = randomArray(generator, ElementType::BF16, {2, 10, 16});
  auto bytesWith = [&](const std::string &expression) {
    Plan changed = planWith("50000", expression);
    load(changed).run({q});
    return device.launches.back().configuration.dynamicSharedBytes;
  };
  EXPECT_EQ(bytesWith(R"(["add", ["mul", "N", 5], 528])"), 578u);
  EXPECT_EQ(bytesWith(R"(["mul", "multiprocessors", "N"])"), 70u);
  EXPECT_EQ(bytesWith(R"(["sub", "N", 10])"), 0u);
  EXPECT_EQ(bytesWith(R"(["sub", 2147483657, "N"])"), 2147483647u);
}

TEST_F(Launcher, TellsOfEachLaunchBeforeAndAfterIt) {
  std::mt19937_64 generator = freshGenerator();
  Array q = randomArray(generator, ElementType::BF16, {2, 10, 16});
  // Two of the kernels run.
  Plan changed = planWith(R"(["gt", "N", 50],
       "launch": {"kernel": "large", "grid": [["floordiv", 1, 0], 1, 1])",
                          R"(1,
       "launch": {"kernel": "large", "grid": [1, 1, 1])");
  Executable executable = load(changed);
  executable.beforeLaunch = [&](const Launch &launch) {
    device.log.push_back("before " + launch.kernel);
  };
  executable.afterLaunch = [&](const Launch &launch,
                               const LaunchConfiguration &configuration) {
    device.log.push_back("after " + launch.kernel + " of " +
                         std::to_string(configuration.grid[0]));
  };
  executable.run({q});
  auto fill = std::find(device.log.begin(), device.log.end(), "fill 3");
  EXPECT_THAT(std::vector<std::string>(fill, device.log.end()),
              ElementsAre("fill 3", "before large", "launch large",
                          "after large of 1", "before k", "launch k",
                          "after k of 2", "record", "synchronize"));
}

TEST_F(Launcher, RefusesBeforeAnythingHappens) {
  EXPECT_EQ(messageWith(R"(["le", "N", 100])", R"(["le", "N", 9])"),
            "entry 'main': requirement not met: N is at most 100 (B = 2, N = "
            "10)");
  EXPECT_EQ(messageWith(R"(["mul", "multiprocessors", "N"])", "-1"),
            "entry 'main', buffer 'work': it would have -1 bytes");
  EXPECT_EQ(messageWith(R"(["mul", "N", 2])", "71"),
            "entry 'main', step 0 (memset of 'work'): bytes 0 to 71 do not lie "
            "in the 70 bytes of 'work'");
  EXPECT_EQ(messageWith(R"(["gt", "N", 50])", "1"),
            "entry 'main', step 1 (launch of 'large'): expression "
            "[\"floordiv\",1,0] divides by zero");
  EXPECT_EQ(messageWith(R"(["B", "N", 4])", R"(["B", 65536, 4])"),
            "entry 'main', step 3 (launch of 'k'): the grid's y extent is "
            "65536, expected at most 65535");
  EXPECT_EQ(messageWith(R"(["B", "N", 4])", R"(["B", "N", 3])"),
            "entry 'main', step 3 (launch of 'k'): the grid's z extent is 3, "
            "expected a multiple of the cluster's 2");
  EXPECT_EQ(
      messageWith("50000", R"(["sub", 0, "N"])"),
      "entry 'main', step 3 (launch of 'k'): expression [\"sub\",0,\"N\"] "
      "asks for -10 bytes of shared memory");
  EXPECT_EQ(messageWith("50000", R"(["mul", "N", 214748365])"),
            "entry 'main', step 3 (launch of 'k'): expression "
            "[\"mul\",\"N\",214748365] asks for 2147483650 bytes of shared "
            "memory");
  EXPECT_EQ(messageWith("50000", R"(["mod", "N", 0])"),
            "entry 'main', step 3 (launch of 'k'): expression "
            "[\"mod\",\"N\",0] divides by zero");
  EXPECT_EQ(messageWith(R"({"i32": 7})", R"({"i32": 2147483648})"),
            "entry 'main', step 3 (launch of 'k'), parameter 4: expression "
            "2147483648 is 2147483648, which does not fit a signed 32-bit "
            "integer");
  EXPECT_EQ(messageWith(R"("offset": "N")", R"("offset": 71)"),
            "entry 'main', step 3 (launch of 'k'), parameter 6: bytes 71 to 71 "
            "do not lie in the 70 bytes of 'work'");
  EXPECT_EQ(messageWith(R"(["sub", "N", 1])", R"(["mul", "N", 2])"),
            "entry 'main', tensor map 'map': bytes 32 to 672 do not lie in the "
            "640 bytes of 'q'");
}

TEST_F(Launcher, SurvivesDamagedPlans) {
  std::mt19937_64 generator = freshGenerator();
  Array q = randomArray(generator, ElementType::BF16, {2, 10, 16});
  int runs = 0;
  for (int i = 0; i < 20000; ++i) {
    // Digits and letters only, so that many of the plans stay valid.
    std::string text = planText;
    for (int64_t changes = uniform(generator, 1, 3); changes > 0; --changes) {
      char &character = text[uniform(generator, 0, text.size() - 1)];
      if (std::isdigit(character))
        character = static_cast<char>(uniform(generator, '0', '9'));
      else if (std::isalpha(character))
        character = "BNqk"[uniform(generator, 0, 3)];
    }
    try {
      Plan changed = parsePlan(text, "p");
      Executable(device, changed, "", "large empty k", "k.ptx").run({q});
      ++runs;
    } catch (const Error &) {
      // As it should be.
    }
  }
  EXPECT_GT(runs, 0);
  EXPECT_TRUE(device.allocations.empty());
}

TEST_F(Launcher, NamesAMissingKernel) {
  EXPECT_EQ(
      messageOf([&] { Executable(device, plan, "main", "large k", "k.ptx"); }),
      "k.ptx: no kernel 'empty', which entry 'main' launches");
}

TEST(ParameterBuffer, AlignsEachValue) {
  ParameterBuffer buffer;
  buffer.append(uint32_t(1));
  buffer.append(uint64_t(2));
  buffer.append(1.0f);
  buffer.append(TensorMap());
  EXPECT_EQ(buffer.bytes().size(), 64u + 128u);
  EXPECT_EQ(buffer.bytes()[8], 2);
}

} // namespace
