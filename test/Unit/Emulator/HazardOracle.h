// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is a hazard, decided from scratch: the events of one execution as a
// graph, and whether one access can be reached from another. It knows the whole
// execution and stores all of the reachability relation, so it needs none of
// the checker's clocks, merged records or shortcuts, and shares no code with
// it.

#ifndef PBS_TEST_HAZARDORACLE_H
#define PBS_TEST_HAZARDORACLE_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

namespace pbs::runtime::test {

class HazardOracle {
public:
  using Node = unsigned;
  /// A set of state spaces whose accesses a fence.proxy.async orders.
  enum Space : unsigned { Shared = 1, Global = 2 };

  /// An access to bytes of one thread, or of a copy it has issued.
  struct Access {
    /// The same where it is not asynchronous.
    Node start = 0, end = 0;
    /// The instruction, and how often that was executed before.
    unsigned instruction = 0;
    Space space = Shared;
    /// Which memory of that space, and where in it.
    unsigned memory = 0;
    uint32_t begin = 0, bytes = 0;
    bool writes = false;
    /// Of the async proxy.
    bool isAsync = false;
    /// An atomic or a load or store of relaxed kind; for the threads of its CTA
    /// only if isNarrow.
    bool isStrong = false;
    bool isNarrow = false;
    unsigned cta = 0;
  };

  /// An event.
  Node add() {
    before.emplace_back();
    fences.push_back(0);
    return Node(before.size() - 1);
  }
  /// \p earlier comes before \p later.
  void order(Node earlier, Node later) { before[later].push_back(earlier); }
  void setFence(Node node, unsigned spaces) { fences[node] = spaces; }
  void access(const Access &access) { accesses.push_back(access); }

  /// The pairs of instructions, the lower number first, that have accesses
  /// without order between them.
  std::set<std::pair<unsigned, unsigned>> races() {
    close();
    std::set<std::pair<unsigned, unsigned>> pairs;
    for (std::size_t a = 0; a < accesses.size(); ++a)
      for (std::size_t b = 0; b < a; ++b)
        if (conflict(accesses[a], accesses[b]) &&
            !isOrdered(accesses[a], accesses[b]) &&
            !isOrdered(accesses[b], accesses[a]))
          pairs.insert(
              std::minmax(accesses[a].instruction, accesses[b].instruction));
    return pairs;
  }

private:
  using Bits = std::vector<uint64_t>;
  /// What comes before a node: in any way, and with a proxy fence in between.
  struct Past {
    Bits all, fencedShared, fencedGlobal;
  };

  static void unite(Bits &into, const Bits &other) {
    for (std::size_t index = 0; index < into.size(); ++index)
      into[index] |= other[index];
  }
  static bool has(const Bits &bits, Node node) {
    return bits[node / 64] >> (node % 64) & 1;
  }

  /// Nodes can be ordered after such as were added later, but not in a circle.
  void close() {
    pasts.assign(before.size(), Past());
    for (Node node = 0; node < before.size(); ++node)
      pastOf(node);
  }

  const Past &pastOf(Node node) {
    Past &past = pasts[node];
    if (!past.all.empty())
      return past;
    std::size_t size = (before.size() + 63) / 64;
    Past sum = {Bits(size), Bits(size), Bits(size)};
    for (Node earlier : before[node]) {
      const Past &other = pastOf(earlier);
      unite(sum.all, other.all);
      unite(sum.fencedShared, other.fencedShared);
      unite(sum.fencedGlobal, other.fencedGlobal);
      sum.all[earlier / 64] |= uint64_t(1) << (earlier % 64);
    }
    if (fences[node] & Shared)
      sum.fencedShared = sum.all;
    if (fences[node] & Global)
      sum.fencedGlobal = sum.all;
    return past = std::move(sum);
  }

  static bool conflict(const Access &a, const Access &b) {
    if (a.space != b.space || a.memory != b.memory || !(a.writes || b.writes) ||
        a.begin >= b.begin + b.bytes || b.begin >= a.begin + a.bytes)
      return false;
    // Lanes of one instruction, which store the same.
    if (a.instruction == b.instruction && a.start == a.end && !a.isStrong)
      return false;
    bool isNarrow = a.isNarrow || b.isNarrow;
    return !(a.isStrong && b.isStrong && (!isNarrow || a.cta == b.cta));
  }

  bool isOrdered(const Access &first, const Access &second) const {
    const Past &past = pasts[second.start];
    // Who waits for a copy is behind its end.
    bool needsFence = second.isAsync && first.writes && !first.isAsync;
    const Bits &bits = !needsFence             ? past.all
                       : first.space == Shared ? past.fencedShared
                                               : past.fencedGlobal;
    return has(bits, first.end);
  }

  std::vector<std::vector<Node>> before;
  std::vector<unsigned> fences;
  std::vector<Past> pasts;
  std::vector<Access> accesses;
};

} // namespace pbs::runtime::test

#endif // PBS_TEST_HAZARDORACLE_H
