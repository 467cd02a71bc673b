// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the tests of asynchronous work share: emulators that do it at different
// times, and kernels that ptxas accepts as well.

#ifndef PBS_TEST_ASYNCWORKTEST_H
#define PBS_TEST_ASYNCWORKTEST_H

#include "EmulatorTest.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <set>
#include <unistd.h>

namespace pbs::runtime::test {

class AsyncWorkTest : public EmulatorTest {
protected:
  static EmulatorOptions late() {
    EmulatorOptions options;
    options.hostThreads = 1;
    return options;
  }

  static EmulatorOptions early() {
    EmulatorOptions options = late();
    options.asyncCopies = EmulatorOptions::AsyncCopies::Early;
    return options;
  }

  /// function() with a device of every kind: late, early, and \p seeds seeds.
  void forEachTiming(unsigned seeds, const std::function<void()> &function) {
    std::vector<std::pair<std::string, EmulatorOptions>> timings = {
        {"late", late()}, {"early", early()}};
    for (unsigned index = 0; index < seeds; ++index) {
      EmulatorOptions options = late();
      options.seed = random();
      timings.emplace_back("seed " + std::to_string(*options.seed), options);
    }
    for (auto &[name, options] : timings) {
      SCOPED_TRACE(name + ", " + seedText);
      device = createEmulator(options);
      function();
      if (HasFatalFailure())
        return;
    }
  }

  /// \p ptx is PTX to ptxas as well, where there is one; without the header.
  static void expectAssembles(const std::string &ptx) {
#ifdef PBS_PTXAS
    static std::set<std::string> known;
    if (known.insert(ptx).second)
      assemble(header + ptx, "");
#endif
  }

  /// Besides, a whole module \p ptx has no kernel that spills registers or has
  /// its products serialised (C75xx), which ptxas only says.
  static void expectAssemblesWell(const std::string &ptx) {
#ifdef PBS_PTXAS
    std::string output = assemble(ptx, " -v");
    EXPECT_EQ(output.find("C75"), std::string::npos) << output;
    EXPECT_EQ(output.find("warning"), std::string::npos) << output;
    EXPECT_NE(output.find(" 0 bytes spill stores, 0 bytes spill loads"),
              std::string::npos)
        << output;
#endif
  }

#ifdef PBS_PTXAS
  /// What ptxas says of \p ptx, which it has to accept.
  static std::string assemble(const std::string &ptx, const char *options) {
    std::string path = ::testing::TempDir() + "pbs_assemble_" +
                       std::to_string(::getpid()) + ".ptx";
    std::ofstream(path) << ptx;
    std::string command = std::string(PBS_PTXAS) + options +
                          " -arch=sm_90a -o " + path + ".cubin " + path +
                          " 2>&1";
    std::string output;
    if (FILE *pipe = ::popen(command.c_str(), "r")) {
      char text[256];
      while (std::fgets(text, sizeof(text), pipe))
        output += text;
      EXPECT_EQ(::pclose(pipe), 0) << output << ptx;
    }
    std::remove(path.c_str());
    std::remove((path + ".cubin").c_str());
    return output;
  }
#endif

  void runAssembled(const std::string &ptx,
                    const LaunchConfiguration &configuration,
                    const Parameters &parameters) {
    expectAssembles(ptx);
    run(ptx, configuration, parameters);
  }

  /// A kernel of one CTA with a parameter "in" and one "out", in %rd0 and %rd1,
  /// the thread in %r0, an mbarrier "bar" of one arrival and 4096 bytes of
  /// "tile" in which each word is its number. Returns the message of its
  /// launch. The statements begin in line 17.
  std::string runSimple(const std::string &statements, DeviceAddress in,
                        DeviceAddress out, uint32_t threads = 64,
                        bool assembles = true, uint32_t clusterCtas = 1) {
    LaunchConfiguration configuration;
    configuration.block = {threads, 1, 1};
    configuration.grid = configuration.cluster = {clusterCtas, 1, 1};
    std::string ptx =
        R"(.visible .entry kernel(.param .u64 in, .param .u64 out) {
      .shared .align 1024 .b8 tile[4096]; .shared .align 8 .b64 bar;
      .reg .b16 %h<8>; .reg .b32 %r<32>; .reg .b64 %rd<16>; .reg .pred %p<8>;
      ld.param.u64 %rd0, [in]; ld.param.u64 %rd1, [out];
      mov.u32 %r0, %tid.x; mov.u32 %r31, %r0; mov.u32 %r29, %ntid.x;
      FILL: setp.ge.u32 %p7, %r31, 1024; @%p7 bra FILLED;
      mov.u32 %r30, tile; mad.lo.u32 %r30, %r31, 4, %r30;
      st.shared.u32 [%r30], %r31; add.u32 %r31, %r31, %r29; bra FILL;
      FILLED: setp.eq.u32 %p7, %r0, 0;
      @%p7 mbarrier.init.shared.b64 [bar], 1;
      bar.sync 0;
      fence.proxy.async;

)" + statements +
        "\nret;\n}\n";
    if (assembles)
      expectAssembles(ptx);
    return errorOf(
        [&] { run(ptx, configuration, Parameters().add(in).add(out)); });
  }

  /// Waits for phase 0 of "bar".
  static std::string waitForBar() {
    return "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p6, [bar], 0;\n"
           "@!%p6 bra WAIT;\n";
  }

  /// All threads copy the tile to %rd1.
  static std::string copyTileOut() {
    return "mov.u32 %r31, %r0;\nCOPY: setp.ge.u32 %p7, %r31, 1024;\n"
           "@%p7 bra COPIED;\nmov.u32 %r30, tile;\n"
           "mad.lo.u32 %r30, %r31, 4, %r30;\nld.shared.u32 %r28, [%r30];\n"
           "mad.wide.u32 %rd15, %r31, 4, %rd1;\nst.global.u32 [%rd15], %r28;\n"
           "add.u32 %r31, %r31, %r29;\nbra COPY;\nCOPIED:\n";
  }

  static std::vector<uint32_t> filledTile() {
    std::vector<uint32_t> words(1024);
    for (uint32_t index = 0; index < 1024; ++index)
      words[index] = index;
    return words;
  }

  std::vector<uint32_t> randomWords(size_t count) {
    std::vector<uint32_t> words(count);
    for (uint32_t &word : words)
      word = uint32_t(random()) | 0x80000000;
    return words;
  }
};

} // namespace pbs::runtime::test

#endif // PBS_TEST_ASYNCWORKTEST_H
