// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TestSupport.h"

#include "pbs/Runtime/Arguments.h"

#include <algorithm>
#include <numeric>
#include <optional>

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::EndsWith;
using testing::HasSubstr;

namespace {

constexpr int64_t segment = 8, block = 4, batches = 2, heads = 4,
                  permutationHeads = 2;

Argument argument(const std::string &name, ElementType type, size_t rank,
                  Contents contents) {
  Argument result;
  result.name = name;
  result.type = type;
  result.shape.resize(rank);
  result.contents = std::move(contents);
  return result;
}

/// None, a short one, or one that reaches beyond every key.
std::optional<int64_t> randomWindow(std::mt19937_64 &generator) {
  switch (uniform(generator, 0, 2)) {
  case 0:
    return std::nullopt;
  case 1:
    return uniform(generator, 1, 30);
  default:
    return INT64_MAX;
  }
}

/// A random permutation and a random valid selection over it.
struct Selection {
  Selection(std::mt19937_64 &generator, int64_t queryLength, int64_t keyLength,
            bool causal, bool permuted,
            std::optional<int64_t> window = std::nullopt)
      : queryLength(queryLength), keyLength(keyLength), window(window),
        queryBlocks((queryLength + block - 1) / block),
        keyBlocks((keyLength + block - 1) / block), capacity(keyBlocks),
        permutation(ElementType::I32, {batches, permutationHeads, keyLength}),
        counts(ElementType::I32, {batches, heads, queryBlocks, 2}),
        indices(ElementType::U16, {batches, heads, queryBlocks, capacity}) {
    entry.name = "main";
    entry.arguments = {argument("permutation", ElementType::I32, 3,
                                PermutationContents{segment}),
                       argument("counts", ElementType::I32, 4,
                                SelectionCountsContents{
                                    "indices", block, block, Expression("Nq"),
                                    Expression("Nkv"), causal,
                                    permuted ? "permutation" : "", window}),
                       argument("indices", ElementType::U16, 4,
                                SelectionIndicesContents{"counts"})};
    bindings.sizes = {{"Nq", queryLength}, {"Nkv", keyLength}};
    for (int64_t row = 0; row < batches * permutationHeads; ++row) {
      int32_t *places = permutation.data<int32_t>() + row * keyLength;
      std::iota(places, places + keyLength, 0);
      for (int64_t first = 0; first + segment <= keyLength; first += segment)
        std::shuffle(places + first, places + first + segment, generator);
    }
    for (int64_t batch = 0; batch < batches; ++batch)
      for (int64_t head = 0; head < heads; ++head)
        for (int64_t row = 0; row < queryBlocks; ++row)
          list(generator, batch, head, row, causal, permuted);
  }

  /// By the definition, key by key and row by row: may every row attend every
  /// key of a full block?
  bool canBeWhole(int64_t batch, int64_t head, int64_t row, int64_t keyBlock,
                  bool causal, bool permuted) const {
    for (int64_t key = keyBlock * block; key < (keyBlock + 1) * block; ++key) {
      if (key >= keyLength)
        return false;
      int64_t place =
          (batch * permutationHeads + head / (heads / permutationHeads)) *
              keyLength +
          key;
      int64_t position = permuted ? permutation.data<int32_t>()[place] : key;
      for (int64_t query = row * block;
           query < std::min((row + 1) * block, queryLength); ++query) {
        int64_t own = query + keyLength - queryLength;
        if (causal && position > own)
          return false;
        if (window && own - position >= *window)
          return false;
      }
    }
    return true;
  }

  void list(std::mt19937_64 &generator, int64_t batch, int64_t head,
            int64_t row, bool causal, bool permuted) {
    std::vector<int64_t> whole, masked;
    for (int64_t keyBlock = 0; keyBlock < keyBlocks; ++keyBlock)
      if (uniform(generator, 0, 1)) {
        bool eligible =
            canBeWhole(batch, head, row, keyBlock, causal, permuted);
        (eligible ? whole : masked).push_back(keyBlock);
      }
    int32_t *count = countsOf(batch, head, row);
    uint16_t *index = indicesOf(batch, head, row);
    count[0] = static_cast<int32_t>(whole.size());
    count[1] = static_cast<int32_t>(masked.size());
    std::fill(index, index + capacity, 65535);
    std::copy(masked.begin(), masked.end(),
              std::copy(whole.begin(), whole.end(), index));
  }

  int32_t *countsOf(int64_t batch, int64_t head, int64_t row) {
    return counts.data<int32_t>() +
           ((batch * heads + head) * queryBlocks + row) * 2;
  }
  uint16_t *indicesOf(int64_t batch, int64_t head, int64_t row) {
    return indices.data<uint16_t>() +
           ((batch * heads + head) * queryBlocks + row) * capacity;
  }
  void check() const {
    checkContents(entry, bindings, {&permutation, &counts, &indices});
  }
  std::string message() const {
    return messageOf([&] { check(); });
  }
  /// Lists the given blocks in batch 1, head 3, query block 2.
  void put(std::vector<uint16_t> blocks, int32_t whole, int32_t masked) {
    uint16_t *index = indicesOf(1, 3, 2);
    std::fill(index, index + capacity, 65535);
    std::copy(blocks.begin(), blocks.end(), index);
    countsOf(1, 3, 2)[0] = whole;
    countsOf(1, 3, 2)[1] = masked;
  }

  int64_t queryLength, keyLength;
  std::optional<int64_t> window;
  int64_t queryBlocks, keyBlocks, capacity;
  Entry entry;
  Bindings bindings;
  Array permutation, counts, indices;
};

constexpr const char *indicesPrefix =
    "entry 'main', argument 'indices': batch 1, head 3, query block 2: ";
constexpr const char *countsPrefix =
    "entry 'main', argument 'counts': batch 1, head 3, query block 2: ";

TEST(Contents, AcceptsRandomValidSelections) {
  std::mt19937_64 generator = freshGenerator();
  for (int i = 0; i < 200; ++i) {
    int64_t keyLength = uniform(generator, 1, 60);
    int64_t queryLength = uniform(generator, 1, keyLength);
    Selection selection(generator, queryLength, keyLength,
                        uniform(generator, 0, 1), uniform(generator, 0, 1),
                        randomWindow(generator));
    EXPECT_NO_THROW(selection.check())
        << "Nq = " << queryLength << ", Nkv = " << keyLength;
  }
}

TEST(Contents, RefusesEveryMaskedBlockCalledWhole) {
  std::mt19937_64 generator = freshGenerator();
  int refused = 0;
  for (int i = 0; i < 100; ++i) {
    int64_t keyLength = uniform(generator, 9, 60);
    int64_t queryLength = uniform(generator, 9, keyLength);
    bool causal = uniform(generator, 0, 1), permuted = uniform(generator, 0, 1);
    Selection selection(generator, queryLength, keyLength, causal, permuted,
                        randomWindow(generator));
    uint16_t keyBlock = uniform(generator, 0, selection.keyBlocks - 1);
    selection.put({keyBlock}, 1, 0);
    if (selection.canBeWhole(1, 3, 2, keyBlock, causal, permuted)) {
      EXPECT_NO_THROW(selection.check());
      continue;
    }
    ++refused;
    EXPECT_THAT(selection.message(),
                HasSubstr(indicesPrefix + std::string("entry 0 is block ") +
                          std::to_string(keyBlock)));
  }
  EXPECT_GT(refused, 0);
}

TEST(Contents, NamesTheFirstBadPlaceOfAPermutation) {
  std::mt19937_64 generator = freshGenerator();
  // Two complete segments and a tail of 3 places.
  auto message = [&](int64_t place, auto change) {
    Selection selection(generator, 12, 19, true, true);
    int32_t *row = selection.permutation.data<int32_t>() + 3 * 19;
    change(row);
    std::string text = selection.message();
    EXPECT_THAT(text,
                HasSubstr("entry 'main', argument 'permutation': batch 1, head "
                          "1, place " +
                          std::to_string(place) + " holds index " +
                          std::to_string(row[place])));
    return text;
  };
  EXPECT_THAT(message(3, [](int32_t *row) { row[3] = 8; }),
              EndsWith("expected one of its own segment, 0 to 7"));
  EXPECT_THAT(message(9, [](int32_t *row) { row[9] = -1; }),
              EndsWith("expected one of its own segment, 8 to 15"));
  EXPECT_THAT(message(13, [](int32_t *row) { row[13] = row[10]; }),
              EndsWith("expected each index once (place 10 holds it too)"));
  EXPECT_THAT(
      message(16, [](int32_t *row) { std::swap(row[16], row[17]); }),
      EndsWith("expected 16 (the incomplete last segment keeps its order)"));
}

TEST(Contents, NamesTheFirstBadEntryOfASelection) {
  std::mt19937_64 generator = freshGenerator();
  // 10 key blocks, the last one short; query block 2 may attend all of them
  // but for its own and the later ones.
  Selection selection(generator, 12, 38, true, false);
  auto message = [&](std::vector<uint16_t> blocks, int32_t whole,
                     int32_t masked) {
    selection.put(std::move(blocks), whole, masked);
    return selection.message();
  };
  selection.put({0, 4, 1, 9}, 2, 2);
  selection.check();
  EXPECT_EQ(message({0}, -1, 2),
            countsPrefix +
                std::string("counts -1 and 2, expected none below 0"));
  EXPECT_EQ(message({0}, 6, 5),
            countsPrefix +
                std::string("counts 6 + 5 blocks, expected at most 10 (the "
                            "list's capacity is 10, there are 10 key blocks)"));
  EXPECT_EQ(message({4, 1}, 2, 0),
            indicesPrefix + std::string("entry 1 is block 1, expected more "
                                        "than 4, the entry before it"));
  EXPECT_EQ(message({4, 4}, 0, 2),
            indicesPrefix + std::string("entry 1 is block 4, expected more "
                                        "than 4, the entry before it"));
  EXPECT_EQ(message({0, 4, 1, 4}, 2, 2),
            indicesPrefix +
                std::string("block 4 is listed twice, as entry 1 and 3"));
  EXPECT_EQ(message({10}, 0, 1),
            indicesPrefix +
                std::string("entry 0 is block 10, expected one below 10"));
  EXPECT_EQ(message({0, 1}, 1, 0),
            indicesPrefix + std::string("entry 1 is block 1, expected 65535 "
                                        "beyond the 1 listed blocks"));
  EXPECT_EQ(message({0}, 1, 1),
            indicesPrefix +
                std::string("entry 1 is block 65535, expected one below 10"));
  EXPECT_EQ(message({9}, 1, 0),
            indicesPrefix +
                std::string("entry 0 is block 9, expected a block of 4 keys "
                            "among the whole ones, not the short last one"));
  EXPECT_EQ(message({8}, 1, 0),
            indicesPrefix +
                std::string("entry 0 is block 8, expected whole blocks with "
                            "keys up to position 34 only (this one has "
                            "position 35)"));
}

TEST(Contents, NamesAWholeBlockThatAWindowCuts) {
  std::mt19937_64 generator = freshGenerator();
  // The last row of query block 2 stands at position 37.
  for (bool causal : {false, true}) {
    Selection selection(generator, 12, 38, causal, false, 18);
    selection.put({5, 6, 7}, 3, 0);
    EXPECT_NO_THROW(selection.check());
    selection.put({4, 5}, 2, 0);
    EXPECT_EQ(selection.message(),
              indicesPrefix +
                  std::string("entry 0 is block 4, expected whole blocks with "
                              "keys after position 19 only (this one has "
                              "position 16)"));
    selection.put({5, 4}, 1, 1);
    EXPECT_NO_THROW(selection.check());
  }
}

TEST(Contents, NamesShapesThatDoNotFit) {
  std::mt19937_64 generator = freshGenerator();
  Selection selection(generator, 12, 38, true, true);
  selection.bindings.sizes["Nq"] = 16;
  EXPECT_EQ(selection.message(),
            "entry 'main', argument 'counts': has shape (2, 4, 3, 2), expected "
            "(B, H, 4, 2)");
  selection.bindings.sizes = {{"Nq", 12}, {"Nkv", 40}};
  EXPECT_EQ(selection.message(),
            "entry 'main', argument 'counts': permutation 'permutation' has "
            "shape (2, 2, 38), expected (2, a divisor of 4, 40)");
}

} // namespace
