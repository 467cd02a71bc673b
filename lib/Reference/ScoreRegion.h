// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_LIB_REFERENCE_SCOREREGION_H
#define PBS_LIB_REFERENCE_SCOREREGION_H

#include "pbs/Reference/Ops.h"

#include "mlir/IR/Region.h"

namespace pbs::reference {

/// What a score region computes, in double; f32 constants are exact and i32
/// wraps. Empty for an empty region. \p scalars are its further arguments. The
/// region must outlive the function.
ScoreFunction makeScoreFunction(mlir::Region &region,
                                llvm::ArrayRef<double> scalars);

} // namespace pbs::reference

#endif // PBS_LIB_REFERENCE_SCOREREGION_H
