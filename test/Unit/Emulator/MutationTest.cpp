// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The hand-written kernels without their synchronisation, one instruction after
// the other: the checks notice, or an argument beside the kernel says why it is
// right all the same.

#include "Mutation.h"
#include "WholeKernelTest.h"

#include <filesystem>
#include <iostream>

using namespace pbs;
using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class MutationTest : public WholeKernelTest {
protected:
  /// \p execute runs a text on a fresh device with all checks. Arguments are
  /// in NAME.arguments, where there are any.
  void expectAllNoticed(
      const std::string &name,
      const std::function<std::string(const std::string &)> &execute) {
    std::string path = std::string(PBS_INPUTS) + "/" + name + ".arguments";
    mutation::Arguments arguments;
    if (std::filesystem::exists(path))
      arguments = mutation::readArguments(path);
    auto run = [&](const std::string &ptx) -> std::string {
      EmulatorOptions options = late();
      options.checks = EmulatorOptions::Checks::All;
      options.maxSteps = 1 << 26;
      device = createEmulator(options);
      std::string message = execute(ptx);
      return message == "right" ? "" : message;
    };
    mutation::Report report =
        mutation::judgeMutants(inputFile(name + ".ptx"), run, arguments);
    std::cout << report.text << report.caught << " caught, " << report.hangs
              << " without an end, " << report.argued << " right\n";
    EXPECT_THAT(report.faults, ElementsAre()) << seedText;
    EXPECT_GT(report.caught, 0u);
  }

  static std::vector<std::string> keysOf(const std::string &statements) {
    std::vector<std::string> keys;
    for (const mutation::Mutant &mutant : mutation::makeMutants(
             header + ".visible .entry k() {\n.reg .b32 %r<4>;\n" + statements +
             "\nret;\n}\n"))
      keys.push_back(std::to_string(mutant.line) + " " + mutant.key);
    return keys;
  }

  /// What the mutants make of the statements.
  static std::vector<std::string> textsOf(const std::string &statements) {
    const std::string begin = header + ".visible .entry k() {\n", end = "}\n";
    std::vector<std::string> texts;
    for (const mutation::Mutant &mutant :
         mutation::makeMutants(begin + statements + end))
      texts.push_back(mutant.text.substr(
          begin.size(), mutant.text.size() - begin.size() - end.size()));
    return texts;
  }
};

} // namespace

// More tiles than two rings have stages, for several CTAs.
TEST_F(MutationTest, pipeline) {
  CopyCase copy;
  copy.width = 200;
  copy.height = 60;
  copy.tileHeight = 16;
  copy.inSwizzle = copy.outSwizzle = 128;
  copy.ctas = 2;
  expectAllNoticed("tma_pipeline", [&](const std::string &ptx) {
    return copyMatrix(ptx, copy);
  });
}

TEST_F(MutationTest, multicast) {
  expectAllNoticed("tma_multicast",
                   [&](const std::string &ptx) { return multicast(ptx, 100); });
}

TEST_F(MutationTest, tensorProduct) {
  expectAllNoticed("tma_wgmma_product", [&](const std::string &ptx) {
    return multiply(ptx, 100, 136, 500);
  });
}

TEST_F(MutationTest, product) {
  expectAllNoticed("wgmma-product",
                   [&](const std::string &ptx) { return multiplyTiles(ptx); });
}

TEST_F(MutationTest, keysSayWhatIsMissing) {
  EXPECT_THAT(
      keysOf("st.shared.u32 [%r1], 0; bar.sync 0; add.u32 %r1, %r1, 1;\n"
             "// bar.sync 1;\n"
             "L: @!%p0 bar.warp.sync\n  0xFFFFFFFF; ld.shared.u32 %r2, [%r1];\n"
             "bar.sync 0; { .reg .b32 x; fence.proxy.async; }\n"
             "ld.shared.u32 %r2, [%r1]; bar.sync 0; fence.proxy.async;\n"
             "bar.sync 0;\nmembar.gl;"),
      ElementsAre(
          "6 k: bar.sync 0, after st.shared.u32, before bar.warp.sync",
          "8 k: bar.warp.sync 0xFFFFFFFF, after bar.sync, before ld.shared.u32",
          "10 k: bar.sync 0, after ld.shared.u32, before fence.proxy.async",
          "10 k: fence.proxy.async, after bar.sync, before ld.shared.u32",
          "11 k: bar.sync 0, after ld.shared.u32, before fence.proxy.async #2",
          "11 k: fence.proxy.async, after bar.sync, before bar.sync",
          "12 k: bar.sync 0, after fence.proxy.async, before membar.gl",
          "13 k: membar.gl, after bar.sync"));
}

TEST_F(MutationTest, onlyOneInstructionIsMissing) {
  EXPECT_THAT(textsOf("@%p1 bar.sync\n0; ret;\n"),
              ElementsAre("             \n   ret;\n"));
  // A wait that is over at once leaves a loop of either kind.
  EXPECT_THAT(
      textsOf(
          "@p mbarrier.try_wait.parity.acquire.cta.shared.b64 q, [a], 0;\n"),
      ElementsAre(testing::MatchesRegex("@p setp.eq.u32 q, 0, 0; *\n")));
  EXPECT_THAT(
      textsOf("mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 _, [%r1], "
              "%r2;\n"),
      ElementsAre(testing::MatchesRegex(" *\n"),
                  testing::MatchesRegex("mbarrier.arrive.release.cta."
                                        "shared::cta.b64 _, .%r1.; *\n")));
}

// Where nothing is said, order and the widest scope hold.
TEST_F(MutationTest, orderAndScopeAreWeakened) {
  EXPECT_THAT(textsOf("mbarrier.try_wait.parity.shared.b64 q, [a], 0;\n"),
              testing::Contains(
                  "mbarrier.try_wait.parity.relaxed.cta.shared.b64 q, [a], "
                  "0;\n"));
  EXPECT_THAT(
      textsOf("@p mbarrier.arrive.shared.b64 _, [a];\n"),
      testing::Contains("@p mbarrier.arrive.relaxed.cta.shared.b64 _, [a];\n"));
  EXPECT_THAT(
      textsOf("mbarrier.arrive.expect_tx.shared.b64 _, [a], 8;\n"),
      testing::Contains(
          "mbarrier.arrive.expect_tx.relaxed.cta.shared.b64 _, [a], 8;\n"));
  EXPECT_THAT(textsOf("atom.global.add.u32 r, [a], 1;\n"),
              ElementsAre("atom.relaxed.cta.global.add.u32 r, [a], 1;\n"));
  EXPECT_THAT(textsOf("atom.shared.add.u32 r, [a], 1;\n"), ElementsAre());
  EXPECT_THAT(textsOf("barrier.cluster.arrive; barrier.cluster.wait;\n"),
              ElementsAre("                        barrier.cluster.wait;\n",
                          testing::MatchesRegex(" *\n"),
                          "barrier.cluster.arrive;                      \n"));
}

TEST_F(MutationTest, argumentsBelongToMutants) {
  const std::string ptx = header + ".visible .entry k() {\n"
                                   "bar.sync 0; membar.gl; bar.sync 1;\n"
                                   "fence.proxy.async; ret; }\n";
  auto mutants = mutation::makeMutants(ptx);
  ASSERT_EQ(mutants.size(), 4u);
  EmulatorOptions options;
  options.maxSteps = 1000;
  device = createEmulator(options);
  const std::string endless = errorOf([&] {
    run(".visible .entry k() { LOOP: bra LOOP; }", {}, Parameters());
  });
  // Noticed, by the results only, not at all, and without an end.
  auto runMutant = [&](const std::string &text) -> std::string {
    if (text == mutants[0].text)
      return "hazard: race-shared: x\nhazard: mbarrier: y\n";
    if (text == mutants[1].text)
      return mutation::wrongResults;
    if (text == mutants[3].text)
      return endless;
    return "";
  };
  mutation::Report report = mutation::judgeMutants(
      ptx, runMutant, {{mutants[0].key, "it is"}, {"k: nothing", "it is"}});
  EXPECT_EQ(report.caught, 1u);
  EXPECT_EQ(report.hangs, 1u);
  EXPECT_EQ(report.argued, 0u);
  EXPECT_THAT(report.text,
              HasSubstr("before membar.gl: mbarrier, race-shared"));
  EXPECT_THAT(report.faults,
              ElementsAre(HasSubstr("an argument that it is right: line 5: "),
                          HasSubstr("no hazard, but the results are wrong"),
                          HasSubstr("not noticed"),
                          "an argument about no mutant: k: nothing"));
  report = mutation::judgeMutants(ptx, runMutant, {{mutants[2].key, "it is"}});
  EXPECT_EQ(report.argued, 1u);
  EXPECT_THAT(report.faults,
              ElementsAre(HasSubstr("no hazard, but the results are wrong")));
  // A module that is wrong to begin with proves nothing.
  report = mutation::judgeMutants(
      ptx, [](const std::string &) { return "hazard: deadlock: z"; }, {});
  EXPECT_THAT(report.faults, ElementsAre("the module as it is: deadlock"));
}
