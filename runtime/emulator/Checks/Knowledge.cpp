// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Knowledge.h"

#include <algorithm>

namespace pbs::runtime::emulator {

void Times::raise(Actor actor, Time time) {
  if (actor >= values.size())
    values.resize(actor + 1);
  values[actor] = std::max(values[actor], time);
}

void Times::raise(const Times &other) {
  if (values.size() < other.values.size())
    values.resize(other.values.size());
  for (size_t actor = 0; actor < other.values.size(); ++actor)
    values[actor] = std::max(values[actor], other.values[actor]);
}

bool Times::covers(const Times &other) const {
  size_t common = std::min(values.size(), other.values.size());
  unsigned later = 0;
  for (size_t actor = 0; actor < common; ++actor)
    later |= other.values[actor] > values[actor];
  for (size_t actor = common; actor < other.values.size(); ++actor)
    later |= other.values[actor] != 0;
  return later == 0;
}

void KnownTimes::raise(const KnownTimes &other) {
  generic.raise(other.generic);
  asyncShared.raise(other.asyncShared);
  asyncGlobal.raise(other.asyncGlobal);
}

bool KnownTimes::covers(const KnownTimes &other) const {
  return generic.covers(other.generic) &&
         asyncShared.covers(other.asyncShared) &&
         asyncGlobal.covers(other.asyncGlobal);
}

void KnownTimes::fence(bool isShared, bool isGlobal) {
  if (isShared)
    asyncShared.raise(generic);
  if (isGlobal)
    asyncGlobal.raise(generic);
}

bool KnownTimes::isFenced(bool isShared, bool isGlobal) const {
  return (!isShared || asyncShared.covers(generic)) &&
         (!isGlobal || asyncGlobal.covers(generic));
}

const KnownTimes *ClusterTimes::find(uint64_t cluster) const {
  auto found = std::lower_bound(
      entries.begin(), entries.end(), cluster,
      [](const Entry &entry, uint64_t number) { return entry.first < number; });
  return found != entries.end() && found->first == cluster ? found->second.get()
                                                           : nullptr;
}

void ClusterTimes::raise(uint64_t cluster, const Shared &times) {
  ClusterTimes other;
  other.entries.emplace_back(cluster, times);
  raise(other);
}

void ClusterTimes::raise(const ClusterTimes &other) {
  std::vector<Entry> both;
  both.reserve(entries.size() + other.entries.size());
  auto own = entries.begin();
  for (const Entry &entry : other.entries) {
    for (; own != entries.end() && own->first < entry.first; ++own)
      both.push_back(*own);
    if (own == entries.end() || own->first != entry.first) {
      both.push_back(entry);
      continue;
    }
    Shared &times = own->second;
    if (times != entry.second && !times->covers(*entry.second)) {
      if (entry.second->covers(*times)) {
        times = entry.second;
      } else {
        auto merged = std::make_shared<KnownTimes>(*times);
        merged->raise(*entry.second);
        times = std::move(merged);
      }
    }
    both.push_back(*own++);
  }
  both.insert(both.end(), own, entries.end());
  entries = std::move(both);
}

ClusterTimes ClusterTimes::fenced() const {
  ClusterTimes result = *this;
  for (auto &[cluster, times] : result.entries) {
    if (times->isFenced(/*isShared=*/false, /*isGlobal=*/true))
      continue;
    auto changed = std::make_shared<KnownTimes>(*times);
    changed->fence(/*isShared=*/false, /*isGlobal=*/true);
    times = std::move(changed);
  }
  return result;
}

void Knowledge::raise(const Knowledge &other) {
  KnownTimes::raise(other);
  if (!other.foreign || foreign == other.foreign)
    return;
  if (!foreign) {
    foreign = other.foreign;
    return;
  }
  auto both = std::make_shared<ClusterTimes>(*foreign);
  both->raise(*other.foreign);
  foreign = std::move(both);
}

bool Knowledge::covers(const Knowledge &other) const {
  return KnownTimes::covers(other) &&
         (!other.foreign || foreign == other.foreign);
}

Knowledge &KnowledgeReference::edit() {
  if (!knowledge) {
    *this = KnowledgeReference(new Knowledge);
  } else if (knowledge->references != 1) {
    auto *copy = new Knowledge(*knowledge);
    copy->references = 0;
    *this = KnowledgeReference(copy);
  }
  return *knowledge;
}

KnowledgeReference join(const KnowledgeReference &a,
                        const KnowledgeReference &b) {
  if (!b || a == b)
    return a;
  if (!a)
    return b;
  if (a->covers(*b))
    return a;
  if (b->covers(*a))
    return b;
  KnowledgeReference both = a;
  both.edit().raise(*b);
  return both;
}

} // namespace pbs::runtime::emulator
