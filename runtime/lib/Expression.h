// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The reader of plan expressions.

#ifndef PBS_RUNTIME_LIB_EXPRESSION_H
#define PBS_RUNTIME_LIB_EXPRESSION_H

#include "Json.h"
#include "pbs/Runtime/Plan.h"

#include <map>
#include <set>
#include <string>

namespace pbs::runtime {

inline constexpr const char *multiprocessorsName = "multiprocessors";

/// The names an expression may use.
struct ExpressionScope {
  const std::set<std::string> &sizes;
  /// Each argument's rank; null where strides are not known yet.
  const std::map<std::string, size_t> *ranks = nullptr;
  bool multiprocessors = false;
};

/// Throws Error if \p value is no expression over \p scope.
Expression parseExpression(const JsonValue &value,
                           const ExpressionScope &scope);

} // namespace pbs::runtime

#endif // PBS_RUNTIME_LIB_EXPRESSION_H
