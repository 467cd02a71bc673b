// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One HTML page about what a run has selected. It knows arrays and a
// configuration, and neither where they were computed nor by what program.

#ifndef PBS_TOOLS_PBSRUN_REPORT_H
#define PBS_TOOLS_PBSRUN_REPORT_H

#include "pbs/Runtime/Array.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pbs {

/// Labels, and what stands beside them.
using ReportFacts = std::vector<std::pair<std::string, std::string>>;

/// A selection and what led to it; or importance and permutation that no
/// selection rests on. Arrays are of the forms that docs/spec.md states, and
/// null where there are none. Sizes are nothing where they are not known.
struct ReportPart {
  std::string title;
  ReportFacts facts;
  /// Sentences about what the page cannot show, and why.
  std::vector<std::string> missing;

  std::optional<int64_t> queryLength, keyLength;
  std::optional<int64_t> segment;
  /// Of a selection.
  int64_t queryBlock = 0, keyBlock = 0;
  bool causal = false;

  const runtime::Array *importance = nullptr;
  const runtime::Array *permutation = nullptr;
  const runtime::Array *scores = nullptr;
  const runtime::Array *counts = nullptr;
  const runtime::Array *indices = nullptr;
  const runtime::Array *cut = nullptr;
};

struct Report {
  std::string title;
  /// Of the whole run.
  ReportFacts facts;
  std::vector<ReportPart> parts;
};

/// The page as UTF-8; it loads nothing. Throws runtime::Error for lists that
/// name blocks that do not exist.
///
/// The data is JSON in the element of id "data". Of a part with a selection,
/// "map" of a head packs the states (0 not listed, 1 whole, 2 masked) of the
/// first columns[a] key blocks of each query block a, row by row, five to a
/// byte: s0 + 3 s1 + 9 s2 + 27 s3 + 81 s4, in base64. "counts" are
/// little-endian u16, [whole, masked] of each query block. Importance is the
/// mean and the maximum of `keysPerBin` keys each, bf16 in base64. Maps that
/// would make the page too large are null.
std::string renderReport(const Report &report);

} // namespace pbs

#endif // PBS_TOOLS_PBSRUN_REPORT_H
