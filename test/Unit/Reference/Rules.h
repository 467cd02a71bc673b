// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TEST_UNIT_REFERENCE_RULES_H
#define PBS_TEST_UNIT_REFERENCE_RULES_H

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Reference/Ops.h"

#include "mlir/IR/MLIRContext.h"

namespace pbs::reference {

/// The context of all rules.
inline mlir::MLIRContext &getContext() {
  static mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<PBSDialect>();
  return context;
}

/// Of a sequence of `keyBlocks` key blocks, which only a rule by length knows.
inline Rule toRule(SelectionRule rule, int64_t keyBlocks = 1) {
  return [rule, keyBlocks](llvm::ArrayRef<double> falling, double slack) {
    return rule.countTaken(falling, keyBlocks, slack);
  };
}

inline mlir::FloatAttr number(double value) {
  return mlir::FloatAttr::get(mlir::Float64Type::get(&getContext()), value);
}

inline Rule topP(double p) {
  return toRule(TopPAttr::get(&getContext(), number(p)));
}

inline Rule topK(int64_t k) { return toRule(TopKAttr::get(&getContext(), k)); }

inline Rule threshold(double tau) {
  return toRule(ThresholdAttr::get(&getContext(), number(tau)));
}

inline Rule thresholdByLength(double c, int64_t keyBlocks) {
  return toRule(ThresholdByLengthAttr::get(&getContext(), number(c)),
                keyBlocks);
}

inline Rule maxThreshold(double alpha) {
  return toRule(MaxThresholdAttr::get(&getContext(), number(alpha)));
}

inline Rule all() { return toRule(AllAttr::get(&getContext())); }

} // namespace pbs::reference

#endif // PBS_TEST_UNIT_REFERENCE_RULES_H
