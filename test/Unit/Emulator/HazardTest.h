// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the tests of hazards share: a kernel around statements that are wrong
// as they stand and right with one change, and what a report has to say.
//
// The change is written into the statements. A line "// FIX: statement" is one
// that only the corrected kernel has, one that ends with "// BUG" is one that
// only the faulty kernel has. The accesses that conflict end with
//   // HERE                 a report is at one of these lines and names another
//   // HERE 32-63           where threads 32 to 63 execute it
//   // HERE 32-63 of 1      where CTA (1,0,0) does so
//   // MAY                  a report may be here or name this instead

#ifndef PBS_TEST_HAZARDTEST_H
#define PBS_TEST_HAZARDTEST_H

#include "AsyncWorkTest.h"

#include <optional>
#include <regex>
#include <sstream>

namespace pbs::runtime::test {

/// Threads and CTAs of a launch, and CTAs of a cluster, all along x.
struct Shape {
  uint32_t threads = 64;
  uint32_t ctas = 1;
  uint32_t cluster = 1;
};

class HazardTest : public AsyncWorkTest {
protected:
  using Kind = HazardKind;

  /// What the kernel does before the statements. Filled: each word of the tile
  /// is its number, and "bar" expects one arrival; all threads and the async
  /// proxy may use both. Bare: nothing.
  enum class Prelude { Filled, Bare };

  /// Of the tensor maps.
  uint32_t boxWords = 32, swizzleBytes = 0;

  /// The word that a thread leaves, by its number in the grid.
  using Expected = std::function<uint32_t(uint32_t)>;

  HazardTest() : words(randomWords(1024)) {}

  /// The statements may use, besides free registers from %r10, %rd8 and %p0 on:
  ///   tile, bar        4096 bytes and an mbarrier of shared memory
  ///   %r0, %r1         thread and CTA
  ///   %r2, %r5, %r6    the tile's word of the thread, of the thread 32 on, and
  ///                    of the next lane, with the last followed by the first
  ///   %r3, %r4, %r7    lane, warp, tile
  ///   %r9              the thread's result, zero at first
  ///   %rd0             1024 words, `words`
  ///   %rd2             where the result goes
  ///   %rd3             4096 bytes that nobody has written
  ///   %rd4             4096 bytes of zeros
  ///   %rd5, %rd6       tensor maps of those at %rd0 and %rd4, rows of 32 words
  ///                    in boxes of 8 rows of boxWords
  ///   %p5, %p6, %p7    lane 0, warp 0, thread 0
  static std::string kernel(const std::string &statements, const Shape &shape,
                            Prelude prelude) {
    bool isCluster = shape.cluster > 1;
    const std::string meet = isCluster ? "barrier.cluster.arrive.aligned;\n"
                                         "barrier.cluster.wait.aligned;\n"
                                       : "bar.sync 0;\n";
    std::string ptx = R"(.visible .entry kernel(.param .u64 in, .param .u64 out,
        .param .u64 fresh, .param .u64 zeros,
        .param .align 64 .b8 in_map[128], .param .align 64 .b8 out_map[128]) {
      .shared .align 1024 .b8 tile[4096]; .shared .align 8 .b64 bar;
      .reg .b16 %h<8>; .reg .b32 %r<32>; .reg .b64 %rd<16>; .reg .pred %p<8>;
      .reg .f32 %f<16>;
      ld.param.u64 %rd0, [in]; ld.param.u64 %rd1, [out];
      ld.param.u64 %rd3, [fresh]; ld.param.u64 %rd4, [zeros];
      mov.b64 %rd5, in_map; cvta.param.u64 %rd5, %rd5;
      mov.b64 %rd6, out_map; cvta.param.u64 %rd6, %rd6;
      mov.u32 %r0, %tid.x; mov.u32 %r1, %ctaid.x; mov.u32 %r8, %ntid.x;
      mov.u32 %r7, tile; mad.lo.u32 %r2, %r0, 4, %r7;
      and.b32 %r3, %r0, 31; shr.u32 %r4, %r0, 5; mov.u32 %r9, 0;
      add.u32 %r5, %r0, 32; rem.u32 %r5, %r5, %r8;
      mad.lo.u32 %r5, %r5, 4, %r7;
      add.u32 %r6, %r3, 1; and.b32 %r6, %r6, 31; sub.u32 %r6, %r6, %r3;
      mad.lo.u32 %r6, %r6, 4, %r2;
      mad.lo.u32 %r10, %r1, %r8, %r0; mad.wide.u32 %rd2, %r10, 4, %rd1;
      setp.eq.u32 %p5, %r3, 0; setp.eq.u32 %p6, %r4, 0;
      setp.eq.u32 %p7, %r0, 0;
)";
    if (prelude == Prelude::Filled)
      ptx += R"(      mov.u32 %r10, %r0;
      FILL: mad.lo.u32 %r11, %r10, 4, %r7; st.shared.u32 [%r11], %r10;
      add.u32 %r10, %r10, %r8; setp.lt.u32 %p0, %r10, 1024; @%p0 bra FILL;
      @%p7 mbarrier.init.shared.b64 [bar], 1;
      fence.mbarrier_init.release.cluster; fence.proxy.async;
)" + meet;
    else
      ptx += isCluster ? meet : "";
    ptx += statements + "\nst.global.u32 [%rd2], %r9;\n";
    if (isCluster)
      ptx += meet;
    return ptx + "ret;\n}\n";
  }

  /// \p statements as they are to be right.
  static std::string corrected(const std::string &statements) {
    std::istringstream lines(statements);
    std::string result, line;
    while (std::getline(lines, line)) {
      size_t fix = line.find("// FIX: ");
      if (fix != std::string::npos)
        line.erase(fix, 8);
      else if (line.find("// BUG") != std::string::npos)
        line = "//";
      result += line + "\n";
    }
    return result;
  }

  /// The message of a launch with all checks, under \p options; the results.
  std::string launch(const std::string &ptx, const Shape &shape,
                     EmulatorOptions options, std::vector<uint32_t> &results) {
    options.checks = EmulatorOptions::Checks::All;
    device = createEmulator(options);
    size_t count = size_t(shape.threads) * shape.ctas;
    DeviceAddress in = upload(words);
    DeviceAddress zeros = upload(std::vector<uint32_t>(1024));
    DeviceAddress fresh = device->allocate(4096);
    DeviceAddress out = upload(std::vector<uint32_t>(count));
    auto map = [&](DeviceAddress base) {
      TensorMapDescription description;
      description.elementBytes = 4;
      description.base = base;
      description.shape = {32, 32};
      description.strides = {128};
      description.box = {boxWords, 8};
      description.swizzleBytes = swizzleBytes;
      return device->encodeTensorMap(description);
    };
    Parameters parameters;
    parameters.add(in).add(out).add(fresh).add(zeros).add(map(in));
    parameters.add(map(zeros));
    LaunchConfiguration configuration;
    configuration.block = {shape.threads, 1, 1};
    configuration.grid = {shape.ctas, 1, 1};
    configuration.cluster = {shape.cluster, 1, 1};
    std::string message = errorOf([&] { run(ptx, configuration, parameters); });
    results = download<uint32_t>(out, count);
    return message;
  }

  /// All timings of asynchronous work, one order of the warps by chance, and
  /// CTAs on several host threads.
  std::vector<std::pair<std::string, EmulatorOptions>>
  timings(const Shape &shape) {
    std::vector<std::pair<std::string, EmulatorOptions>> all = {
        {"late", late()}, {"early", early()}};
    EmulatorOptions options = late();
    options.seed = random();
    all.emplace_back("seed " + std::to_string(*options.seed), options);
    if (shape.ctas > shape.cluster) {
      options = late();
      options.hostThreads = 3;
      all.emplace_back("3 host threads", options);
    }
    return all;
  }

  /// Nothing is reported and the results are right, at any timing.
  void expectSilent(const std::string &statements, const Expected &expected,
                    const Shape &shape = {},
                    Prelude prelude = Prelude::Filled) {
    std::string ptx = kernel(statements, shape, prelude);
    expectAssembles(ptx);
    for (auto &[name, options] : timings(shape)) {
      SCOPED_TRACE(name + ", " + seedText);
      std::vector<uint32_t> results;
      ASSERT_EQ(launch(ptx, shape, options, results), "no error") << statements;
      for (uint32_t index = 0; index < results.size(); ++index)
        ASSERT_EQ(results[index], expected(index))
            << "thread " << index << " of " << statements;
    }
  }

  /// The faulty kernel of \p statements has a hazard of one of \p kinds and no
  /// other kind, at any timing, and its corrected twin is silent and right.
  void expectHazard(const std::vector<Kind> &kinds,
                    const std::string &statements, const Expected &expected,
                    const Shape &shape = {},
                    Prelude prelude = Prelude::Filled) {
    expectReported(kinds, statements, shape, prelude);
    expectSilent(corrected(statements), expected, shape, prelude);
  }

  /// The first half of that.
  void expectReported(const std::vector<Kind> &kinds,
                      const std::string &statements, const Shape &shape = {},
                      Prelude prelude = Prelude::Filled,
                      bool assembles = true) {
    std::string ptx = kernel(statements, shape, prelude);
    if (assembles)
      expectAssembles(ptx);
    std::vector<Mark> marks = findMarks(header + ptx);
    for (auto &[name, options] : timings(shape)) {
      SCOPED_TRACE(name + ", " + seedText);
      std::vector<uint32_t> results;
      std::string message = launch(ptx, shape, options, results);
      ASSERT_EQ(misreport(message, kinds, marks, shape), "")
          << message << "\n"
          << numbered(header + ptx);
    }
  }

  /// One line of a report.
  struct Report {
    std::string kind;
    unsigned line = 0;
    std::array<uint32_t, 3> cta = {}, thread = {};
    std::string text;
  };

  static std::optional<Report> parseReport(const std::string &line) {
    static const std::regex form(
        "hazard: ([a-z-]+): test\\.ptx:([0-9]+): kernel 'kernel': "
        "CTA \\(([0-9]+),([0-9]+),([0-9]+)\\) "
        "thread \\(([0-9]+),([0-9]+),([0-9]+)\\): (.+)");
    std::smatch match;
    if (!std::regex_match(line, match, form))
      return std::nullopt;
    Report report;
    report.kind = match[1];
    report.line = unsigned(std::stoul(match[2]));
    for (size_t index = 0; index < 3; ++index) {
      report.cta[index] = uint32_t(std::stoul(match[3 + index]));
      report.thread[index] = uint32_t(std::stoul(match[6 + index]));
    }
    report.text = match[9];
    return report;
  }

private:
  /// A line that ends with // HERE or // MAY.
  struct Mark {
    unsigned line = 0;
    bool isRequired = false;
    uint32_t firstThread = 0, lastThread = UINT32_MAX;
    std::optional<uint32_t> cta;
  };

  static std::vector<Mark> findMarks(const std::string &module) {
    static const std::regex form(
        "// (HERE|MAY)(?: ([0-9]+)-([0-9]+))?(?: of ([0-9]+))?$");
    std::vector<Mark> marks;
    std::istringstream lines(module);
    std::string line;
    for (unsigned number = 1; std::getline(lines, line); ++number) {
      std::smatch match;
      if (!std::regex_search(line, match, form))
        continue;
      Mark mark;
      mark.line = number;
      mark.isRequired = match[1] == "HERE";
      if (match[2].matched) {
        mark.firstThread = uint32_t(std::stoul(match[2]));
        mark.lastThread = uint32_t(std::stoul(match[3]));
      }
      if (match[4].matched)
        mark.cta = uint32_t(std::stoul(match[4]));
      marks.push_back(mark);
    }
    return marks;
  }

  /// What is wrong with \p message, or nothing.
  static std::string misreport(const std::string &message,
                               const std::vector<Kind> &kinds,
                               const std::vector<Mark> &marks,
                               const Shape &shape) {
    std::istringstream lines(message);
    std::string line, reason;
    bool isFound = false;
    while (std::getline(lines, line)) {
      std::optional<Report> report = parseReport(line);
      if (!report) {
        if (line.rfind("hazard: ", 0) == 0)
          return "not of the form of a report: " + line;
        continue;
      }
      bool isExpected = false;
      for (Kind kind : kinds)
        isExpected |= report->kind == hazardKindName(kind);
      if (!isExpected)
        return "unexpected kind: " + report->kind;
      if (report->cta[0] >= shape.ctas || report->thread[0] >= shape.threads)
        return "no such thread: " + line;
      std::string wrong = misplaced(*report, marks);
      isFound |= wrong.empty();
      if (!wrong.empty())
        reason = wrong + ": " + line;
    }
    return isFound ? "" : reason.empty() ? "no hazard reported" : reason;
  }

  static std::string misplaced(const Report &report,
                               const std::vector<Mark> &marks) {
    unsigned required = 0;
    bool isAtMark = marks.empty(), namesOther = false;
    for (const Mark &mark : marks) {
      required += mark.isRequired;
      if (mark.line != report.line) {
        namesOther |= std::regex_search(
            report.text, std::regex("(line |test\\.ptx:)" +
                                    std::to_string(mark.line) + "\\b"));
        continue;
      }
      isAtMark = true;
      uint32_t thread = report.thread[0];
      if (thread < mark.firstThread || thread > mark.lastThread)
        return "another thread";
      if (mark.cta && *mark.cta != report.cta[0])
        return "another CTA";
    }
    if (!isAtMark)
      return "another line";
    // Who waits in vain has no other.
    bool isAlone = required < 2 || report.kind == "deadlock";
    return isAlone || namesOther ? "" : "does not name the other line";
  }

protected:
  static std::string numbered(const std::string &module) {
    std::istringstream lines(module);
    std::string line, result;
    for (unsigned number = 1; std::getline(lines, line); ++number)
      result += std::to_string(number) + "  " + line + "\n";
    return result;
  }

  std::vector<uint32_t> words;
};

} // namespace pbs::runtime::test

#endif // PBS_TEST_HAZARDTEST_H
