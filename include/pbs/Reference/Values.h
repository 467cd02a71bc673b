// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The values that the reference computes with: plain data without MLIR.

#ifndef PBS_REFERENCE_VALUES_H
#define PBS_REFERENCE_VALUES_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace pbs::reference {

/// A row-major array of doubles, which also hold integers and truth values.
struct Tensor {
  Tensor() = default;
  explicit Tensor(std::vector<int64_t> shape, double fill = 0);

  /// The elements behind the leading \p indices: `&t.at(b, h, n)` starts a row
  /// of a B x H x N x D tensor.
  template <typename... Index> const double *at(Index... indices) const {
    return values.data() + offset({static_cast<int64_t>(indices)...});
  }
  template <typename... Index> double *at(Index... indices) {
    return values.data() + offset({static_cast<int64_t>(indices)...});
  }

  std::vector<int64_t> shape;
  std::vector<double> values;

private:
  size_t offset(std::initializer_list<int64_t> indices) const;
};

/// For each batch and head the original index of the key at each place, B x H x
/// N (`!pbs.permutation`).
struct Permutation {
  const int32_t *row(int64_t batchIndex, int64_t head) const {
    return places.data() + (batchIndex * heads + head) * length;
  }
  int32_t *row(int64_t batchIndex, int64_t head) {
    return places.data() + (batchIndex * heads + head) * length;
  }

  int64_t batch = 0, heads = 0, length = 0;
  /// Keys of a segment; a complete segment is permuted in itself.
  int64_t segment = 0;
  std::vector<int32_t> places;
};

/// The key blocks that one query block attends, ascending in each part.
struct BlockLists {
  /// Every row may attend every key.
  std::vector<uint16_t> whole;
  /// Needs an element mask.
  std::vector<uint16_t> masked;
};

/// For each batch, query head and query block its lists, B x H x Qb
/// (`!pbs.selection`).
struct Selection {
  const BlockLists &at(int64_t batchIndex, int64_t head,
                       int64_t queryBlock) const {
    return lists[(batchIndex * heads + head) * queryBlocks + queryBlock];
  }
  BlockLists &at(int64_t batchIndex, int64_t head, int64_t queryBlock) {
    return lists[(batchIndex * heads + head) * queryBlocks + queryBlock];
  }

  int64_t batch = 0, heads = 0, queryBlocks = 0;
  /// Places for indices in the stored form, C.
  int64_t capacity = 0;
  std::vector<BlockLists> lists;
};

/// Lengths and blocks of one attention. Query i of Nq stands at position
/// i + Nkv - Nq; a causal row attends keys at positions up to its own. With a
/// window, a row attends keys at positions above its own less the window.
struct Grid {
  int64_t queryBlocks() const;
  int64_t keyBlocks() const;
  /// Position of a query row.
  int64_t position(int64_t row) const;
  /// Positions of the first and last row of a query block.
  int64_t firstPosition(int64_t queryBlockIndex) const;
  int64_t lastPosition(int64_t queryBlockIndex) const;

  /// Whether a row at \p position attends a key at \p keyPosition.
  bool attends(int64_t position, int64_t keyPosition) const;

  int64_t queryLength = 0, keyLength = 0;
  int64_t queryBlock = 0, keyBlock = 0;
  bool causal = false;
  std::optional<int64_t> window = std::nullopt;
};

} // namespace pbs::reference

#endif // PBS_REFERENCE_VALUES_H
