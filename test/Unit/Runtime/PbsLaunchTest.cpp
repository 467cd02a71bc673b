// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tool from outside: files in, files out, exit status and messages.

#include "TestSupport.h"

#include "pbs/Runtime/ArrayFile.h"
#include "pbs/Runtime/HostMemory.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sys/wait.h>

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;

namespace {

/// out[i] = a[i] + scale * b[i] for i < count; an element a thread.
const std::string scaledAdd = R"(
.version 7.0
.target sm_80
.address_size 64

.visible .entry scaled_add(
  .param .u64 a, .param .u64 b, .param .f32 scale, .param .u64 out,
  .param .u32 count)
{
  .reg .pred %p;
  .reg .b32 %r<5>;
  .reg .f32 %f<4>;
  .reg .b64 %rd<8>;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.s32 %r1, %r1, %r2, %r3;
  ld.param.u32 %r4, [count];
  setp.ge.u32 %p, %r1, %r4;
  @%p bra done;
  ld.param.u64 %rd1, [a];
  ld.param.u64 %rd2, [b];
  ld.param.u64 %rd3, [out];
  cvta.to.global.u64 %rd1, %rd1;
  cvta.to.global.u64 %rd2, %rd2;
  cvta.to.global.u64 %rd3, %rd3;
  mul.wide.u32 %rd4, %r1, 4;
  add.s64 %rd5, %rd1, %rd4;
  add.s64 %rd6, %rd2, %rd4;
  add.s64 %rd7, %rd3, %rd4;
  ld.global.f32 %f1, [%rd5];
  ld.global.f32 %f2, [%rd6];
  ld.param.f32 %f3, [scale];
  fma.rn.f32 %f1, %f2, %f3, %f1;
  st.global.f32 [%rd7], %f1;
done:
  ret;
}
)";

/// Runs the kernel twice through a workspace: work = a + 2 b, and, where more
/// than 10 elements are, out = work - b; else out is zeros.
const std::string planText = R"({
  "format": "pbs-plan", "version": 1, "producer": "a test",
  "module": {"ptx": "add.ptx", "chip": "sm_80", "ptx_version": "7.0"},
  "entries": [{
    "name": "add", "sizes": ["N"],
    "arguments": [
      {"name": "a", "role": "input", "type": "f32", "shape": ["N"],
       "strides": "contiguous", "alignment": 4},
      {"name": "b", "role": "input", "type": "f32", "shape": ["N"],
       "strides": "contiguous", "alignment": 4},
      {"name": "out", "role": "output", "type": "f32", "shape": ["N"],
       "strides": "contiguous", "alignment": 4}
    ],
    "requirements": [{"condition": ["lt", "N", 5000],
                      "message": "N is below 5000"}],
    "buffers": [{"name": "work", "bytes": ["mul", "N", 4], "alignment": 256}],
    "tensor_maps": [],
    "steps": [
      {"memset": {"buffer": "out", "value": 0, "bytes": ["mul", "N", 4]}},
      {"launch": {"kernel": "scaled_add", "grid": [["ceildiv", "N", 128], 1, 1],
                  "block": [128, 1, 1], "shared_bytes": 0,
                  "parameters": [{"pointer": "a"}, {"pointer": "b"}, {"f32": 2},
                                 {"pointer": "work"}, {"i32": "N"}]}},
      {"guard": ["gt", "N", 10],
       "launch": {"kernel": "scaled_add", "grid": [["ceildiv", "N", 128], 1, 1],
                  "block": [128, 1, 1], "shared_bytes": 0,
                  "parameters": [{"pointer": "work"}, {"pointer": "b"},
                                 {"f32": -1}, {"pointer": "out"},
                                 {"i32": "N"}]}}
    ]
  }]
})";

struct PbsLaunch : testing::Test {
  std::mt19937_64 generator = freshGenerator();
  TemporaryFolder folder;

protected:
  void SetUp() override {
    std::ofstream(folder / "add.ptx") << scaledAdd;
    std::ofstream(folder / "add.plan.json") << planText;
  }

  /// Runs the tool in the folder; returns its exit status and all it printed.
  std::pair<int, std::string> run(const std::string &arguments) {
    std::string command =
        "cd " + folder.path() + " && " PBS_LAUNCH " " + arguments + " 2>&1";
    FILE *pipe = popen(command.c_str(), "r");
    std::string output;
    std::array<char, 4096> buffer;
    while (size_t count = fread(buffer.data(), 1, buffer.size(), pipe))
      output.append(buffer.data(), count);
    int status = pclose(pipe);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
  }

  /// The one line of a run that must fail.
  std::string messageOfRun(const std::string &arguments) {
    auto [status, output] = run(arguments);
    EXPECT_EQ(status, 1) << output;
    EXPECT_THAT(output, testing::StartsWith("pbs-launch: "));
    EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 1) << output;
    return output;
  }

  /// Values that sum exactly, so that no tolerance is needed.
  Array randomIntegers(int64_t count) {
    Array array(ElementType::F32, {count});
    for (int64_t i = 0; i < count; ++i)
      array.data<float>()[i] =
          static_cast<float>(uniform(generator, -1000, 1000));
    return array;
  }
};

TEST_F(PbsLaunch, RunsAKernelWithoutAPlan) {
  int64_t count = uniform(generator, 1, 1000);
  Array a = randomIntegers(count), b = randomIntegers(count);
  writeArray(folder / "a.npy", a);
  writeArray(folder / "t.safetensors:b", b);
  auto [status, output] =
      run("add.ptx --device=emulator --kernel=scaled_add --grid=8 --block=128 "
          "--arg=a.npy --arg=t.safetensors:b --arg=f32:-0.5 --arg=out:f32:1024 "
          "--arg=u32:" +
          std::to_string(count) + " --result=sum.npy");
  ASSERT_EQ(status, 0) << output;
  EXPECT_EQ(output, "");
  Array sum = readArray(folder / "sum.npy");
  ASSERT_EQ(sum.shape(), std::vector<int64_t>{1024});
  for (int64_t i = 0; i < 1024; ++i) {
    if (i >= count) {
      EXPECT_TRUE(std::isnan(sum.data<float>()[i]));
      continue;
    }
    EXPECT_EQ(sum.data<float>()[i],
              a.data<float>()[i] - 0.5f * b.data<float>()[i]);
  }
}

TEST_F(PbsLaunch, RunsAPlan) {
  for (int64_t count :
       {uniform(generator, 1, 10), uniform(generator, 11, 2000)}) {
    Array a = randomIntegers(count), b = randomIntegers(count);
    writeArray(folder / "a.npy", a);
    writeArray(folder / "b.npy", b);
    auto [status, output] = run("add.plan.json --arg=a.npy --arg=b.npy "
                                "--result=t.safetensors:out --profile");
    ASSERT_EQ(status, 0) << output;
    EXPECT_THAT(output, HasSubstr("scaled_add: grid " +
                                  std::to_string((count + 127) / 128) +
                                  "x1x1, block 128x1x1"));
    Array out = readArray(folder / "t.safetensors:out");
    ASSERT_EQ(out.elementCount(), count);
    for (int64_t i = 0; i < count; ++i)
      EXPECT_EQ(out.data<float>()[i],
                count > 10 ? a.data<float>()[i] + b.data<float>()[i] : 0);
  }
}

TEST_F(PbsLaunch, WritesNothingAfterAFault) {
  writeArray(folder / "a.npy", randomIntegers(100));
  // 128 threads read 100 elements.
  std::string message = messageOfRun(
      "add.ptx --kernel=scaled_add --grid=1 --block=128 --arg=a.npy "
      "--arg=a.npy --arg=f32:1 --arg=out:f32:128 --arg=u32:128 "
      "--result=sum.npy");
  EXPECT_THAT(message, HasSubstr("add.ptx"));
  EXPECT_THAT(message, HasSubstr("scaled_add"));
  EXPECT_FALSE(std::filesystem::exists(folder / "sum.npy"));
}

TEST_F(PbsLaunch, NamesWhatIsWrongWithAPlansArguments) {
  writeArray(folder / "a.npy", randomIntegers(5));
  writeArray(folder / "b.npy", randomIntegers(6));
  writeArray(folder / "big.npy", randomIntegers(5000));
  writeArray(folder / "i.npy", Array(ElementType::I32, {5}));
  EXPECT_THAT(messageOfRun("add.plan.json --arg=a.npy --arg=b.npy"),
              EndsWith("entry 'add', argument 'b': dimension 0 has extent 6, "
                       "expected 5, which is N of argument 'a', dimension "
                       "0; a f32 (N) = a.npy f32 (5); b f32 (N) = b.npy f32 "
                       "(6)\n"));
  EXPECT_THAT(messageOfRun("add.plan.json --arg=a.npy"),
              EndsWith("entry 'add' takes 2 inputs (a, b), found 1 --arg; a "
                       "f32 (N) = a.npy; b f32 (N) = nothing\n"));
  EXPECT_THAT(messageOfRun("add.plan.json --arg=a.npy --arg=i.npy"),
              EndsWith("i.npy: argument 'b' has type f32, the file holds "
                       "i32; a f32 (N) = a.npy f32 (5); b f32 (N) = i.npy "
                       "i32 (5)\n"));
  EXPECT_THAT(messageOfRun("add.plan.json --arg=big.npy --arg=big.npy"),
              EndsWith("entry 'add': requirement not met: N is below 5000 (N = "
                       "5000)\n"));
  EXPECT_THAT(messageOfRun("add.plan.json --entry=none"),
              EndsWith("add.plan.json: no entry 'none'; the plan holds add\n"));
  EXPECT_THAT(messageOfRun("add.plan.json --result=x.npy --result=y.npy"),
              EndsWith("2 places for results, but 1 outputs\n"));
  EXPECT_THAT(messageOfRun("add.ptx --kernel=none --grid=1 --block=1"),
              EndsWith("add.ptx: no kernel 'none'; the PTX holds "
                       "scaled_add\n"));
}

TEST_F(PbsLaunch, NamesBadUsage) {
  const char *cases[][2] = {
      {"", "no input; name a plan or PTX, or see --help"},
      {"--colour=1", "--colour=1: unknown option, see --help"},
      {"--blok=1", "--blok=1: unknown option, did you mean --block?"},
      {"--kernle=1", "--kernle=1: unknown option, did you mean --kernel?"},
      {"add.ptx -xy", "-x: unknown option, see --help"},
      {"add.ptx --profile=1", "--profile=1: takes no value"},
      {"prefill.mlir", "prefill.mlir: is a module, which pbs-run runs and "
                       "pbs-compile compiles"},
      {"a.npy", "a.npy: expected a plan (FILE.plan.json) or PTX (FILE.ptx)"},
      {"add.plan.json --arg", "--arg: a value is missing"},
      {"add.plan.json add.ptx", "add.ptx: only one plan or PTX at a time"},
      {"add.plan.json --seed=x", "--seed=x: expected a number, or FIRST..LAST"},
      {"add.plan.json --seed=4..3",
       "--seed=4..3: expected a number, or FIRST..LAST"},
      {"add.plan.json --seed=3..4 --profile", "--profile is for one seed"},
      {"add.plan.json --seed=1 --device=cuda",
       "--seed needs --device=emulator"},
      {"add.plan.json --checks=most", "--checks=most: expected all or none"},
      {"add.plan.json --checks=all --device=cuda",
       "--checks=all needs --device=emulator"},
      {"add.plan.json --max-steps=0",
       "--max-steps=0: expected a number of at least 1"},
      {"add.plan.json --max-steps=1e9",
       "--max-steps=1e9: expected a number of at least 1"},
      {"add.plan.json --max-steps=18446744073709551616",
       "--max-steps=18446744073709551616: expected a number of at least 1"},
      {"add.plan.json --max-steps=5 --device=cuda",
       "--max-steps needs --device=emulator"},
      {"add.plan.json --device=cuda:x",
       "'cuda:x': no such device, expected emulator, cuda or cuda:N"},
      {"add.plan.json --device=cuda:",
       "'cuda:': no such device, expected emulator, cuda or cuda:N"},
      {"add.plan.json --device=gpu",
       "'gpu': no such device, expected emulator, cuda or cuda:N"},
      {"add.plan.json --grid=1",
       "add.plan.json: --grid is for PTX (FILE.ptx), not for a plan"},
      {"add.ptx --grid=1",
       "add.ptx: PTX without a plan needs --grid and --block"},
      {"add.ptx --grid=1 --block=1 --entry=add",
       "add.ptx: --entry is for a plan, not for PTX"},
      {"add.ptx --grid=1,0 --block=1",
       "--grid=1,0: expected X, XxY or XxYxZ with extents of at least 1"},
      {"add.ptx --grid=1,2,3,4 --block=1",
       "--grid=1,2,3,4: expected X, XxY or XxYxZ with extents of at least 1"},
      {"add.ptx --grid=1x2x3x4 --block=1",
       "--grid=1x2x3x4: expected X, XxY or XxYxZ with extents of at least 1"},
      {"add.ptx --grid=1x2,3 --block=1",
       "--grid=1x2,3: expected X, XxY or XxYxZ with extents of at least 1"},
      {"add.ptx --grid=1x65536 --block=1",
       "the grid's y extent is 65536, expected at most 65535"},
      {"add.ptx --grid=1 --block=32,33",
       "--block: a CTA has at most 1024 threads"},
      {"add.ptx --grid=1,65536 --block=1",
       "the grid's y extent is 65536, expected at most 65535"},
      {"add.ptx --grid=1 --block=1 --shared=-1",
       "--shared=-1: expected a number of bytes"},
      {"add.ptx --grid=1 --block=1 --arg=u32:4294967296",
       "--arg=u32:4294967296: '4294967296' is no number of that type"},
      {"add.ptx --grid=1 --block=1 --arg=f32:1e39",
       "--arg=f32:1e39: '1e39' is no f32"},
      {"add.ptx --grid=1 --block=1 --arg=out:f32:0",
       "--arg=out:f32:0: expected a shape such as 2x64, with extents of at "
       "least 1"},
      {"add.ptx --grid=1 --block=1 --arg=out:f32",
       "--arg=out:f32: expected out:TYPE:SHAPE with a type of bf16, f16, f32, "
       "i32, u16 or bool, and a shape such as 2x64"},
      {"add.ptx --grid=1 --block=1 --arg=a.txt",
       "--arg=a.txt: expected FILE.npy, FILE.safetensors:NAME, u32:, i32:, "
       "u64:, i64:, f32:, out:TYPE:SHAPE or map:TENSOR:BOX:SWIZZLE"},
      {"add.ptx --grid=1 --block=1 --arg=map:a.npy:8x8",
       "--arg=map:a.npy:8x8: expected map:FILE:BOX:SWIZZLE or "
       "map:out:TYPE:SHAPE:BOX:SWIZZLE with a box such as 64x32, and a swizzle "
       "of 0, 32, 64 or 128 bytes"},
      {"add.ptx --grid=1 --block=1 --arg=map:out:f32:8x8:4:0 --result=a.npy",
       "a tensor map's box has 1 extents, its tensor 2"},
      {"add.ptx --grid=1 --block=1 --arg=map:out:f32:4x4:4294967300x4:0",
       "--arg=map:out:f32:4x4:4294967300x4:0: a box has at most 256 elements "
       "in each dimension"},
      {"add.ptx --grid=1 --block=1 --arg=out:f32:1 --arg=u32:1",
       "add.ptx: kernel 'scaled_add': --arg does not fit its parameters; a u64 "
       "= out:f32:1; b u64 = u32:1; scale f32 = nothing; out u64 = nothing; "
       "count u32 = nothing"},
      // As many bytes in all.
      {"add.ptx --grid=1 --block=1 --arg=out:f32:1 --arg=out:f32:1 "
       "--arg=u32:1 --arg=u64:1 --arg=u32:1 --arg=u32:1",
       "add.ptx: kernel 'scaled_add': --arg does not fit its parameters; a u64 "
       "= out:f32:1; b u64 = out:f32:1; scale f32 = u32:1; out u64 = u64:1; "
       "count u32 = u32:1; no parameter = u32:1"},
      {"add.ptx --grid=1 --block=1 --cluster=17",
       "--cluster=17: a cluster has at most 16 CTAs"},
      {"add.ptx --grid=3 --block=1 --cluster=2",
       "the grid's x extent is 3, expected a multiple of the cluster's 2"},
      {"add.ptx --grid=1 --block=1 --result=a.npy",
       "1 places for results, but 0 outputs"},
      {"add.ptx --grid=1 --block=1 --arg=out:f32:1 --arg=out:f32:1 "
       "--result=a.npy --result=a.npy",
       "a.npy: named twice as a result"},
  };
  for (const auto &[arguments, message] : cases)
    EXPECT_EQ(messageOfRun(arguments),
              "pbs-launch: " + std::string(message) + "\n");
}

TEST_F(PbsLaunch, EndsKernelsWithoutAnEnd) {
  std::ofstream(folder / "loop.ptx")
      << ".version 7.0\n.target sm_80\n.address_size 64\n"
         ".visible .entry loop() {\nLOOP:\nbra LOOP;\n}\n";
  EXPECT_EQ(messageOfRun("loop.ptx --grid=1 --block=1 --max-steps=1000"),
            "pbs-launch: loop.ptx:6: kernel 'loop': CTA (0,0,0) thread "
            "(0,0,0): no end within 1000 steps: warp 0 runs in line 6\n");
}

TEST_F(PbsLaunch, RefusesMoreMemoryThanTheHostHas) {
  auto needs = [](const std::string &what) {
    return MatchesRegex("pbs-launch: " + what +
                        ": needs [0-9]+ bytes, the host has [0-9]+\n");
  };
  std::string large = planText;
  const std::string bytes = R"(["mul", "N", 4], "alignment": 256)";
  large.replace(large.find(bytes), 15, "4611686018427387904");
  std::ofstream(folder / "large.plan.json") << large;
  writeArray(folder / "a.npy", randomIntegers(20));
  EXPECT_THAT(messageOfRun("large.plan.json --arg=a.npy --arg=a.npy "
                           "--result=out.npy"),
              needs("entry 'add', workspace: emulator: device memory"));
  EXPECT_THAT(messageOfRun("add.ptx --grid=1 --block=1 --result=out.npy "
                           "--arg=out:f32:1099511627776x1024"),
              needs("an array of shape .1099511627776, 1024."));
  std::ofstream(folder / "large.ptx")
      << ".version 7.0\n.target sm_80\n.address_size 64\n.global .b8 g["
      << availableHostMemory() + (1 << 30)
      << "];\n.visible .entry k() { ret; }\n";
  for (const char *checks : {"none", "all"})
    EXPECT_THAT(messageOfRun(std::string("large.ptx --grid=1 --block=1 "
                                         "--checks=") +
                             checks),
                needs("large.ptx: the module's variables"));
  EXPECT_FALSE(std::filesystem::exists(folder / "out.npy"));
}

TEST_F(PbsLaunch, HelpsANewcomer) {
  auto [status, output] = run("--help");
  EXPECT_EQ(status, 0);
  EXPECT_THAT(output, HasSubstr("Examples:"));
}

} // namespace

// A warp reads what another one writes, with and without a barrier between.
TEST_F(PbsLaunch, RunsManySeeds) {
  for (bool isOrdered : {true, false}) {
    std::ofstream(folder / "order.ptx")
        << ".version 7.0\n.target sm_80\n.address_size 64\n"
           ".visible .entry order(.param .u64 out) {\n"
           ".shared .align 4 .b32 word;\n"
           ".reg .b32 %r<4>; .reg .b64 %rd; .reg .pred %p;\n"
           "ld.param.u64 %rd, [out]; mov.u32 %r0, %tid.x;\n"
           "setp.ne.u32 %p, %r0, 0; @!%p st.shared.u32 [word], 7;\n"
        << (isOrdered ? "bar.sync 0;\n" : "")
        << "setp.ne.u32 %p, %r0, 32; @%p exit;\n"
           "ld.shared.u32 %r1, [word]; st.global.u32 [%rd], %r1;\n}\n";
    const std::string launch =
        "order.ptx --grid=1 --block=64 --arg=out:i32:1 --result=word.npy ";
    auto [status, output] = run(launch + "--seed=5..64");
    auto [checkedStatus, checkedOutput] =
        run(launch + "--seed=5..8 --checks=all");
    if (isOrdered) {
      EXPECT_EQ(output + checkedOutput, "");
      EXPECT_EQ(status + checkedStatus, 0);
      continue;
    }
    EXPECT_EQ(status, 1);
    EXPECT_THAT(output, MatchesRegex("pbs-launch: result 1 with --seed=[0-9]+ "
                                     "is not that with --seed=5\n"));
    EXPECT_EQ(checkedStatus, 1);
    EXPECT_THAT(checkedOutput,
                AllOf(HasSubstr("hazard: race-shared: order.ptx:"),
                      EndsWith(" (seed 5)\n")));
  }
}

// A box from one tensor to another, by each CTA of a cluster.
TEST_F(PbsLaunch, PassesTensorMaps) {
  std::ofstream(folder / "box.ptx")
      << ".version 8.0\n.target sm_90\n.address_size 64\n"
         ".visible .entry box(.param .align 64 .b8 from[128],\n"
         ".param .align 64 .b8 to[128]) .reqnctapercluster 2, 1, 1 {\n"
         ".shared .align 1024 .b8 tile[1024]; .shared .align 8 .b64 bar;\n"
         ".reg .b32 %r<4>; .reg .b64 %rd<4>; .reg .pred %p;\n"
         "mov.b64 %rd0, from; cvta.param.u64 %rd0, %rd0;\n"
         "mov.b64 %rd1, to; cvta.param.u64 %rd1, %rd1;\n"
         "mov.u32 %r0, %ctaid.x; shl.b32 %r0, %r0, 3; mov.u32 %r1, 4;\n"
         "mbarrier.init.shared.b64 [bar], 1;\n"
         "fence.mbarrier_init.release.cluster;\n"
         "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 1024;\n"
         "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::"
         "complete_tx::bytes [tile], [%rd0, {%r1, %r0}], [bar];\n"
         "WAIT: mbarrier.try_wait.parity.shared.b64 %p, [bar], 0;\n"
         "@!%p bra WAIT;\n"
         "cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group "
         "[%rd1, {%r1, %r0}], [tile];\n"
         "cp.async.bulk.commit_group;\ncp.async.bulk.wait_group 0;\n}\n";
  Array in(ElementType::F32, {16, 40});
  for (int64_t index = 0; index < 640; ++index)
    in.data<float>()[index] = float(uniform(generator, -1000, 1000));
  writeArray(folder / "in.npy", in);
  auto [status, output] =
      run("box.ptx --grid=2 --cluster=2 --block=1 --arg=map:in.npy:8x32:128 "
          "--arg=map:out:f32:16x40:8x32:128 --result=out.npy --checks=all");
  ASSERT_EQ(output, "");
  ASSERT_EQ(status, 0);
  Array out = readArray(folder / "out.npy");
  for (int64_t index = 0; index < 640; ++index)
    if (int64_t column = index % 40; column < 4 || column >= 36)
      EXPECT_TRUE(std::isnan(out.data<float>()[index]));
    else
      EXPECT_EQ(out.data<float>()[index], in.data<float>()[index]);
}
