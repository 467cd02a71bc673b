// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels that each execute one form of an instruction, to compare what a
// device computes with what the host expects.

#ifndef PBS_TEST_CONFORMANCE_CONFORMANCE_H
#define PBS_TEST_CONFORMANCE_CONFORMANCE_H

#include "pbs/Runtime/Device.h"
#include "pbs/Runtime/ParameterBuffer.h"

#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace pbs::conformance {

using runtime::Device;
using runtime::DeviceAddress;
using runtime::LaunchConfiguration;
using runtime::ParameterBuffer;
using Random = std::mt19937_64;

/// Thrown where a result is not the expected one.
class Mismatch : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Thrown by a case that has passed once its kernel has failed as it has to,
/// after which a GPU is of no more use to the process.
class RightFailure {};

/// What a case runs in. Memory ends with it.
class Environment {
public:
  /// \p collected, unless empty, is the beginning of the names of files to
  /// which all PTX goes as well, one per target.
  Environment(Device &device, uint64_t seed, std::string target,
              std::string collected)
      : device(device), random(seed), target(std::move(target)),
        collected(std::move(collected)) {}
  ~Environment();

  DeviceAddress allocate(size_t bytes);

  template <typename T> DeviceAddress upload(const std::vector<T> &values) {
    DeviceAddress address = allocate(values.size() * sizeof(T));
    device.copyToDevice(address, values.data(), values.size() * sizeof(T));
    return address;
  }

  template <typename T>
  std::vector<T> download(DeviceAddress address, size_t count) {
    std::vector<T> values(count);
    device.copyToHost(values.data(), address, count * sizeof(T));
    return values;
  }

  /// Runs the kernel "kernel" of \p ptx, which comes without the module's
  /// directives, and waits. Dynamic shared memory is "memory", aligned to 1024
  /// bytes.
  void launch(const std::string &ptx, const LaunchConfiguration &configuration,
              const ParameterBuffer &parameters);

  /// A number from 0 to \p count - 1.
  uint32_t below(uint32_t count) { return uint32_t(random() % count); }

  template <typename T> std::vector<T> randomBits(size_t count) {
    std::vector<T> values(count);
    for (T &value : values)
      value = T(random());
    return values;
  }

  Device &device;
  Random random;

private:
  std::string target;
  std::string collected;
  std::vector<DeviceAddress> allocations;
};

struct Case {
  /// Of Instructions.def.
  std::string instruction;
  /// Which of the instruction's forms, unique among all cases.
  std::string form;
  /// How results are compared.
  std::string comparison;
  /// The least chip: "sm_80", "sm_86", "sm_90", or "sm_90a" for that one alone.
  std::string target;
  std::function<void(Environment &)> run;
};

class Suite {
public:
  /// A case of the instruction whose name \p form begins with.
  void add(const std::string &form, const std::string &target,
           const std::string &comparison,
           std::function<void(Environment &)> run);

  std::vector<Case> cases;
};

/// Throws Mismatch with \p what unless the values are the same bits.
template <typename T>
void expectSame(const std::string &what, const std::vector<T> &got,
                const std::vector<T> &want) {
  if (got.size() != want.size())
    throw Mismatch(what + ": " + std::to_string(got.size()) + " values");
  for (size_t index = 0; index < got.size(); ++index)
    if (got[index] != want[index])
      throw Mismatch(what + " " + std::to_string(index) + ": got " +
                     std::to_string(got[index]) + ", want " +
                     std::to_string(want[index]));
}

// Each adds the cases of one file. They run in this order: what may hang comes
// last.
void addIntegers(Suite &suite);
void addLogic(Suite &suite);
void addComparisons(Suite &suite);
void addFloats(Suite &suite);
void addHalves(Suite &suite);
void addApproximations(Suite &suite);
void addConversions(Suite &suite);
void addMemory(Suite &suite);
void addAtomics(Suite &suite);
void addControl(Suite &suite);
void addExchange(Suite &suite);
void addMatrices(Suite &suite);
void addBarriers(Suite &suite);
void addAsyncCopies(Suite &suite);
void addMbarriers(Suite &suite);
void addBulkCopies(Suite &suite);
void addTensorCopies(Suite &suite);
void addWarpgroups(Suite &suite);
void addClusters(Suite &suite);

} // namespace pbs::conformance

#endif // PBS_TEST_CONFORMANCE_CONFORMANCE_H
