// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What has happened before the present of a thread, as vector clocks.
//
// Accesses belong to actors: to the threads of a cluster, or to what tells
// threads of the end of asynchronous work (an mbarrier, the groups of copies of
// a thread, a warpgroup with its products). An actor's accesses have times that
// never fall, and who knows of an access knows of all earlier ones of that
// actor. So one time for each actor says which accesses come before a thread's
// own next one.

#ifndef PBS_EMULATOR_CHECKS_KNOWLEDGE_H
#define PBS_EMULATOR_CHECKS_KNOWLEDGE_H

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace pbs::runtime::emulator {

using Actor = uint32_t;
using Time = uint32_t;

/// A time for each actor; 0, before everything, for those beyond the end.
class Times {
public:
  Time operator[](Actor actor) const {
    return actor < values.size() ? values[actor] : 0;
  }
  /// Later times only.
  void raise(Actor actor, Time time);
  void raise(const Times &other);
  /// Nothing in \p other is later.
  bool covers(const Times &other) const;

private:
  std::vector<Time> values;
};

/// What is known of the actors of one cluster.
struct KnownTimes {
  /// What comes before the thread's next generic access.
  Times generic;
  /// What, of generic accesses, comes before the next access that the async
  /// proxy makes for the thread: what has passed a fence.proxy.async.
  Times asyncShared;
  Times asyncGlobal;

  void raise(const KnownTimes &other);
  bool covers(const KnownTimes &other) const;
  /// Everything known passes a proxy fence.
  void fence(bool isShared, bool isGlobal);
  bool isFenced(bool isShared, bool isGlobal) const;
};

/// What is known of several clusters, by their numbers. Threads of other
/// clusters are met through global memory only, on whatever host threads these
/// run, so the times are shared and do not change.
class ClusterTimes {
public:
  using Shared = std::shared_ptr<const KnownTimes>;

  /// Null where nothing is known.
  const KnownTimes *find(uint64_t cluster) const;
  void raise(uint64_t cluster, const Shared &times);
  void raise(const ClusterTimes &other);
  /// See KnownTimes.
  ClusterTimes fenced() const;

private:
  using Entry = std::pair<uint64_t, Shared>;
  /// Ordered.
  std::vector<Entry> entries;
};

/// Shared by the threads that know the same, and not changed from then on.
struct Knowledge : KnownTimes {
  /// Of other clusters; null where nothing is known.
  std::shared_ptr<const ClusterTimes> foreign;

  uint32_t references = 0;

  void raise(const Knowledge &other);
  bool covers(const Knowledge &other) const;
};

/// A counted reference; null knows nothing. One host thread uses all
/// references to a Knowledge.
class KnowledgeReference {
public:
  KnowledgeReference() = default;
  explicit KnowledgeReference(Knowledge *knowledge) : knowledge(knowledge) {
    ++knowledge->references;
  }
  KnowledgeReference(const KnowledgeReference &other)
      : knowledge(other.knowledge) {
    if (knowledge)
      ++knowledge->references;
  }
  KnowledgeReference(KnowledgeReference &&other) noexcept
      : knowledge(other.knowledge) {
    other.knowledge = nullptr;
  }
  KnowledgeReference &operator=(KnowledgeReference other) noexcept {
    std::swap(knowledge, other.knowledge);
    return *this;
  }
  ~KnowledgeReference() {
    if (knowledge && --knowledge->references == 0)
      delete knowledge;
  }

  explicit operator bool() const { return knowledge != nullptr; }
  const Knowledge *get() const { return knowledge; }
  const Knowledge &operator*() const { return *knowledge; }
  const Knowledge *operator->() const { return knowledge; }
  bool operator==(const KnowledgeReference &other) const {
    return knowledge == other.knowledge;
  }
  bool operator!=(const KnowledgeReference &other) const {
    return knowledge != other.knowledge;
  }

  /// To change it: a copy unless this is the only reference.
  Knowledge &edit();

private:
  Knowledge *knowledge = nullptr;
};

/// All that either of them knows.
KnowledgeReference join(const KnowledgeReference &a,
                        const KnowledgeReference &b);

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_CHECKS_KNOWLEDGE_H
