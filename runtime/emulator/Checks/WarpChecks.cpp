// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "WarpChecks.h"

namespace pbs::runtime::emulator {

void Release::add(const KnowledgeReference &known) {
  if (!known || known == last)
    return;
  last = known;
  if (!gathered)
    gathered = known;
  else if (!gathered->covers(*known))
    gathered.edit().raise(*known);
}

void Release::add(const WarpChecks &warp, uint32_t lanes) {
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1)
    add(warp.known[unsigned(__builtin_ctz(rest))]);
  Knowledge &all = gathered.edit();
  auto raise = [](Times &times, Actor actor, Time time) {
    if (time != 0)
      times.raise(actor, time);
  };
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    all.generic.raise(warp.first + lane, warp.time);
    raise(all.asyncShared, warp.first + lane, warp.fencedShared[lane]);
    raise(all.asyncGlobal, warp.first + lane, warp.fencedGlobal[lane]);
    raise(all.generic, warp.copies.first + lane, warp.copies.done[lane]);
    raise(all.asyncShared, warp.copies.first + lane, warp.copies.fenced[lane]);
  }
}

KnowledgeReference Release::take() {
  last = KnowledgeReference();
  return std::move(gathered);
}

} // namespace pbs::runtime::emulator
