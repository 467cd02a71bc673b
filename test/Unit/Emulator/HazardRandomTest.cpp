// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The checker against an oracle that knows nothing of vector clocks, with
// kernels of random accesses and random synchronisation: what is reported is a
// race, and where there is a race one is reported.

#include "HazardTest.h"
#include "RandomKernel.h"

#include <algorithm>

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class HazardRandomTest : public HazardTest {
protected:
  using Pairs = std::set<std::pair<unsigned, unsigned>>;
  using Feature = RandomKernel::Feature;

  /// The pairs of lines of ptx() that \p message names; whatever else it says
  /// goes to \p others.
  static Pairs reported(const std::string &message, std::string &others) {
    static const std::regex second("in line ([0-9]+) ");
    unsigned before = unsigned(std::count(header.begin(), header.end(), '\n'));
    Pairs pairs;
    std::istringstream lines(message);
    for (std::string line; std::getline(lines, line);) {
      std::optional<Report> report = parseReport(line);
      std::smatch match;
      if (report && std::regex_search(report->text, match, second))
        pairs.insert(std::minmax(report->line - before,
                                 unsigned(std::stoul(match[1])) - before));
      else if (line != "no error" && line.find(" are not shown") == line.npos)
        others += line + "\n";
    }
    return pairs;
  }

  static std::string listed(const Pairs &pairs) {
    std::string text;
    for (auto [first, second] : pairs)
      text += " " + std::to_string(first) + "-" + std::to_string(second);
    return text + "\n";
  }

  void compare(const RandomKernel::Shape &shape, unsigned features,
               unsigned steps) {
    uint64_t seed = random();
    std::mt19937_64 choices(seed);
    RandomKernel kernel(choices, shape, features, steps);
    std::string ptx = kernel.ptx();
    EmulatorOptions options = seed % 3 == 0 ? early() : late();
    if (seed % 3 == 1)
      options.seed = seed;
    options.checks = EmulatorOptions::Checks::All;
    device = createEmulator(options);
    DeviceAddress data =
        upload(std::vector<uint32_t>(RandomKernel::globalBytes / 4));
    DeviceAddress out =
        upload(std::vector<uint32_t>(kernel.observations() + 1));
    LaunchConfiguration configuration;
    configuration.block = {32 * shape.warps, 1, 1};
    configuration.grid = {shape.ctas, 1, 1};
    configuration.cluster = {shape.cluster, 1, 1};
    std::string message = errorOf(
        [&] { run(ptx, configuration, Parameters().add(data).add(out)); });
    std::string others;
    Pairs found = reported(message, others);
    Pairs races =
        kernel.races(download<uint32_t>(out, kernel.observations() + 1));
    Pairs wrong;
    std::set_difference(found.begin(), found.end(), races.begin(), races.end(),
                        std::inserter(wrong, wrong.begin()));
    ++(races.empty() ? silent : racy);
    if (!wrong.empty() || !others.empty() || found.empty() != races.empty())
      FAIL() << "kernel of seed " << seed << ", " << seedText
             << "\nraces:" << listed(races) << "reported:" << listed(found)
             << message << "\n"
             << numbered(ptx);
  }

  /// Kernels of all lengths and of various numbers of warps.
  void compareMany(unsigned count, unsigned features, unsigned ctas = 1,
                   unsigned cluster = 1) {
    for (unsigned index = 0; index < count && !HasFatalFailure(); ++index) {
      RandomKernel::Shape shape;
      shape.warps = 1 + unsigned(random() % (ctas == 1 ? 3 : 2));
      shape.ctas = ctas;
      shape.cluster = cluster;
      compare(shape, features, 5 + unsigned(random() % 60));
    }
    // Neither side is compared with nothing.
    EXPECT_GT(silent, count / 20);
    EXPECT_GT(racy, count / 20);
    std::cout << silent << " silent, " << racy << " with races\n";
  }

  unsigned silent = 0, racy = 0;
};

} // namespace

TEST_F(HazardRandomTest, barriers) { compareMany(1000, Feature::Exits); }

TEST_F(HazardRandomTest, atomics) {
  compareMany(1000, Feature::Atomics | Feature::Exits | Feature::Mbarriers);
}

TEST_F(HazardRandomTest, flags) {
  compareMany(1000, Feature::Flags | Feature::Exits);
}

TEST_F(HazardRandomTest, mbarriers) {
  compareMany(1000, Feature::Flags | Feature::Mbarriers);
}

TEST_F(HazardRandomTest, copies) {
  compareMany(1000, Feature::Copies | Feature::Mbarriers);
}

TEST_F(HazardRandomTest, bulkCopies) {
  compareMany(1000, Feature::BulkCopies | Feature::Mbarriers);
}

TEST_F(HazardRandomTest, everything) {
  compareMany(1000, Feature::Flags | Feature::Exits | Feature::Mbarriers |
                        Feature::Copies | Feature::BulkCopies);
}

TEST_F(HazardRandomTest, clusters) {
  compareMany(500, Feature::Flags | Feature::Mbarriers | Feature::BulkCopies, 2,
              2);
  compareMany(500, Feature::Atomics | Feature::Mbarriers, 3, 3);
}

TEST_F(HazardRandomTest, grids) {
  compareMany(500, Feature::Flags | Feature::BulkCopies, 2, 1);
  compareMany(500, Feature::Atomics | Feature::Copies, 3, 1);
}
