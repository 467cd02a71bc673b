// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one numerical loop that has to be fast for the reference to be usable.

#ifndef PBS_LIB_REFERENCE_MATRIX_H
#define PBS_LIB_REFERENCE_MATRIX_H

#include <cstdint>

namespace pbs::reference {

/// C = A B, all row-major and without gaps: A is \p rows x \p depth, B is
/// \p depth x \p columns. Each element is summed in order of depth.
void multiply(const double *a, const double *b, double *c, int64_t rows,
              int64_t depth, int64_t columns);

/// C = A B^T: as above, but B is \p columns x \p depth.
void multiplyTransposed(const double *a, const double *b, double *c,
                        int64_t rows, int64_t depth, int64_t columns);

} // namespace pbs::reference

#endif // PBS_LIB_REFERENCE_MATRIX_H
