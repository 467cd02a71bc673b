// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Report.h"
#include "ReportTemplate.h"

#include "pbs/Reference/Values.h"
#include "pbs/Runtime/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Base64.h"
#include "llvm/Support/JSON.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace pbs;
using llvm::StringRef;
using runtime::Array;
namespace json = llvm::json;

/// Maps of a page, packed: what a browser still opens with ease.
static constexpr size_t mapBytes = size_t(24) << 20;
/// Of a plot, unless blocks are more: one for each pixel, about.
static constexpr int64_t importanceBins = 2048;

static json::Array toJSON(const ReportFacts &facts) {
  json::Array result;
  for (const auto &[label, text] : facts)
    result.push_back(json::Array{json::fixUTF8(label), json::fixUTF8(text)});
  return result;
}

template <typename T> static json::Value toJSON(const std::optional<T> &value) {
  return value ? json::Value(*value) : json::Value(nullptr);
}

static std::string encodeU16(const std::vector<uint16_t> &values) {
  std::vector<uint8_t> bytes;
  for (uint16_t value : values) {
    bytes.push_back(value & 0xff);
    bytes.push_back(value >> 8);
  }
  return llvm::encodeBase64(bytes);
}

//===----------------------------------------------------------------------===//
// Selection
//===----------------------------------------------------------------------===//

namespace {
/// The selection of one part.
class SelectionData {
public:
  explicit SelectionData(const ReportPart &part);
  /// \p bytesLeft is what the page still has room for.
  json::Object toJSON(size_t &bytesLeft) const;

private:
  void measureRows();
  json::Object headToJSON(int64_t row, size_t &bytesLeft) const;
  std::string packMap(int64_t head) const;
  std::optional<double> keptScore(int64_t head) const;

  /// [whole, masked] of query block \p row of \p head, a (batch, head).
  const int32_t *countsOf(int64_t head, int64_t row) const {
    return counts.data<int32_t>() + (head * queryBlocks + row) * 2;
  }
  const uint16_t *indicesOf(int64_t head, int64_t row) const {
    return indices.data<uint16_t>() + (head * queryBlocks + row) * capacity;
  }

  const ReportPart &part;
  Array counts, indices;
  std::optional<Array> scores;
  int64_t batch, heads, queryBlocks, capacity, keyBlocks = 0;
  /// For each query block the key blocks that it may reach, and those that a
  /// row of the map has: more if a given list goes beyond.
  std::vector<int64_t> reach, columns;
};
} // namespace

SelectionData::SelectionData(const ReportPart &part)
    : part(part), counts(part.counts->toContiguous()),
      indices(part.indices->toContiguous()), batch(counts.shape()[0]),
      heads(counts.shape()[1]), queryBlocks(counts.shape()[2]),
      capacity(indices.shape()[3]) {
  if (part.scores)
    scores = part.scores->toContiguous();
  if (part.keyLength)
    keyBlocks = (*part.keyLength + part.keyBlock - 1) / part.keyBlock;
  measureRows();
}

void SelectionData::measureRows() {
  std::vector<int64_t> listed(queryBlocks, 0);
  for (int64_t head = 0; head < batch * heads; ++head)
    for (int64_t row = 0; row < queryBlocks; ++row) {
      const int32_t *count = countsOf(head, row);
      auto refuse = [&](const std::string &what) {
        throw runtime::Error("selection of batch " +
                             std::to_string(head / heads) + ", head " +
                             std::to_string(head % heads) + ", query block " +
                             std::to_string(row) + " " + what);
      };
      if (std::min(count[0], count[1]) < 0 ||
          int64_t(count[0]) + count[1] > capacity)
        refuse("counts " + std::to_string(count[0]) + " whole and " +
               std::to_string(count[1]) + " masked blocks in lists of " +
               std::to_string(capacity));
      for (int64_t i = 0; i < count[0] + count[1]; ++i) {
        int64_t block = indicesOf(head, row)[i];
        if (part.keyLength && block >= keyBlocks)
          refuse("lists block " + std::to_string(block) + " of " +
                 std::to_string(keyBlocks));
        listed[row] = std::max(listed[row], block + 1);
      }
    }
  if (!part.keyLength)
    keyBlocks = std::max(capacity, *llvm::max_element(listed));

  reach.assign(queryBlocks, keyBlocks);
  if (part.causal && part.queryLength && part.keyLength) {
    reference::Grid grid{*part.queryLength, *part.keyLength, part.queryBlock,
                         part.keyBlock, part.causal};
    // Without segments, blocks stand alone.
    int64_t unit = part.segment.value_or(part.keyBlock);
    for (int64_t row = 0; row < queryBlocks; ++row)
      reach[row] = std::min(keyBlocks, (grid.lastPosition(row) / unit + 1) *
                                           (unit / part.keyBlock));
  }
  for (int64_t row = 0; row < queryBlocks; ++row)
    columns.push_back(std::max(reach[row], listed[row]));
}

std::string SelectionData::packMap(int64_t head) const {
  std::vector<uint8_t> bytes;
  std::vector<uint8_t> states;
  uint8_t packed = 0, weight = 1;
  for (int64_t row = 0; row < queryBlocks; ++row) {
    states.assign(columns[row], 0);
    const int32_t *count = countsOf(head, row);
    for (int64_t i = 0; i < count[0] + count[1]; ++i)
      states[indicesOf(head, row)[i]] = i < count[0] ? 1 : 2;
    for (uint8_t state : states) {
      packed += weight * state;
      weight *= 3;
      if (weight == 243) {
        bytes.push_back(packed);
        packed = 0;
        weight = 1;
      }
    }
  }
  if (weight != 1)
    bytes.push_back(packed);
  return llvm::encodeBase64(bytes);
}

/// The share of the candidates' scores that listed blocks hold, as the mean
/// over the query blocks that have candidates.
std::optional<double> SelectionData::keptScore(int64_t head) const {
  if (!scores)
    return std::nullopt;
  int64_t blocks = scores->shape()[3];
  double sum = 0;
  int64_t rows = 0;
  for (int64_t row = 0; row < queryBlocks; ++row) {
    const float *data =
        scores->data<float>() + (head * queryBlocks + row) * blocks;
    double all = 0, kept = 0;
    for (int64_t block = 0; block < blocks; ++block)
      all += data[block];
    if (!(all > 0) || !std::isfinite(all))
      continue;
    const int32_t *count = countsOf(head, row);
    for (int64_t i = 0; i < count[0] + count[1]; ++i)
      if (int64_t block = indicesOf(head, row)[i]; block < blocks)
        kept += data[block];
    sum += kept / all;
    ++rows;
  }
  if (rows == 0)
    return std::nullopt;
  return sum / rows;
}

json::Object SelectionData::headToJSON(int64_t head, size_t &bytesLeft) const {
  int64_t whole = 0, masked = 0, cells = 0;
  std::vector<uint16_t> rows;
  for (int64_t row = 0; row < queryBlocks; ++row) {
    const int32_t *count = countsOf(head, row);
    whole += count[0];
    masked += count[1];
    rows.insert(rows.end(), {uint16_t(count[0]), uint16_t(count[1])});
    cells += columns[row];
  }
  json::Object result{{"batch", head / heads},
                      {"head", head % heads},
                      {"whole", whole},
                      {"masked", masked},
                      {"counts", encodeU16(rows)},
                      {"map", nullptr},
                      {"cut", nullptr},
                      {"keptScore", ::toJSON(keptScore(head))}};
  if (part.cut)
    result["cut"] = part.cut->toContiguous().data<int32_t>()[head];
  if (size_t bytes = (cells + 4) / 5; bytes <= bytesLeft) {
    bytesLeft -= bytes;
    result["map"] = packMap(head);
  }
  return result;
}

json::Object SelectionData::toJSON(size_t &bytesLeft) const {
  json::Array rows;
  for (int64_t head = 0; head < batch * heads; ++head)
    rows.push_back(headToJSON(head, bytesLeft));
  return json::Object{{"batch", batch},
                      {"heads", heads},
                      {"queryBlocks", queryBlocks},
                      {"keyBlocks", keyBlocks},
                      {"queryBlock", part.queryBlock},
                      {"keyBlock", part.keyBlock},
                      {"queryLength", ::toJSON(part.queryLength)},
                      {"keyLength", ::toJSON(part.keyLength)},
                      {"segment", ::toJSON(part.segment)},
                      {"causal", part.causal},
                      {"reach", json::Array(reach)},
                      {"columns", json::Array(columns)},
                      {"rows", std::move(rows)}};
}

//===----------------------------------------------------------------------===//
// Importance
//===----------------------------------------------------------------------===//

/// Mean and maximum of \p values, \p keysPerBin at a time. A NaN makes the mean
/// NaN and is no maximum.
static json::Object binsToJSON(const std::vector<float> &values,
                               int64_t keysPerBin) {
  std::vector<uint16_t> means, maxima;
  for (size_t first = 0; first < values.size(); first += keysPerBin) {
    size_t end = std::min<size_t>(values.size(), first + keysPerBin);
    double sum = 0;
    float maximum = 0;
    for (size_t i = first; i < end; ++i) {
      sum += values[i];
      if (values[i] > maximum)
        maximum = values[i];
    }
    means.push_back(runtime::f32ToBF16(float(sum / double(end - first))));
    maxima.push_back(runtime::f32ToBF16(maximum));
  }
  return json::Object{{"mean", encodeU16(means)},
                      {"maximum", encodeU16(maxima)}};
}

static json::Object importanceToJSON(const ReportPart &part) {
  Array importance = part.importance->toContiguous();
  const std::vector<int64_t> &shape = importance.shape();
  int64_t heads = shape[1], keys = shape[2];
  // Bins do not straddle blocks, whose size is a power of two.
  int64_t keysPerBin = 1;
  while (keysPerBin * importanceBins < keys &&
         (part.keyBlock == 0 || keysPerBin < part.keyBlock))
    keysPerBin *= 2;

  std::optional<Array> permutation;
  if (part.permutation && part.permutation->shape() == shape)
    permutation = part.permutation->toContiguous();
  json::Array rows;
  for (int64_t row = 0; row < shape[0] * heads; ++row) {
    const float *data = importance.data<float>() + row * keys;
    std::vector<float> values(data, data + keys);
    json::Object entry{{"batch", row / heads},
                       {"head", row % heads},
                       {"before", binsToJSON(values, keysPerBin)},
                       {"after", nullptr}};
    if (permutation) {
      const int32_t *places = permutation->data<int32_t>() + row * keys;
      for (int64_t place = 0; place < keys; ++place)
        values[place] = 0 <= places[place] && places[place] < keys
                            ? data[places[place]]
                            : std::numeric_limits<float>::quiet_NaN();
      entry["after"] = binsToJSON(values, keysPerBin);
    }
    rows.push_back(std::move(entry));
  }
  return json::Object{{"heads", heads},
                      {"keys", keys},
                      {"keysPerBin", keysPerBin},
                      {"segment", ::toJSON(part.segment)},
                      {"keyBlock", part.keyBlock},
                      {"rows", std::move(rows)}};
}

//===----------------------------------------------------------------------===//
// Page
//===----------------------------------------------------------------------===//

/// \p value as text that an HTML script element can hold: without "<".
static std::string toScriptText(const json::Value &value) {
  std::string text, result;
  llvm::raw_string_ostream(text) << value;
  result.reserve(text.size());
  for (char c : text) {
    if (c == '<')
      result += "\\u003c"; // Stands only in strings.
    else
      result += c;
  }
  return result;
}

/// \p text with \p replacement instead of the one \p mark in it.
static std::string fill(StringRef text, StringRef mark, StringRef replacement) {
  auto [head, tail] = text.split(mark);
  return (head + replacement + tail).str();
}

std::string pbs::renderReport(const Report &report) {
  json::Array parts;
  size_t bytesLeft = mapBytes;
  for (const ReportPart &part : report.parts) {
    json::Array missing;
    for (const std::string &sentence : part.missing)
      missing.push_back(json::fixUTF8(sentence));
    json::Object entry{{"title", json::fixUTF8(part.title)},
                       {"facts", toJSON(part.facts)},
                       {"missing", std::move(missing)},
                       {"selection", nullptr},
                       {"importance", nullptr}};
    if (part.counts && part.indices)
      entry["selection"] = SelectionData(part).toJSON(bytesLeft);
    if (part.importance)
      entry["importance"] = importanceToJSON(part);
    parts.push_back(std::move(entry));
  }
  json::Object data{{"version", 1},
                    {"title", json::fixUTF8(report.title)},
                    {"facts", toJSON(report.facts)},
                    {"parts", std::move(parts)}};
  std::string page = fill(reportMarkup, "@SCRIPT@", reportScript);
  return fill(page, "@DATA@", toScriptText(std::move(data)));
}
