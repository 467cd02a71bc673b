// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the runtime's tests share.

#ifndef PBS_TEST_UNIT_RUNTIME_TESTSUPPORT_H
#define PBS_TEST_UNIT_RUNTIME_TESTSUPPORT_H

#include "pbs/Runtime/Array.h"
#include "pbs/Runtime/Error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <string>
#include <unistd.h>

namespace pbs::runtime::test {

/// A generator with a fresh seed, which is printed; PBS_TEST_SEED repeats a
/// run.
inline std::mt19937_64 freshGenerator() {
  const char *given = std::getenv("PBS_TEST_SEED");
  uint64_t seed =
      given ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::cout << "seed " << seed << " (PBS_TEST_SEED repeats it)\n";
  return std::mt19937_64(seed);
}

inline int64_t uniform(std::mt19937_64 &generator, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(generator);
}

/// An array of random bytes that are valid for the type; floats may be NaN.
inline Array randomArray(std::mt19937_64 &generator, ElementType type,
                         std::vector<int64_t> shape) {
  Array array(type, std::move(shape));
  for (uint8_t &byte : array.storage())
    byte = static_cast<uint8_t>(generator() &
                                (type == ElementType::Bool ? 1 : 255));
  return array;
}

/// A folder that goes away with the test.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "pbs-test-XXXXXX").string();
    folder = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  std::string operator/(const std::string &name) const {
    return folder + "/" + name;
  }
  const std::string &path() const { return folder; }

private:
  std::string folder;
};

/// The message of the Error that \p action throws; a failure if it does not.
template <typename Action> std::string messageOf(Action action) {
  try {
    action();
  } catch (const Error &error) {
    std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  }
  ADD_FAILURE() << "no error";
  return "";
}

} // namespace pbs::runtime::test

#endif // PBS_TEST_UNIT_RUNTIME_TESTSUPPORT_H
