// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `contents` rules of the plan format, over arrays in host memory.

#include "pbs/Runtime/Arguments.h"
#include "pbs/Runtime/Error.h"

#include <algorithm>

using namespace pbs::runtime;

namespace {

constexpr int64_t unusedIndex = 65535;

/// Elements of an array by index.
template <typename T> class View {
public:
  explicit View(const Array &array)
      : data(array.data<T>()), strides(array.strides()) {}

  template <typename... Indices> int64_t operator()(Indices... indices) const {
    int64_t offset = 0;
    size_t dimension = 0;
    ((offset += indices * strides[dimension++]), ...);
    return data[offset];
  }

private:
  const T *data;
  const std::vector<int64_t> &strides;
};

std::string at(int64_t batch, int64_t head) {
  return "batch " + std::to_string(batch) + ", head " + std::to_string(head);
}

void checkPermutation(const PermutationContents &contents, const Array &array,
                      const std::string &prefix) {
  View<int32_t> values(array);
  int64_t batches = array.shape()[0], heads = array.shape()[1],
          length = array.shape()[2], segment = contents.segment;
  int64_t complete = length / segment * segment;
  std::vector<int64_t> placeOf(std::min(segment, length));
  for (int64_t batch = 0; batch < batches; ++batch)
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t place = 0; place < length; ++place) {
        int64_t value = values(batch, head, place);
        auto fail = [&](const std::string &expected) {
          throw Error(prefix + at(batch, head) + ", place " +
                      std::to_string(place) + " holds index " +
                      std::to_string(value) + ", expected " + expected);
        };
        if (place >= complete) {
          if (value != place)
            fail(std::to_string(place) +
                 " (the incomplete last segment keeps its order)");
          continue;
        }
        int64_t first = place / segment * segment;
        if (place == first)
          std::fill(placeOf.begin(), placeOf.end(), -1);
        if (value < first || value >= first + segment)
          fail("one of its own segment, " + std::to_string(first) + " to " +
               std::to_string(first + segment - 1));
        int64_t &earlier = placeOf[value - first];
        if (earlier >= 0)
          fail("each index once (place " + std::to_string(earlier) +
               " holds it too)");
        earlier = place;
      }
}

/// Checks counts and indices of one selection together.
class SelectionChecker {
public:
  SelectionChecker(const SelectionCountsContents &contents,
                   const Bindings &bindings, const Array &countsArray,
                   const Array &indicesArray, const Array *permutation,
                   const std::string &countsPrefix,
                   const std::string &indicesPrefix)
      : contents(contents), countsArray(countsArray),
        indicesArray(indicesArray), permutation(permutation),
        countsPrefix(countsPrefix), indicesPrefix(indicesPrefix),
        counts(countsArray), indices(indicesArray),
        queryLength(contents.queryLength.evaluate(bindings)),
        keyLength(contents.keyLength.evaluate(bindings)) {}

  void check() {
    checkShapes();
    for (int64_t batch = 0; batch < countsArray.shape()[0]; ++batch)
      for (int64_t head = 0; head < countsArray.shape()[1]; ++head) {
        computePositions(batch, head);
        for (int64_t row = 0; row < countsArray.shape()[2]; ++row)
          checkRow(batch, head, row);
      }
  }

private:
  void checkShapes() {
    const std::vector<int64_t> &shape = countsArray.shape();
    if (queryLength < 1 || keyLength < 1)
      throw Error(countsPrefix + "query_length " + std::to_string(queryLength) +
                  " and key_length " + std::to_string(keyLength) +
                  " must be at least 1");
    queryBlocks = (queryLength - 1) / contents.queryBlock + 1;
    keyBlocks = (keyLength - 1) / contents.keyBlock + 1;
    if (shape[2] != queryBlocks || shape[3] != 2)
      throw Error(countsPrefix + "has shape " + formatShape(shape) +
                  ", expected (B, H, " + std::to_string(queryBlocks) + ", 2)");
    const std::vector<int64_t> &listShape = indicesArray.shape();
    if (!std::equal(shape.begin(), shape.begin() + 3, listShape.begin()))
      throw Error(indicesPrefix + "has shape " + formatShape(listShape) +
                  ", expected the first three extents of the counts' shape " +
                  formatShape(shape));
    if (!permutation)
      return;
    const std::vector<int64_t> &order = permutation->shape();
    if (order[0] != shape[0] || shape[1] % order[1] != 0 ||
        order[2] != keyLength)
      throw Error(countsPrefix + "permutation '" + contents.permutation +
                  "' has shape " + formatShape(order) + ", expected (" +
                  std::to_string(shape[0]) + ", a divisor of " +
                  std::to_string(shape[1]) + ", " + std::to_string(keyLength) +
                  ")");
  }

  /// For each key block the lowest and the highest position of its keys, which
  /// decide whether it can be whole.
  void computePositions(int64_t batch, int64_t head) {
    if (!contents.causal && !contents.window)
      return;
    int64_t orderHead =
        permutation ? head / (countsArray.shape()[1] / permutation->shape()[1])
                    : 0;
    if (batch == currentBatch && orderHead == currentHead)
      return;
    currentBatch = batch;
    currentHead = orderHead;
    lowest.resize(keyBlocks);
    highest.resize(keyBlocks);
    for (int64_t block = 0; block < keyBlocks; ++block) {
      int64_t first = block * contents.keyBlock;
      int64_t end = std::min(first + contents.keyBlock, keyLength);
      lowest[block] = first;
      highest[block] = end - 1;
      if (!permutation)
        continue;
      View<int32_t> positions(*permutation);
      lowest[block] = highest[block] = positions(batch, orderHead, first);
      for (int64_t place = first + 1; place < end; ++place) {
        int64_t position = positions(batch, orderHead, place);
        lowest[block] = std::min(lowest[block], position);
        highest[block] = std::max(highest[block], position);
      }
    }
  }

  void checkRow(int64_t batch, int64_t head, int64_t row) {
    std::string where =
        at(batch, head) + ", query block " + std::to_string(row) + ": ";
    int64_t whole = counts(batch, head, row, 0);
    int64_t masked = counts(batch, head, row, 1);
    int64_t capacity = indicesArray.shape()[3];
    if (whole < 0 || masked < 0)
      throw Error(countsPrefix + where + "counts " + std::to_string(whole) +
                  " and " + std::to_string(masked) + ", expected none below 0");
    int64_t listed = whole + masked;
    if (listed > std::min(capacity, keyBlocks))
      throw Error(countsPrefix + where + "counts " + std::to_string(whole) +
                  " + " + std::to_string(masked) +
                  " blocks, expected at most " +
                  std::to_string(std::min(capacity, keyBlocks)) +
                  " (the list's capacity is " + std::to_string(capacity) +
                  ", there are " + std::to_string(keyBlocks) + " key blocks)");

    // Positions that every row of the query block may attend: up to the first
    // row's, and in the window of the last row.
    int64_t position = row * contents.queryBlock + keyLength - queryLength;
    int64_t lastPosition =
        std::min(position + contents.queryBlock, keyLength) - 1;
    for (int64_t slot = 0; slot < capacity; ++slot) {
      int64_t block = indices(batch, head, row, slot);
      auto fail = [&](const std::string &expected) {
        throw Error(indicesPrefix + where + "entry " + std::to_string(slot) +
                    " is block " + std::to_string(block) + ", expected " +
                    expected);
      };
      if (slot >= listed) {
        if (block != unusedIndex)
          fail("65535 beyond the " + std::to_string(listed) + " listed blocks");
        continue;
      }
      if (block >= keyBlocks)
        fail("one below " + std::to_string(keyBlocks));
      if (slot != 0 && slot != whole &&
          block <= indices(batch, head, row, slot - 1))
        fail("more than " +
             std::to_string(indices(batch, head, row, slot - 1)) +
             ", the entry before it");
      if (slot >= whole)
        continue;
      if ((block + 1) * contents.keyBlock > keyLength)
        fail("a block of " + std::to_string(contents.keyBlock) +
             " keys among the whole ones, not the short last one");
      if (contents.causal && highest[block] > position)
        fail("whole blocks with keys up to position " +
             std::to_string(position) + " only (this one has position " +
             std::to_string(highest[block]) + ")");
      if (contents.window && lastPosition - lowest[block] >= *contents.window)
        fail("whole blocks with keys after position " +
             std::to_string(lastPosition - *contents.window) +
             " only (this one has position " + std::to_string(lowest[block]) +
             ")");
    }
    checkParts(batch, head, row, whole, listed, where);
  }

  /// No block stands in both ascending parts.
  void checkParts(int64_t batch, int64_t head, int64_t row, int64_t whole,
                  int64_t listed, const std::string &where) {
    int64_t slot = 0;
    for (int64_t other = whole; other < listed; ++other) {
      int64_t block = indices(batch, head, row, other);
      while (slot < whole && indices(batch, head, row, slot) < block)
        ++slot;
      if (slot < whole && indices(batch, head, row, slot) == block)
        throw Error(indicesPrefix + where + "block " + std::to_string(block) +
                    " is listed twice, as entry " + std::to_string(slot) +
                    " and " + std::to_string(other));
    }
  }

  const SelectionCountsContents &contents;
  const Array &countsArray;
  const Array &indicesArray;
  const Array *permutation;
  const std::string &countsPrefix;
  const std::string &indicesPrefix;
  View<int32_t> counts;
  View<uint16_t> indices;
  int64_t queryLength, keyLength;
  int64_t queryBlocks = 0, keyBlocks = 0;
  std::vector<int64_t> lowest, highest;
  int64_t currentBatch = -1, currentHead = -1;
};

} // namespace

void pbs::runtime::checkContents(const Entry &entry, const Bindings &bindings,
                                 const std::vector<const Array *> &arrays) {
  auto arrayOf = [&](const std::string &name) -> const Array * {
    for (size_t i = 0; i < std::min(arrays.size(), entry.arguments.size()); ++i)
      if (entry.arguments[i].name == name)
        return arrays[i];
    return nullptr;
  };
  auto prefixOf = [&](const std::string &name) {
    return "entry '" + entry.name + "', argument '" + name + "': ";
  };
  // Selections refer to permutations, which are checked first therefore.
  for (const Argument &argument : entry.arguments)
    if (const auto *contents =
            std::get_if<PermutationContents>(&argument.contents))
      if (const Array *array = arrayOf(argument.name))
        checkPermutation(*contents, *array, prefixOf(argument.name));
  for (const Argument &argument : entry.arguments) {
    const auto *contents =
        std::get_if<SelectionCountsContents>(&argument.contents);
    if (!contents)
      continue;
    const Array *counts = arrayOf(argument.name);
    const Array *indices = arrayOf(contents->indices);
    const Array *permutation = arrayOf(contents->permutation);
    if (!counts || !indices || (!contents->permutation.empty() && !permutation))
      continue;
    std::string countsPrefix = prefixOf(argument.name);
    std::string indicesPrefix = prefixOf(contents->indices);
    SelectionChecker(*contents, bindings, *counts, *indices, permutation,
                     countsPrefix, indicesPrefix)
        .check();
  }
}
