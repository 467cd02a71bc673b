// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Accesses to memory: with which earlier ones they conflict, and what of them
// later ones have to be compared with.

#ifndef PBS_EMULATOR_CHECKS_ACCESSCHECKS_H
#define PBS_EMULATOR_CHECKS_ACCESSCHECKS_H

#include "../MemoryAccess.h"
#include "ClusterShadow.h"
#include "HazardReporter.h"
#include "WarpChecks.h"

namespace pbs::runtime::emulator {

class MatrixDescriptor;

/// Who makes an access.
struct Accessor {
  Warp *warp = nullptr;
  const WarpChecks *checks = nullptr;
  /// Lanes that make it together; the first one is named in messages.
  uint32_t lanes = 0;
  const Knowledge *known = nullptr;
  uint32_t instruction = 0;
  bool isAsync = false;
  /// Record::Flag of strong accesses.
  uint8_t strength = 0;

  unsigned lane() const { return unsigned(__builtin_ctz(lanes)); }
};

/// The writes that a warpgroup's product finds in B, which each of its four
/// warps has to come after; the first of them collects them.
struct CollectedWrites {
  static constexpr size_t maximum = 64;
  struct Write {
    Record record;
    const uint8_t *host;
  };
  /// The product, counted from 1.
  uint64_t product = 0;
  std::vector<Write> writes;
  /// Too many, or words with several writes.
  bool isIncomplete = false;

  void add(const Record &record, const uint8_t *host);
};

class AccessChecks {
public:
  /// \p warps: of the whole cluster.
  AccessChecks(const LaunchState &launch, const Cluster &cluster,
               const std::vector<WarpChecks> &warps, HazardReporter &reporter);
  void start(uint64_t number);

  /// A lane of \p warp that executes an instruction.
  Accessor accessor(Warp &warp, unsigned lane) const;
  /// A load, store or atomic of several lanes, before it happens.
  void access(Warp &warp, Space space, uint32_t active,
              const LanePointers &pointers, unsigned bytes, Access access,
              uint8_t strength);
  /// After a weak store, of \p own: what is at \p host is not what it stored,
  /// but what \p other lane of the same instruction did.
  void overwritten(const Accessor &own, unsigned other, uint8_t *host);
  /// A run of bytes, of shared memory of \p shared or of global memory.
  void run(const Accessor &accessor, uint8_t *host, uint64_t bytes, Cta *shared,
           const Record &record);
  /// Chunks of 16 bytes of some rows of a matrix in shared memory.
  void readMatrix(const Accessor &accessor, const MatrixDescriptor &matrix,
                  unsigned firstRow, unsigned rows, unsigned firstChunk,
                  unsigned chunks, const Record &record,
                  CollectedWrites *collected = nullptr);
  /// Whole words that have been collected, on behalf of another warp.
  void read(const Accessor &accessor, const CollectedWrites &collected);
  /// Nobody has written these bytes any more.
  void forget(uint8_t *host, uint64_t bytes, Cta *shared);

  /// Of an access that has its end at once, to bytes to be filled in.
  Record recordOf(const Accessor &accessor, uint8_t flags) const;

private:
  using Finder = ClusterShadow::Finder;

  /// The last write that an access has been compared with: neighbouring words
  /// mostly have the same.
  struct SeenWrite {
    Record write;
    uint8_t bytes = 0;
    const Knowledge *known = nullptr;
    CollectedWrites *collected = nullptr;

    bool is(const Record &other, uint8_t otherBytes) const {
      return write.time == other.time && write.lanes == other.lanes &&
             write.isLike(other) && bytes == otherBytes;
    }
    /// Another lane of the warp goes on.
    void setAccessor(const Accessor &accessor);
  };

  /// Of accesses of other clusters that nothing has to be ordered with so far,
  /// a word keeps this many: all clusters may read one word.
  static constexpr unsigned keptForeign = 4;

  bool isForeign(const Record &record) const {
    return record.cluster != uint32_t(clusterNumber);
  }
  bool comesBefore(const Record &record, const Accessor &accessor,
                   bool isShared) const;
  bool isAllowed(const Record &record, const Accessor &accessor) const;
  void checkRecord(const Record &record, const Accessor &accessor, bool writes,
                   uint8_t bytes, const uint8_t *host, const Cta *shared);
  /// Reports what of the word conflicts with an access to \p bytes of it.
  void check(const Finder &finder, const Accessor &accessor, bool writes,
             uint8_t bytes, const uint8_t *host);
  void readWord(Finder &finder, const Accessor &accessor, const Record &record,
                const uint8_t *host, SeenWrite &seen);
  void addRead(Finder &finder, const Record &record, const Accessor &accessor);
  void addWrite(Finder &finder, const Record &record, const Accessor &accessor);
  void reportConflict(const Record &record, const Accessor &accessor,
                      bool writes, uint8_t bytes, const uint8_t *host,
                      const Cta *shared);
  void reportUnwritten(const Accessor &accessor, const uint8_t *host,
                       const Cta *shared);
  bool isUnfinished(const Record &record) const;

  ClusterShadow shadow;
  const std::vector<WarpChecks> &warps;
  HazardReporter &reporter;
  const LaunchState &launch;
  unsigned threadsPerCta;
  uint64_t clusterNumber = 0;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_CHECKS_ACCESSCHECKS_H
