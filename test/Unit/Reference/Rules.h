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

inline Rule toRule(SelectionRule rule) {
  return [rule](llvm::ArrayRef<double> falling, double slack) {
    return rule.countTaken(falling, slack);
  };
}

inline Rule topP(double p) {
  auto type = mlir::Float64Type::get(&getContext());
  return toRule(TopPAttr::get(&getContext(), mlir::FloatAttr::get(type, p)));
}

inline Rule topK(int64_t k) { return toRule(TopKAttr::get(&getContext(), k)); }

inline Rule all() { return toRule(AllAttr::get(&getContext())); }

} // namespace pbs::reference

#endif // PBS_TEST_UNIT_REFERENCE_RULES_H
