// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How fast the emulator executes the named programs, on one host thread,
// without and with checks for hazards.

#include "pbs/Runtime/Emulator.h"

#include <benchmark/benchmark.h>
#include <cstring>
#include <fstream>
#include <sstream>

using namespace pbs::runtime;

namespace {

constexpr uint32_t threads = 128;
constexpr uint32_t ctas = 8;

std::string readProgram(const std::string &name) {
  std::ifstream file(std::string(PBS_BENCH_DIR "/") + name + ".ptx");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Runs \p name once per benchmark iteration; 512 bytes of output per CTA.
LaunchStatistics runProgram(benchmark::State &state, const std::string &name,
                            uint32_t iterations) {
  EmulatorOptions options;
  options.hostThreads = 1;
  if (state.range(0))
    options.checks = EmulatorOptions::Checks::All;
  auto device = createEmulator(options);
  auto module = device->loadModule(readProgram(name), name + ".ptx");
  DeviceAddress out = device->allocate(ctas * threads * 4);
  std::vector<uint8_t> parameters(12);
  std::memcpy(parameters.data(), &out, 8);
  std::memcpy(parameters.data() + 8, &iterations, 4);
  LaunchConfiguration configuration;
  configuration.grid = {ctas, 1, 1};
  configuration.block = {threads, 1, 1};
  LaunchStatistics total;
  for (auto _ : state) {
    device->launch(*module, name, configuration, parameters);
    total += device->launchStatistics();
  }
  return total;
}

void mixed(benchmark::State &state) {
  LaunchStatistics total = runProgram(state, "mixed", 400);
  state.counters["M lane-instructions/s"] =
      benchmark::Counter(double(total.totalLaneInstructions()) * 1e-6,
                         benchmark::Counter::kIsRate);
}

void mma_sync(benchmark::State &state) {
  LaunchStatistics total = runProgram(state, "mma_sync", 100);
  state.counters["GFLOP/s"] = benchmark::Counter(
      double(total.matrixFlops) * 1e-9, benchmark::Counter::kIsRate);
}

void wgmma(benchmark::State &state) {
  LaunchStatistics total = runProgram(state, "wgmma", 10);
  state.counters["GFLOP/s"] = benchmark::Counter(
      double(total.matrixFlops) * 1e-9, benchmark::Counter::kIsRate);
}

/// The parser and decoder, on a module of many copies of a program.
void load(benchmark::State &state) {
  std::string program = readProgram("mma_sync");
  std::string text = program.substr(0, program.find(".visible"));
  std::string body = program.substr(program.find(".visible"));
  size_t name = body.find("mma_sync(");
  for (unsigned copy = 0; copy < 200; ++copy)
    text += body.substr(0, name) + "copy" + std::to_string(copy) +
            body.substr(name + 8);
  auto device = createEmulator();
  for (auto _ : state)
    benchmark::DoNotOptimize(device->loadModule(text, "load.ptx"));
  state.counters["MB/s"] = benchmark::Counter(double(text.size()) * 1e-6 *
                                                  double(state.iterations()),
                                              benchmark::Counter::kIsRate);
}

} // namespace

BENCHMARK(mixed)->ArgName("checks")->Arg(0)->Arg(1)->Unit(
    benchmark::kMillisecond);
BENCHMARK(mma_sync)->ArgName("checks")->Arg(0)->Arg(1)->Unit(
    benchmark::kMillisecond);
BENCHMARK(wgmma)->ArgName("checks")->Arg(0)->Arg(1)->Unit(
    benchmark::kMillisecond);
BENCHMARK(load)->Unit(benchmark::kMillisecond);

BENCHMARK_MAIN();
