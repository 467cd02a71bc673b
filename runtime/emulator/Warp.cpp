// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Divergence and reconvergence at immediate post-dominators. Paths form a
// forest: a path that diverges waits as the parent of those it split into, and
// any path without children may run, so that lanes which wait for each other
// inside a divergent region make progress.

#include "Warp.h"

#include "Checks/Checker.h"
#include "Profiler.h"

namespace pbs::runtime::emulator {

void Warp::start(uint32_t entry, uint32_t lanes) {
  paths.clear();
  existing = live = lanes;
  Path root;
  root.state = Path::State::Runnable;
  root.pc = entry;
  root.mask = lanes;
  current = -1;
  newPath(root);
  loadPath(0);
}

int32_t Warp::newPath(const Path &path) {
  for (size_t index = 0; index < paths.size(); ++index)
    if (paths[index].state == Path::State::Free) {
      paths[index] = path;
      return int32_t(index);
    }
  paths.push_back(path);
  return int32_t(paths.size() - 1);
}

void Warp::savePath() {
  paths[current].pc = pc;
  paths[current].mask = mask;
}

void Warp::loadPath(int32_t path) {
  current = path;
  pc = paths[path].pc;
  mask = paths[path].mask;
  reconverge = paths[path].reconverge;
  runnable = true;
}

void Warp::resume() {
  if (runnable)
    return;
  for (size_t index = paths.size(); index-- > 0;)
    if (paths[index].state == Path::State::Runnable)
      return loadPath(int32_t(index));
}

void Warp::rotate() {
  if (!runnable)
    return;
  savePath();
  size_t count = paths.size();
  for (size_t step = 1; step < count; ++step) {
    size_t index = (size_t(current) + step) % count;
    if (paths[index].state == Path::State::Runnable)
      return loadPath(int32_t(index));
  }
}

void Warp::diverge(const Branch *branches, unsigned count, uint32_t meeting) {
  savePath();
  // A path that already ends at the meeting point needs no new level: its
  // parent waits there for all lanes. This keeps loops flat.
  int32_t parent = current;
  if (paths[current].reconverge == meeting && !paths[current].isCall) {
    parent = paths[current].parent;
    paths[current].state = Path::State::Free;
    if (parent >= 0)
      --paths[parent].children;
  } else {
    paths[current].state = Path::State::Parent;
    paths[current].pc = meeting;
  }
  Path child;
  child.state = Path::State::Runnable;
  child.reconverge = meeting;
  child.parent = parent;
  for (unsigned index = count; index-- > 0;) {
    // Lanes that go straight to the meeting point wait in the parent.
    if (branches[index].target == meeting)
      continue;
    child.mask = branches[index].lanes;
    child.pc = branches[index].target;
    current = newPath(child);
    if (parent >= 0)
      ++paths[parent].children;
  }
  loadPath(current);
}

void Warp::releasePath(int32_t path) {
  int32_t parent = paths[path].parent;
  paths[path].state = Path::State::Free;
  runnable = false;
  current = -1;
  if (parent < 0 || --paths[parent].children != 0)
    return;
  if (paths[parent].mask == 0)
    return releasePath(parent);
  paths[parent].state = Path::State::Runnable;
  loadPath(parent);
}

void Warp::finishPath() {
  releasePath(current);
  resume();
}

void Warp::exitLanes(uint32_t lanes) {
  live &= ~lanes;
  mask &= ~lanes;
  savePath();
  for (int32_t path = paths[current].parent; path >= 0;
       path = paths[path].parent)
    paths[path].mask &= ~lanes;
  if (mask == 0)
    finishPath();
  checkWarpBarriers();
}

void Warp::call(uint32_t lanes, uint32_t entry) {
  // A guarded call leaves the other lanes waiting behind it.
  savePath();
  paths[current].state = Path::State::Parent;
  Path callee;
  callee.state = Path::State::Runnable;
  callee.pc = entry;
  callee.mask = lanes;
  callee.parent = current;
  callee.isCall = true;
  ++paths[current].children;
  loadPath(newPath(callee));
}

void Warp::returnLanes(uint32_t lanes) {
  mask &= ~lanes;
  savePath();
  for (int32_t path = current; !paths[path].isCall;) {
    path = paths[path].parent;
    if (path < 0)
      break;
    paths[path].mask &= ~lanes;
  }
  if (mask == 0)
    finishPath();
}

Path &Warp::block(Path::State state) {
  savePath();
  Path &path = paths[current];
  path.state = state;
  runnable = false;
  current = -1;
  return path;
}

void Warp::checkWarpBarriers() {
  for (const Path &waiting : paths) {
    if (waiting.state != Path::State::AtWarpBarrier)
      continue;
    uint32_t arrived = 0;
    for (const Path &path : paths)
      if (path.state == Path::State::AtWarpBarrier &&
          path.waitsFor == waiting.waitsFor)
        arrived |= path.mask;
    if ((waiting.waitsFor & live & ~arrived) != 0)
      continue;
    uint32_t released = waiting.waitsFor;
    for (Path &path : paths)
      if (path.state == Path::State::AtWarpBarrier && path.waitsFor == released)
        path.state = Path::State::Runnable;
    if (cta->checker)
      cta->checker->synchronizeLanes(*this,
                                     arrived | (released & existing & ~live));
  }
  resume();
}

uint32_t Cta::liveThreads() const {
  uint32_t count = 0;
  for (const Warp &warp : warps)
    count += uint32_t(__builtin_popcount(warp.live));
  return count;
}

void Cta::checkBarriers() {
  for (unsigned id = 0; id < barrierCount; ++id) {
    NamedBarrier &barrier = barriers[id];
    if (!barrier.inUse)
      continue;
    bool isForAll = barrier.expected == 0;
    uint32_t expected = isForAll ? liveThreads() : barrier.expected;
    if (barrier.arrived < expected)
      continue;
    uint32_t votes = barrier.votes;
    uint32_t arrived = barrier.arrived;
    barrier = NamedBarrier();
    if (checker)
      checker->completeBarrier(*this, id, isForAll);
    if (profiler)
      profiler->releaseBarrier(*this, id);
    for (Warp &warp : warps) {
      for (Path &path : warp.paths) {
        if (path.state != Path::State::AtBarrier || path.waitsFor != id)
          continue;
        path.state = Path::State::Runnable;
        if (checker)
          checker->leaveBarrier(warp, path.mask);
        if (path.reduction == Path::Reduction::None)
          continue;
        if (path.reduction == Path::Reduction::Population) {
          uint32_t *result = warp.lanes<uint32_t>(path.resultSlot);
          for (unsigned lane = 0; lane < warpSize; ++lane)
            if (path.mask >> lane & 1)
              result[lane] = votes;
        } else {
          bool value = path.reduction == Path::Reduction::And ? votes == arrived
                                                              : votes != 0;
          uint32_t &result = warp.predicate(path.resultSlot);
          result = value ? result | path.mask : result & ~path.mask;
        }
        path.reduction = Path::Reduction::None;
      }
      warp.resume();
    }
  }
}

} // namespace pbs::runtime::emulator
