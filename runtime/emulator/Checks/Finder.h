// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From host memory to the words of the checker. Holds the lock of a page of
// global memory until it goes on to another one.

#ifndef PBS_EMULATOR_CHECKS_FINDER_H
#define PBS_EMULATOR_CHECKS_FINDER_H

#include "../Cluster.h"
#include "Checker.h"

namespace pbs::runtime::emulator {

class Checker::Finder {
public:
  /// For the addresses of an instruction of \p warp in \p space.
  Finder(Checker &checker, Warp &warp, Space space)
      : shared(warp.cta), checker(checker), warp(&warp),
        isKnown(space == Space::Shared), isGlobal(space == Space::Global) {}
  /// For shared memory of \p shared, or for global memory.
  Finder(Checker &checker, Cta *shared)
      : shared(shared), checker(checker), isKnown(shared != nullptr),
        isGlobal(!shared) {}

  /// False where nothing is checked: thread-local memory and parameters.
  bool find(uint8_t *host) {
    this->host = host;
    if (!isKnown)
      classify(host);
    if (isNeither)
      return false;
    if (shared) {
      CtaShadow &shadow = checker.shadows[shared->rank];
      word = &shadow.words[size_t(host - shared->shared) / wordBytes];
      more = &shadow.more;
      return true;
    }
    auto address = reinterpret_cast<uintptr_t>(host);
    if (address / WordPage::bytes != pageNumber) {
      release();
      pageNumber = address / WordPage::bytes;
      page = &checker.launch.shadow->find(pageNumber);
      page->mutex.lock();
    }
    word = &page->words[address % WordPage::bytes / wordBytes];
    more = &page->more;
    return true;
  }

  /// The next word, in the same page.
  void next() {
    host += wordBytes - reinterpret_cast<uintptr_t>(host) % wordBytes;
    ++word;
  }

  bool unwritten(uint8_t mask) const {
    if (shared)
      return (mask & ~word->written) != 0;
    return (mask & ~checker.launch.memory->writtenBytes(host)) != 0;
  }
  void setWritten(uint8_t mask) {
    if (shared)
      word->written |= mask;
    else
      checker.launch.memory->setWritten(host, mask);
  }

  void release() {
    if (page)
      page->mutex.unlock();
    page = nullptr;
    pageNumber = 0;
  }
  ~Finder() { release(); }
  Finder(const Finder &) = delete;
  Finder &operator=(const Finder &) = delete;

  // Of the last one found.
  Word *word = nullptr;
  RecordPool *more = nullptr;
  /// Null in global memory.
  Cta *shared = nullptr;

private:
  void classify(const uint8_t *host) {
    auto isIn = [host](const uint8_t *begin, uint64_t bytes) {
      return host >= begin && host < begin + bytes;
    };
    isNeither = false;
    shared = nullptr;
    if (isGlobal)
      return;
    for (Cta *cta : checker.cluster.ctas)
      if (isIn(cta->shared, cta->sharedBytes)) {
        shared = cta;
        return;
      }
    uint64_t local = checker.launch.kernel->localBytes * warpSize;
    isNeither =
        isIn(warp->local, local) || isIn(checker.launch.parameters.data(),
                                         checker.launch.parameters.size());
  }

  Checker &checker;
  Warp *warp = nullptr;
  uint8_t *host = nullptr;
  bool isKnown;
  bool isGlobal;
  bool isNeither = false;
  uintptr_t pageNumber = 0;
  WordPage *page = nullptr;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_CHECKS_FINDER_H
