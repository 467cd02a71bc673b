// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rules of pbs.select.

#include "pbs/Dialect/PBS/IR/PBS.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace pbs;

/// How many of `falling` are at least `least`.
static size_t countFrom(ArrayRef<double> falling, double least) {
  return llvm::partition_point(falling,
                               [&](double score) { return score >= least; }) -
         falling.begin();
}

/// Requires of a rule's number that it is an f64, finite and not negative.
static LogicalResult verifyNumber(function_ref<InFlightDiagnostic()> emitError,
                                  StringRef typeConstraint,
                                  StringRef valueConstraint, StringRef name,
                                  FloatAttr number) {
  if (!number.getType().isF64())
    return emitError() << typeConstraint << ": " << name
                       << " must be f64, but is " << number.getType();
  double value = number.getValueAsDouble();
  if (!std::isfinite(value) || value < 0)
    return emitError() << valueConstraint << ": " << name << " (" << number
                       << ") must be finite and not negative";
  return success();
}

//===----------------------------------------------------------------------===//
// #pbs.all
//===----------------------------------------------------------------------===//

size_t AllAttr::countTaken(ArrayRef<double> falling, int64_t, double) const {
  return falling.size();
}

SelectionCut AllAttr::getCut() const {
  return {SelectionCut::Kind::Count, std::numeric_limits<double>::infinity()};
}

bool AllAttr::takesAll(int64_t) const { return true; }

//===----------------------------------------------------------------------===//
// #pbs.top_k
//===----------------------------------------------------------------------===//

LogicalResult TopKAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t k) {
  if (k >= 0)
    return success();
  return emitError() << "top_k_c1: k (" << k << ") must not be negative";
}

size_t TopKAttr::countTaken(ArrayRef<double> falling, int64_t, double) const {
  return std::min<size_t>(getK(), falling.size());
}

SelectionCut TopKAttr::getCut() const {
  return {SelectionCut::Kind::Count, static_cast<double>(getK())};
}

bool TopKAttr::takesAll(int64_t candidates) const {
  return getK() >= candidates;
}

//===----------------------------------------------------------------------===//
// #pbs.top_p
//===----------------------------------------------------------------------===//

LogicalResult TopPAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               FloatAttr p) {
  return verifyNumber(emitError, "top_p_c1", "top_p_c2", "p", p);
}

size_t TopPAttr::countTaken(ArrayRef<double> falling, int64_t,
                            double slack) const {
  double p = getP().getValueAsDouble();
  if (p <= 0)
    return 0;
  if (takesAll(falling.size()))
    return falling.size();
  double sum = 0;
  size_t count = 0;
  while (count < falling.size() && sum < p + slack)
    sum += falling[count++];
  return count;
}

SelectionCut TopPAttr::getCut() const {
  return {SelectionCut::Kind::Sum, getP().getValueAsDouble()};
}

bool TopPAttr::takesAll(int64_t) const {
  return getP().getValueAsDouble() >= 1;
}

//===----------------------------------------------------------------------===//
// Thresholds
//===----------------------------------------------------------------------===//

LogicalResult
ThresholdAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                      FloatAttr tau) {
  return verifyNumber(emitError, "threshold_c1", "threshold_c2", "tau", tau);
}

size_t ThresholdAttr::countTaken(ArrayRef<double> falling, int64_t,
                                 double slack) const {
  return countFrom(falling, getTau().getValueAsDouble() - slack);
}

SelectionCut ThresholdAttr::getCut() const {
  return {SelectionCut::Kind::Score, getTau().getValueAsDouble()};
}

/// Scores may be below 0.
bool ThresholdAttr::takesAll(int64_t) const { return false; }

LogicalResult
ThresholdByLengthAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                              FloatAttr c) {
  return verifyNumber(emitError, "threshold_by_length_c1",
                      "threshold_by_length_c2", "c", c);
}

size_t ThresholdByLengthAttr::countTaken(ArrayRef<double> falling,
                                         int64_t keyBlocks,
                                         double slack) const {
  double least =
      getC().getValueAsDouble() / std::sqrt(static_cast<double>(keyBlocks));
  return countFrom(falling, least - slack);
}

SelectionCut ThresholdByLengthAttr::getCut() const {
  return {SelectionCut::Kind::ScoreByLength, getC().getValueAsDouble()};
}

bool ThresholdByLengthAttr::takesAll(int64_t) const { return false; }

LogicalResult
MaxThresholdAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                         FloatAttr alpha) {
  return verifyNumber(emitError, "max_threshold_c1", "max_threshold_c2",
                      "alpha", alpha);
}

size_t MaxThresholdAttr::countTaken(ArrayRef<double> falling, int64_t,
                                    double slack) const {
  if (falling.empty())
    return 0;
  return countFrom(falling,
                   getAlpha().getValueAsDouble() * falling.front() - slack);
}

SelectionCut MaxThresholdAttr::getCut() const {
  return {SelectionCut::Kind::ShareOfBest, getAlpha().getValueAsDouble()};
}

bool MaxThresholdAttr::takesAll(int64_t) const { return false; }
