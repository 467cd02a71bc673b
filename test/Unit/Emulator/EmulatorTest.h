// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the emulator's tests share: running PTX, and fresh random inputs.

#ifndef PBS_TEST_EMULATORTEST_H
#define PBS_TEST_EMULATORTEST_H

#include "pbs/Runtime/Emulator.h"
#include "pbs/Runtime/Error.h"

#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <initializer_list>
#include <random>
#include <string>
#include <tuple>
#include <vector>

namespace pbs::runtime::test {

/// Begins every module.
inline const std::string header =
    ".version 8.6\n.target sm_90a\n.address_size 64\n";

/// Packs a kernel's parameters as a launcher does.
class Parameters {
public:
  template <typename T> Parameters &add(T value) {
    while (bytes.size() % alignof(T) != 0)
      bytes.push_back(0);
    bytes.resize(bytes.size() + sizeof(T));
    std::memcpy(bytes.data() + bytes.size() - sizeof(T), &value, sizeof(T));
    return *this;
  }
  std::vector<uint8_t> bytes;
};

/// A test with an emulator and a random generator whose seed it prints.
class EmulatorTest : public ::testing::Test {
protected:
  EmulatorTest() {
    uint32_t seed = std::random_device()();
    random.seed(seed);
    RecordProperty("seed", std::to_string(seed));
    seedText = "seed " + std::to_string(seed);
    EmulatorOptions options;
    options.hostThreads = 1;
    device = createEmulator(options);
  }

  template <typename T> DeviceAddress upload(const std::vector<T> &values) {
    DeviceAddress address = device->allocate(values.size() * sizeof(T));
    device->copyToDevice(address, values.data(), values.size() * sizeof(T));
    return address;
  }

  template <typename T>
  std::vector<T> download(DeviceAddress address, size_t count) {
    std::vector<T> values(count);
    device->copyToHost(values.data(), address, count * sizeof(T));
    return values;
  }

  /// Runs the only kernel of \p ptx, without the header.
  void run(const std::string &ptx, const LaunchConfiguration &configuration,
           const Parameters &parameters) {
    auto module = device->loadModule(header + ptx, "test.ptx");
    device->launch(*module, module->kernelNames().at(0), configuration,
                   parameters.bytes);
  }

  /// The message of the Error that \p function throws.
  template <typename Function> std::string errorOf(Function function) {
    try {
      function();
    } catch (const Error &error) {
      return error.what();
    }
    return "no error";
  }

  /// Random bits in all of a T, with edge cases among them.
  template <typename T> std::vector<T> randomBits(size_t count) {
    std::vector<T> values(count);
    for (T &value : values) {
      uint64_t bits = random();
      switch (random() % 8) {
      case 0:
        bits = 0;
        break;
      case 1:
        bits = UINT64_MAX;
        break;
      case 2:
        bits = uint64_t(1) << (sizeof(T) * 8 - 1);
        break;
      case 3:
        bits &= 0x3F;
        break;
      default:
        break;
      }
      std::memcpy(&value, &bits, sizeof(T));
    }
    return values;
  }

  std::vector<float> randomFloats(size_t count, float low, float high) {
    std::uniform_real_distribution<float> distribution(low, high);
    std::vector<float> values(count);
    for (float &value : values)
      value = distribution(random);
    return values;
  }

  static constexpr size_t threads = 200;

  /// Executes \p statements in 200 threads, with %a, %b and %c loaded from the
  /// inputs, and returns %d of each. Registers %t0 to %t7 (32 bits), %u0 to
  /// %u3 (64), %h0 to %h3 (16) and %p0 to %p3 are free to use. Threads whose
  /// number divides by 5 sit out and keep all ones, so that both whole and
  /// divergent warps are seen: lanes of the first warp all take part.
  template <typename D, typename... S>
  std::vector<D> evaluate(const std::string &statements,
                          const std::vector<S> &...inputs) {
    std::string ptx = ".visible .entry kernel(.param .u64 out";
    static const char *names[] = {"a", "b", "c"};
    for (size_t index = 0; index < sizeof...(S); ++index)
      ptx += std::string(", .param .u64 in_") + names[index];
    ptx += ") {\n.reg .b32 %t<8>, %x<4>;\n.reg .b64 %u<4>, %y<4>;\n"
           ".reg .b16 %h<4>;\n.reg .pred %p<4>, %q;\n";
    ptx += ".reg .b" + std::to_string(sizeof(D) * 8) + " %d;\n";
    size_t index = 0;
    ((ptx += ".reg .b" + std::to_string(std::max<size_t>(sizeof(S), 2) * 8) +
             " %" + names[index++] + ";\n"),
     ...);
    ptx += "mov.u32 %x0, %tid.x;\nmov.u32 %x3, 5;\nrem.u32 %x1, %x0, %x3;\n"
           "setp.eq.u32 %q, %x1, 0;\nsetp.ge.and.u32 %q, %x0, 32, %q;\n"
           "@%q bra END;\n";
    index = 0;
    auto load = [&](size_t bytes) {
      std::string name = names[index++];
      ptx += "ld.param.u64 %y0, [in_" + name + "];\nmad.wide.u32 %y0, %x0, " +
             std::to_string(bytes) + ", %y0;\nld.global.b" +
             std::to_string(bytes * 8) + " %" + name + ", [%y0];\n";
    };
    (load(sizeof(S)), ...);
    ptx += statements;
    ptx += "\nld.param.u64 %y0, [out];\nmad.wide.u32 %y0, %x0, " +
           std::to_string(sizeof(D)) + ", %y0;\nst.global.b" +
           std::to_string(sizeof(D) * 8) + " [%y0], %d;\nEND:\nret;\n}\n";
    DeviceAddress out = device->allocate(threads * sizeof(D));
    Parameters parameters;
    parameters.add(out);
    (parameters.add(upload(inputs)), ...);
    LaunchConfiguration configuration;
    configuration.block = {threads, 1, 1};
    run(ptx, configuration, parameters);
    return download<D>(out, threads);
  }

  /// Whether evaluate's thread \p index took part.
  static bool takesPart(size_t index) { return index < 32 || index % 5 != 0; }

  /// Checks evaluate() against \p expected, bit by bit.
  template <typename D, typename Expected, typename... S>
  void expectExact(const std::string &statements, Expected expected,
                   const std::vector<S> &...inputs) {
    std::vector<D> results = evaluate<D>(statements, inputs...);
    for (size_t index = 0; index < threads; ++index) {
      D want = expected(inputs[index]...);
      if (!takesPart(index))
        std::memset(&want, 0xFF, sizeof(want));
      ASSERT_EQ(0, std::memcmp(&want, &results[index], sizeof(D)))
          << statements << " in thread " << index << ": got "
          << ::testing::PrintToString(results[index]) << ", want "
          << ::testing::PrintToString(want) << " of "
          << ::testing::PrintToString(std::make_tuple(inputs[index]...)) << ", "
          << seedText;
    }
  }

  std::mt19937_64 random;
  std::string seedText;
  std::unique_ptr<EmulatorDevice> device;
};

} // namespace pbs::runtime::test

#endif // PBS_TEST_EMULATORTEST_H
