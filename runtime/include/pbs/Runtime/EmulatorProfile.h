// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the emulator finds out about a launch when EmulatorOptions::profile asks
// for it. docs/ptx-debugging.md explains the models behind it.

#ifndef PBS_RUNTIME_EMULATORPROFILE_H
#define PBS_RUNTIME_EMULATORPROFILE_H

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pbs::runtime {

/// From where to where bytes go.
enum class BytePath : uint8_t {
  /// ld, also of constants.
  GlobalToRegisters,
  RegistersToGlobal,
  GlobalAtomics,
  /// cp.async, cp.async.bulk, cp.async.bulk.tensor. Without zeros that are
  /// filled in; what several CTAs get counts once.
  GlobalToSharedCopy,
  GlobalToSharedBulk,
  GlobalToSharedTensor,
  SharedToGlobalBulk,
  SharedToGlobalTensor,
  /// cp.reduce.async.bulk and its tensor form.
  SharedToGlobalReduction,
  /// ld and ldmatrix, st and stmatrix.
  SharedToRegisters,
  RegistersToShared,
  SharedAtomics,
  /// Operands of wgmma.
  SharedToTensorCore,
  /// Accesses to shared memory of other CTAs, and bulk copies, st.async and
  /// red.async to any CTA of the cluster.
  Cluster,
  LocalLoads,
  LocalStores,
};
inline constexpr size_t bytePathCount = 16;

/// "global -> registers".
std::string_view bytePathName(BytePath path);

/// Accesses to shared memory of the own CTA: one for each instruction of a
/// warp. A wavefront is a pass in which each of the 32 banks of 4 bytes gives
/// or takes one word.
struct BankCounts {
  uint64_t accesses = 0;
  uint64_t wavefronts = 0;
  /// Wavefronts beyond those of the same access without conflicts.
  uint64_t excess = 0;

  BankCounts &operator+=(const BankCounts &other);
};

/// Accesses to global memory, and the sectors of 32 bytes that they touch.
struct SectorCounts {
  uint64_t accesses = 0;
  uint64_t sectors = 0;
  /// Bytes of the sectors that some lane asks for.
  uint64_t usedBytes = 0;

  /// usedBytes of all bytes of the sectors; 1 where there are none.
  double efficiency() const;
  SectorCounts &operator+=(const SectorCounts &other);
};

struct EmulatorProfile {
  /// ld, st, atom and red, ldmatrix and stmatrix.
  enum SharedKind { SharedLoads, SharedStores, SharedAtomics, MatrixRows };
  static constexpr size_t sharedKinds = 4;
  std::array<BankCounts, sharedKinds> banks = {};
  /// ld, st, cp.async.
  enum GlobalKind { GlobalLoads, GlobalStores, AsyncCopies };
  static constexpr size_t globalKinds = 3;
  std::array<SectorCounts, globalKinds> sectors = {};

  /// A PTX instruction and what it did.
  template <typename Counts> struct Line {
    uint32_t line = 0;
    std::string opcode;
    Counts counts;
  };
  /// The few with most excess wavefronts, and with most bytes of sectors that
  /// nobody asked for; the worst first.
  std::vector<Line<BankCounts>> bankLines;
  std::vector<Line<SectorCounts>> sectorLines;

  std::array<uint64_t, bytePathCount> bytes = {};
  uint64_t bytesOf(BytePath path) const { return bytes[size_t(path)]; }

  /// mma or wgmma.mma_async of one shape, counted for each warp.
  struct Product {
    std::string shape;
    uint64_t instructions = 0;
    uint64_t flops = 0;
  };
  std::vector<Product> products;

  enum class WaitKind : uint8_t {
    Barrier,
    Mbarrier,
    ClusterBarrier,
    /// wgmma.wait_group, wait_group and wait_all of cp.async, wait_group of
    /// cp.async.bulk.
    Products,
    Copies,
    BulkCopies,
  };
  /// A PTX instruction at which warps of a role wait.
  struct Wait {
    uint32_t line = 0;
    std::string opcode;
    WaitKind kind = WaitKind::Barrier;
    /// The barriers, by number or by address: lowest and highest.
    uint32_t first = 0;
    uint32_t last = 0;
    uint64_t reached = 0;
    /// How often it held a warp up, and for how many steps in all.
    uint64_t waited = 0;
    uint64_t steps = 0;
  };
  /// Warps that, over all CTAs, wait, copy and multiply in the same lines.
  struct Role {
    /// Numbers of the warps in their CTA, for each CTA of a cluster.
    std::vector<std::vector<uint32_t>> warps;
    /// Over all CTAs of the launch.
    uint64_t warpCount = 0;
    uint64_t instructions = 0;
    uint64_t matrixFlops = 0;
    /// By line.
    std::vector<Wait> waits;
  };
  std::vector<Role> roles;
};

} // namespace pbs::runtime

#endif // PBS_RUNTIME_EMULATORPROFILE_H
