// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which accesses to each word of memory later ones have to be ordered with.

#ifndef PBS_EMULATOR_CHECKS_SHADOW_H
#define PBS_EMULATOR_CHECKS_SHADOW_H

#include "Knowledge.h"

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <unordered_map>

namespace pbs::runtime::emulator {

inline constexpr unsigned wordBytes = 4;
inline constexpr uint8_t wholeWord = 0xF;

/// An access, or the same by several lanes of a warp: an epoch of FastTrack
/// with what a report says of it.
struct Record {
  enum Flag : uint8_t {
    IsWrite = 1,
    /// Made by the async proxy.
    IsAsync = 2,
    /// Strong: an atomic, or of volatile or relaxed kind.
    IsStrong = 4,
    /// Strong among the threads of a CTA only.
    IsCtaScope = 8,
    /// `actor` is a single one and `lanes` the thread that issued the access.
    IsSingle = 16,
  };
  static constexpr uint8_t strengthFlags = IsStrong | IsCtaScope;
  static constexpr unsigned actorBits = 20;

  /// Of the actor or actors; 0: there is no access.
  Time time = 0;
  /// The first of a warp's 32 actors, one for each lane; see IsSingle.
  uint32_t actor : actorBits;
  /// Which bytes of the word.
  uint32_t bytes : 4;
  uint32_t flags : 8;
  /// Lanes of the warp.
  uint32_t lanes = 0;
  uint32_t instruction = 0;
  /// Number of the cluster.
  uint32_t cluster = 0;

  Record() : actor(0), bytes(0), flags(0) {}
  bool exists() const { return time != 0; }
  bool has(Flag flag) const { return flags & flag; }
  /// All but its time and lanes, and how it came to be.
  bool isLike(const Record &other) const {
    return actor == other.actor && bytes == other.bytes &&
           flags == other.flags && cluster == other.cluster;
  }
  /// The same access by other lanes, perhaps.
  bool isSameBy(const Record &other) const {
    return time == other.time && instruction == other.instruction &&
           isLike(other) && !has(IsSingle);
  }
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
  const Node &operator[](RecordIndex index) const { return nodes[index]; }
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
    word.hasMoreWrites &= word.more != 0;
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

  /// What strong writes to a location gave to those who read it.
  struct Flag {
    /// To everybody; not changed from then on.
    std::shared_ptr<const ClusterTimes> wide;
    /// To the threads of the CTA of this rank in this cluster only.
    std::map<std::pair<uint64_t, uint32_t>, std::shared_ptr<const ClusterTimes>>
        narrow;
  };
  /// function(Flag) for the location at \p address, alone.
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
  std::atomic<uint64_t> pageCount = 0;
  std::mutex locationMutex;
  std::unordered_map<uintptr_t, Flag> locations;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_CHECKS_SHADOW_H
