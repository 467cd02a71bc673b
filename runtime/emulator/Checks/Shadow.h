// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which accesses to each word of memory later ones have to be ordered with.

#ifndef PBS_EMULATOR_CHECKS_SHADOW_H
#define PBS_EMULATOR_CHECKS_SHADOW_H

#include "Knowledge.h"

#include <array>
#include <atomic>
#include <mutex>
#include <unordered_map>

namespace pbs::runtime::emulator {

inline constexpr unsigned wordBytes = 4;
inline constexpr uint8_t wholeWord = 0xF;

/// An access, or the same by several lanes of a warp.
struct Record {
  enum Flag : uint8_t {
    IsWrite = 1,
    /// Made by the async proxy.
    IsAsync = 2,
    /// Its end has not been observed; `time` is its AsyncWork's number.
    InFlight = 4,
    /// Strong: an atomic, or of volatile or relaxed kind.
    IsStrong = 8,
    /// Strong among the threads of a CTA only.
    IsCtaScope = 16,
    /// Made by a wgmma.
    IsProduct = 32,
    /// `actor` is not the first thread of a warp.
    IsOther = 64,
  };

  /// 0: there is no access.
  Time time = 0;
  /// The first thread of the warp, or the mbarrier or warpgroup that tells its
  /// end.
  Actor actor = 0;
  /// Lanes of the warp; or the thread that issued it.
  uint32_t lanes = 0;
  uint32_t instruction = 0;
  /// Number of the cluster, of accesses to global memory.
  uint32_t cluster = 0;
  /// Which bytes of the word.
  uint8_t bytes = 0;
  uint8_t flags = 0;

  bool exists() const { return time != 0; }
  bool has(Flag flag) const { return flags & flag; }
};

/// Number of a RecordList's node, 0 for none.
using RecordIndex = uint32_t;

/// The accesses of a word: nearly always the last write and the reads since
/// then by one warp.
struct Word {
  Record write;
  Record read;
  /// All others.
  RecordIndex more = 0;
  /// Bytes that have been written; of shared memory.
  uint8_t written = 0;
  /// There may be writes in `more`.
  bool hasMoreWrites = false;
};

/// Nodes for all records beyond the first two of a word.
class RecordPool {
public:
  struct Node {
    Record record;
    RecordIndex next = 0;
  };

  RecordPool() : nodes(1) {}
  Node &operator[](RecordIndex index) { return nodes[index]; }
  /// Before the others of the word.
  void push(Word &word, const Record &record);
  /// Removes those that \p function wants removed, and lets it change others.
  template <typename Function> void removeIf(Word &word, Function function) {
    RecordIndex *link = &word.more;
    while (*link != 0) {
      Node &node = nodes[*link];
      if (!function(node.record)) {
        link = &node.next;
        continue;
      }
      RecordIndex unused = *link;
      *link = node.next;
      node.next = free;
      free = unused;
    }
  }
  void clear() {
    nodes.resize(1);
    free = 0;
  }

private:
  std::vector<Node> nodes;
  RecordIndex free = 0;
};

/// Words with the nodes that belong to them.
struct WordPage {
  static constexpr unsigned bytes = 4096;
  std::mutex mutex;
  std::array<Word, bytes / wordBytes> words;
  RecordPool more;
};

/// Accesses to global memory in one launch, by page of the host's addresses.
/// Used by all host threads.
class GlobalShadow {
public:
  /// Of the host address \p page * WordPage::bytes; lives as long as this.
  WordPage &find(uintptr_t page);

  /// What threads of a CTA gave to others through strong writes.
  struct Published {
    uint64_t cluster = 0;
    uint32_t rank = 0;
    /// To threads of the same CTA only.
    bool isNarrow = false;
    /// By cluster.
    ForeignTimes times;
  };
  /// function(vector of Published) for the location at \p address, alone.
  template <typename Function>
  void atLocation(uintptr_t address, Function function) {
    std::lock_guard<std::mutex> lock(locationMutex);
    function(locations[address]);
  }

private:
  static constexpr unsigned shardCount = 64;
  struct Shard {
    std::mutex mutex;
    std::unordered_map<uintptr_t, std::unique_ptr<WordPage>> pages;
  };
  std::array<Shard, shardCount> shards;
  std::mutex locationMutex;
  std::unordered_map<uintptr_t, std::vector<Published>> locations;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_CHECKS_SHADOW_H
