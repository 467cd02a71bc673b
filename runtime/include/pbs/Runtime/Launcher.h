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

/// Memory for an entry's buffers, of one run alone until it has ended.
struct Workspace {
  /// A multiple of 256, or 0 for none.
  DeviceAddress address = 0;
  uint64_t bytes = 0;
};

/// A run that has been captured, with the workspace it uses. The executable and
/// the arguments' memory must live longer.
class CapturedRun {
public:
  CapturedRun(Device &device, std::unique_ptr<Graph> graph, DeviceMemory memory)
      : device(device), memory(std::move(memory)), graph(std::move(graph)) {}
  CapturedRun(CapturedRun &&) = default;
  /// Waits for its replays.
  ~CapturedRun();

  /// Enqueues the run on the device's current stream. Replays must not overlap
  /// each other.
  void replay() { device.replay(*graph); }

private:
  Device &device;
  DeviceMemory memory;
  std::unique_ptr<Graph> graph;
};

/// One entry of a plan, loaded on a device. One call at a time. All calls throw
/// Error.
class Executable {
public:
  /// Loads the cubin that stands beside the plan where the device takes it,
  /// else the PTX.
  Executable(Device &device, const Plan &plan, std::string_view entryName = "");
  /// Loads \p ptx; \p ptxName stands for it in messages.
  Executable(Device &device, const Plan &plan, std::string_view entryName,
             std::string_view ptx, std::string_view ptxName);
  ~Executable();

  const Entry &entry() const { return plannedEntry; }

  /// Bytes of workspace for a run on \p arguments: inputs, or inputs and
  /// outputs, of which the addresses do not matter. The outputs are taken as
  /// contiguous where they are missing.
  uint64_t workspaceBytes(const std::vector<TensorDescriptor> &arguments) const;

  /// Enqueues the steps on the device's current stream over memory that the
  /// caller owns: inputs, then outputs. Types, shapes, strides, lengths,
  /// alignments and the entry's requirements are checked, and every expression
  /// is evaluated, before anything is allocated or enqueued. The values of the
  /// `contents` rules are not checked. Outputs are left as they are where no
  /// step writes. Nothing waits for the device but the growth of the
  /// executable's own workspace, which serves a run that is given none, is kept
  /// from run to run, and makes runs on different streams wait for each other.
  void run(const std::vector<TensorDescriptor> &arguments,
           Workspace workspace = {});

  /// Captures what run() would enqueue.
  CapturedRun capture(const std::vector<TensorDescriptor> &arguments);

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

  Executable(Device &device, const Plan &plan, std::string_view entryName,
             std::unique_ptr<Module> module, std::string_view moduleName);

  Resolved resolve(Bindings bindings,
                   const std::vector<TensorDescriptor> &arguments) const;
  /// Checks \p arguments, with their addresses, and resolves.
  Resolved prepare(const std::vector<TensorDescriptor> &arguments) const;
  void enqueue(const Resolved &resolved,
               const std::vector<TensorDescriptor> &arguments,
               DeviceAddress workspace);
  void runInOwnWorkspace(const Resolved &resolved,
                         const std::vector<TensorDescriptor> &arguments);

  Device &device;
  Entry plannedEntry;
  std::unique_ptr<Module> module;
  DeviceMemory ownWorkspace;
  /// What ran last in it: where, and up to when.
  Stream lastStream = nullptr;
  std::unique_ptr<Event> lastRun;
};

} // namespace pbs::runtime

#endif // PBS_RUNTIME_LAUNCHER_H
