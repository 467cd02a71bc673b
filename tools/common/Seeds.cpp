// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "common/Seeds.h"

#include "pbs/Runtime/Error.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

using namespace pbs::tools;
using namespace pbs::runtime;

static constexpr uint64_t maximumSeeds = 1000000;

Seeds pbs::tools::parseSeeds(const std::string &text) {
  Seeds seeds;
  size_t dots = text.find("..");
  bool isNumber = parseInteger(text.substr(0, dots), seeds.first);
  seeds.last = seeds.first;
  if (isNumber && dots != std::string::npos) {
    seeds.isRange = true;
    isNumber = parseInteger(text.substr(dots + 2), seeds.last) &&
               seeds.first <= seeds.last &&
               seeds.last - seeds.first < maximumSeeds;
  }
  if (!isNumber)
    throw Error("--seed=" + text + ": expected a number, or FIRST..LAST");
  return seeds;
}

/// The number of the first result that differs, counted from 1; 0 for none.
static size_t firstDifference(const std::vector<Array> &a,
                              const std::vector<Array> &b) {
  for (size_t index = 0; index < a.size(); ++index)
    if (a[index].storage() != b[index].storage())
      return index + 1;
  return 0;
}

std::vector<Array> pbs::tools::runWithSeeds(
    const Seeds &seeds,
    const std::function<std::vector<Array>(uint64_t)> &run) {
  uint64_t first = seeds.first;
  // What the others are compared with.
  std::vector<Array> results = run(first);

  std::atomic<uint64_t> next = 1;
  uint64_t count = seeds.last - first + 1;
  std::mutex mutex;
  uint64_t failed = count;
  std::exception_ptr failure;
  auto fail = [&](uint64_t number, std::exception_ptr reason) {
    std::lock_guard<std::mutex> lock(mutex);
    if (number >= failed)
      return;
    failed = number;
    failure = std::move(reason);
  };
  auto work = [&] {
    for (;;) {
      uint64_t number = next.fetch_add(1);
      {
        // Seeds after one that failed are not of interest any more.
        std::lock_guard<std::mutex> lock(mutex);
        if (number >= failed)
          return;
      }
      try {
        uint64_t seed = first + number;
        if (size_t result = firstDifference(results, run(seed)))
          throw Error("result " + std::to_string(result) +
                      " with --seed=" + std::to_string(seed) +
                      " is not that with --seed=" + std::to_string(first));
      } catch (...) {
        fail(number, std::current_exception());
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned index = 1; index < std::thread::hardware_concurrency(); ++index)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();
  if (failure)
    std::rethrow_exception(failure);
  return results;
}
