// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What has happened before the present of a thread, as vector clocks. Actors
// are the threads of a cluster, its warpgroups (for wgmma) and its mbarriers
// (for what reports to them). Each actor's accesses have times that never
// fall; a thread knows of each actor up to which time they come before its own
// next access.

#ifndef PBS_EMULATOR_CHECKS_KNOWLEDGE_H
#define PBS_EMULATOR_CHECKS_KNOWLEDGE_H

#include <cstdint>
#include <map>
#include <memory>
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
  bool empty() const { return values.empty(); }
  void clear() { values.clear(); }
  /// Later times only.
  void raise(Actor actor, Time time);
  void raise(const Times &other);
  /// Nothing in \p other is later.
  bool covers(const Times &other) const;

private:
  std::vector<Time> values;
};

/// By number of another cluster, what is known of its threads.
using ForeignTimes = std::map<uint64_t, Times>;

/// Shared by the threads that know the same, and not changed from then on.
struct Knowledge {
  /// What comes before the thread's next generic access.
  Times generic;
  /// What, of generic accesses, comes before the next access that the async
  /// proxy makes for the thread: what has passed a fence.proxy.async.
  Times asyncShared;
  Times asyncGlobal;
  /// Null where nothing is known.
  std::shared_ptr<const ForeignTimes> foreign;

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
