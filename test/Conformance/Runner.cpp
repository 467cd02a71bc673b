// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Runner.h"

#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/OpenDevice.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pbs::conformance {
namespace {

using Json = nlohmann::ordered_json;

/// Why \p chip cannot run what is for \p target; empty if it can.
std::string unsuitable(const std::string &chip, const std::string &target) {
  auto number = [](const std::string &name) {
    return std::atoi(name.c_str() + name.find('_') + 1);
  };
  bool isOwn = target.back() == 'a';
  bool fits =
      isOwn ? number(chip) == number(target) : number(chip) >= number(target);
  return fits ? "" : "needs " + target + ", the device is " + chip;
}

/// A seed of its own for each form, so that a filter changes no inputs.
uint64_t seedOf(const std::string &form, uint64_t seed) {
  uint64_t hash = 0xCBF29CE484222325 ^ seed;
  for (char character : form)
    hash = (hash ^ uint8_t(character)) * 0x100000001B3;
  return hash;
}

/// The child's half: one line of JSON for the device, and two for each case.
class Child {
public:
  Child(const RunOptions &options, const std::string &collected, int pipe)
      : options(options), collected(collected), pipe(pipe) {}

  [[noreturn]] void run(const std::vector<const Case *> &cases, size_t first) {
    std::unique_ptr<Device> device;
    try {
      runtime::EmulatorOptions emulatorOptions;
      emulatorOptions.hostThreads = 1;
      emulatorOptions.seed = options.seed;
      device = runtime::openDevice(options.device, emulatorOptions);
      send({{"device", device->description()}});
    } catch (const std::exception &error) {
      send({{"unavailable", error.what()}});
      std::_Exit(2);
    }
    for (size_t index = first; index < cases.size(); ++index) {
      send({{"begin", index}});
      runCase(*device, *cases[index]);
    }
    device.reset();
    std::_Exit(0);
  }

private:
  void runCase(Device &device, const Case &test) {
    // The emulator takes any target.
    std::string why = options.device == "emulator"
                          ? ""
                          : unsuitable(device.chip(), test.target);
    if (!why.empty())
      return send({{"result", "skipped"}, {"message", why}});
    try {
      Environment environment(device, seedOf(test.form, options.seed),
                              test.target, collected);
      test.run(environment);
      send({{"result", "passed"}, {"message", ""}});
    } catch (const RightFailure &) {
      send({{"result", "passed"}, {"message", ""}});
      std::_Exit(0);
    } catch (const Mismatch &mismatch) {
      send({{"result", "failed"}, {"message", mismatch.what()}});
    } catch (const std::exception &error) {
      send({{"result", "failed"}, {"message", error.what()}});
      // A GPU's context may be of no more use.
      std::_Exit(0);
    }
  }

  void send(const Json &message) {
    std::string line =
        message.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    for (size_t sent = 0; sent < line.size();) {
      ssize_t count = ::write(pipe, line.data() + sent, line.size() - sent);
      if (count <= 0)
        std::_Exit(3);
      sent += size_t(count);
    }
  }

  const RunOptions &options;
  const std::string &collected;
  int pipe;
};

/// The parent's half.
class Runner {
public:
  Runner(const Suite &suite, const RunOptions &options) : options(options) {
    for (const Case &test : suite.cases)
      if (test.form.find(options.filter) != std::string::npos ||
          test.instruction.find(options.filter) != std::string::npos)
        cases.push_back(&test);
    if (!options.ptxas.empty()) {
      std::string folder = "/tmp/conformance-XXXXXX";
      if (!::mkdtemp(folder.data()))
        throw runtime::Error("no temporary folder");
      collected = folder + "/";
    }
  }

  bool run() {
    std::printf("seed %llu\n", static_cast<unsigned long long>(options.seed));
    while (results.size() < cases.size())
      runChild();
    bool assembles = assemble();
    std::map<std::string, unsigned> counts;
    for (const Json &result : results)
      ++counts[result["result"]];
    std::printf("%s: %u passed, %u failed, %u skipped; seed %llu\n",
                device.c_str(), counts["passed"], counts["failed"],
                counts["skipped"],
                static_cast<unsigned long long>(options.seed));
    return counts["failed"] == 0 && assembles;
  }

private:
  /// Runs cases from the first without a result on, until the child ends.
  void runChild() {
    int ends[2];
    if (::pipe(ends) != 0)
      throw runtime::Error("no pipe");
    std::fflush(nullptr);
    size_t first = results.size();
    pid_t child = ::fork();
    if (child < 0)
      throw runtime::Error("no child process");
    if (child == 0) {
      ::close(ends[0]);
      Child(options, collected, ends[1]).run(cases, first);
    }
    ::close(ends[1]);
    std::string unavailable;
    std::string pending;
    bool isLate = false;
    while (!isLate) {
      pollfd ready = {ends[0], POLLIN, 0};
      if (::poll(&ready, 1, int(options.seconds) * 1000) <= 0) {
        isLate = true;
        ::kill(child, SIGKILL);
        break;
      }
      char text[4096];
      ssize_t count = ::read(ends[0], text, sizeof(text));
      if (count <= 0)
        break;
      pending.append(text, size_t(count));
      for (size_t end; (end = pending.find('\n')) != std::string::npos;) {
        Json message = Json::parse(pending.substr(0, end));
        pending.erase(0, end + 1);
        if (message.contains("device"))
          device = message["device"];
        else if (message.contains("unavailable"))
          unavailable = message["unavailable"];
        else if (message.contains("begin"))
          current = message["begin"];
        else
          record(message["result"], message["message"]);
      }
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!unavailable.empty())
      throw runtime::Error(unavailable);
    if (current) {
      std::string why =
          isLate ? "not done after " + std::to_string(options.seconds) + " s"
          : WIFSIGNALED(status) ? "the process ended with signal " +
                                      std::to_string(WTERMSIG(status))
                                : "the process ended";
      record("failed", why);
    } else if (results.size() == first && results.size() < cases.size()) {
      throw runtime::Error("the device could not be opened");
    }
  }

  void record(const std::string &result, const std::string &message) {
    const Case &test = *cases[*current];
    current.reset();
    if (result == "failed")
      std::printf("failed: %s: %s\n", test.form.c_str(), message.c_str());
    results.push_back({{"instruction", test.instruction},
                       {"name", test.form},
                       {"comparison", test.comparison},
                       {"result", result},
                       {"message", message}});
    if (!options.json.empty())
      write();
  }

  /// One line for each case, so that two files can be compared.
  void write() const {
    std::time_t now = std::time(nullptr);
    char date[16];
    std::strftime(date, sizeof(date), "%Y-%m-%d", std::gmtime(&now));
    std::ofstream file(options.json, std::ios::trunc);
    file << "{\n \"device\": " << Json(device) << ",\n \"date\": \"" << date
         << "\",\n \"seed\": " << options.seed << ",\n \"cases\": [\n";
    for (size_t index = 0; index < results.size(); ++index)
      file << "  "
           << results[index].dump(-1, ' ', false,
                                  Json::error_handler_t::replace)
           << (index + 1 < results.size() ? ",\n" : "\n");
    file << " ]\n}\n";
  }

  /// Whether ptxas takes what has been collected, if anything has.
  bool assemble() const {
    if (collected.empty())
      return true;
    bool all = true;
    for (const char *target : {"sm_80", "sm_86", "sm_90", "sm_90a"}) {
      std::string file = collected + target + ".ptx";
      if (::access(file.c_str(), R_OK) != 0)
        continue;
      std::string command = options.ptxas + " -arch=sm_90a -o " + file +
                            ".cubin " + file + " >&2";
      bool isGood = std::system(command.c_str()) == 0;
      if (!isGood)
        std::printf("failed: ptxas does not take %s\n", file.c_str());
      all = all && isGood;
    }
    if (all && std::system(("rm -r " + collected).c_str()) != 0)
      std::printf("%s is left behind\n", collected.c_str());
    return all;
  }

  const RunOptions &options;
  std::vector<const Case *> cases;
  std::string collected;
  std::string device;
  std::vector<Json> results;
  /// The case that has begun and not ended.
  std::optional<size_t> current;
};

} // namespace

bool runCases(const Suite &suite, const RunOptions &options) {
  return Runner(suite, options).run();
}

} // namespace pbs::conformance
