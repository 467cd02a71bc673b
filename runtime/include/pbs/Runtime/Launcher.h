// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs an entry of a plan on a device.

#ifndef PBS_RUNTIME_LAUNCHER_H
#define PBS_RUNTIME_LAUNCHER_H

#include "pbs/Runtime/Arguments.h"
#include "pbs/Runtime/Array.h"
#include "pbs/Runtime/Device.h"
#include "pbs/Runtime/DeviceMemory.h"
#include "pbs/Runtime/Plan.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pbs::runtime {

/// The text of a file of PTX. Throws Error if it cannot be read.
std::string readPtx(const std::string &path);

/// Throws Error if CUDA accepts no such grid: above 2^31 - 1 CTAs in x or 65535
/// in y or z, or no multiple of the cluster.
void checkGrid(const std::array<int64_t, 3> &grid,
               const std::array<uint32_t, 3> &cluster);

/// One entry of a plan, loaded on a device, with the workspace it needs. The
/// workspace is kept from run to run and only grows. One run at a time. All
/// calls throw Error.
class Executable {
public:
  /// Loads the PTX that stands beside the plan.
  Executable(Device &device, const Plan &plan, std::string_view entryName = "");
  /// Loads \p ptx; \p ptxName stands for it in messages.
  Executable(Device &device, const Plan &plan, std::string_view entryName,
             std::string_view ptx, std::string_view ptxName);
  ~Executable();

  const Entry &entry() const { return plannedEntry; }

  /// Enqueues the steps on the device's stream over memory that the caller
  /// owns: inputs, then outputs. Types, shapes, strides, lengths, alignments
  /// and the entry's requirements are checked, and every expression is
  /// evaluated, before anything is allocated or enqueued. The values of the
  /// `contents` rules are not checked. Outputs are left as they are where no
  /// step writes.
  void run(const std::vector<TensorDescriptor> &arguments);

  /// Checks \p inputs, their contents too, uploads them, runs, waits and
  /// returns the outputs. Each output's bytes are 0xFF before the run, so that
  /// what no kernel wrote is NaN, -1 or 65535.
  std::vector<Array> run(const std::vector<Array> &inputs);

  /// Called before each launch is enqueued, and after it.
  std::function<void(const Launch &)> beforeLaunch;
  std::function<void(const Launch &, const LaunchConfiguration &)> afterLaunch;

private:
  struct ResolvedStep;
  struct Resolved;

  Resolved resolve(Bindings bindings,
                   const std::vector<TensorDescriptor> &arguments) const;
  void enqueue(const Resolved &resolved,
               const std::vector<TensorDescriptor> &arguments);

  Device &device;
  Entry plannedEntry;
  std::unique_ptr<Module> module;
  /// One for each of the entry's buffers.
  std::vector<DeviceMemory> workspace;
};

} // namespace pbs::runtime

#endif // PBS_RUNTIME_LAUNCHER_H
