// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The shadow of all memory that a cluster uses: its own shared memory, and the
// launch's GlobalShadow.

#ifndef PBS_EMULATOR_CHECKS_CLUSTERSHADOW_H
#define PBS_EMULATOR_CHECKS_CLUSTERSHADOW_H

#include "../Cluster.h"
#include "Shadow.h"

namespace pbs::runtime::emulator {

class ClusterShadow {
public:
  ClusterShadow(const LaunchState &launch, const Cluster &cluster)
      : launch(launch), cluster(cluster), ctas(cluster.ctas.size()) {}

  void start();

  class Finder;
  /// function(Finder &, byte mask, host address) for each word of the \p bytes
  /// bytes at \p host; \p shared is their CTA, null in global memory.
  template <typename Function>
  void forWords(uint8_t *host, uint64_t bytes, Cta *shared, Function function);

private:
  struct CtaShadow {
    std::vector<Word> words;
    RecordPool more;
  };

  const LaunchState &launch;
  const Cluster &cluster;
  std::vector<CtaShadow> ctas;
};

/// The bytes of a word that \p bytes bytes from \p host on cover.
inline uint8_t byteMask(const uint8_t *host, unsigned bytes) {
  if (bytes >= wordBytes)
    return wholeWord;
  return uint8_t(((1u << bytes) - 1)
                 << (reinterpret_cast<uintptr_t>(host) % wordBytes));
}

/// From host memory to words. Holds the lock of a page of global memory until
/// it goes on to another one; a thread has one Finder at a time.
class ClusterShadow::Finder {
public:
  /// For the addresses of an instruction of \p warp in \p space.
  Finder(ClusterShadow &shadow, const Warp &warp, Space space)
      : shared(warp.cta), shadow(shadow), warp(&warp),
        isKnown(space == Space::Shared || space == Space::Global) {
    if (space == Space::Global)
      shared = nullptr;
    useShared();
  }
  /// For shared memory of \p shared, or for global memory.
  Finder(ClusterShadow &shadow, Cta *shared)
      : shared(shared), shadow(shadow), isKnown(true) {
    useShared();
  }

  /// False where nothing is checked: thread-local memory and parameters.
  bool find(uint8_t *host) {
    this->host = host;
    if (!isKnown && !classify(host))
      return false;
    if (shared) {
      word = sharedWords + size_t(host - shared->shared) / wordBytes;
      return true;
    }
    auto address = reinterpret_cast<uintptr_t>(host);
    if (address / WordPage::bytes != pageNumber) {
      release();
      pageNumber = address / WordPage::bytes;
      page = &shadow.launch.shadow->find(pageNumber);
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

  bool isWritten(uint8_t mask) const {
    uint8_t written =
        shared ? word->written : shadow.launch.memory->writtenBytes(host);
    return (mask & ~written) == 0;
  }
  void setWritten(uint8_t mask) {
    if (shared)
      word->written |= mask;
    else
      shadow.launch.memory->setWritten(host, mask);
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
  void useShared() {
    if (!shared)
      return;
    CtaShadow &cta = shadow.ctas[shared->rank];
    sharedWords = cta.words.data();
    more = &cta.more;
  }

  /// By the address alone.
  bool classify(const uint8_t *host) {
    auto isIn = [host](const uint8_t *begin, uint64_t bytes) {
      return host >= begin && host < begin + bytes;
    };
    for (Cta *cta : shadow.cluster.ctas)
      if (isIn(cta->shared, cta->sharedBytes)) {
        shared = cta;
        useShared();
        return true;
      }
    shared = nullptr;
    const LaunchState &launch = shadow.launch;
    return !isIn(warp->local, launch.kernel->localBytes * warpSize) &&
           !isIn(launch.parameters.data(), launch.parameters.size());
  }

  ClusterShadow &shadow;
  const Warp *warp = nullptr;
  uint8_t *host = nullptr;
  bool isKnown;
  Word *sharedWords = nullptr;
  uintptr_t pageNumber = 0;
  WordPage *page = nullptr;
};

template <typename Function>
void ClusterShadow::forWords(uint8_t *host, uint64_t bytes, Cta *shared,
                             Function function) {
  if (bytes == 0)
    return;
  Finder finder(*this, shared);
  uint8_t *end = host + bytes;
  finder.find(host);
  for (;;) {
    unsigned inWord =
        unsigned(wordBytes - reinterpret_cast<uintptr_t>(host) % wordBytes);
    unsigned count = unsigned(std::min<uint64_t>(inWord, uint64_t(end - host)));
    function(finder, byteMask(host, count), host);
    host += count;
    if (host == end)
      return;
    if (shared || reinterpret_cast<uintptr_t>(host) % WordPage::bytes != 0)
      finder.next();
    else
      finder.find(host);
  }
}

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_CHECKS_CLUSTERSHADOW_H
