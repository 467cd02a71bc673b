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

void Knowledge::raise(const Knowledge &other) {
  generic.raise(other.generic);
  asyncShared.raise(other.asyncShared);
  asyncGlobal.raise(other.asyncGlobal);
  if (!other.foreign || foreign == other.foreign)
    return;
  auto both = std::make_shared<ForeignTimes>(*other.foreign);
  if (foreign)
    for (const auto &[cluster, times] : *foreign)
      (*both)[cluster].raise(times);
  foreign = std::move(both);
}

bool Knowledge::covers(const Knowledge &other) const {
  return generic.covers(other.generic) &&
         asyncShared.covers(other.asyncShared) &&
         asyncGlobal.covers(other.asyncGlobal) &&
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
