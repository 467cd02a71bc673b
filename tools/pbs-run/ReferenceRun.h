// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a function on the reference, from and to arrays.

#ifndef PBS_TOOLS_PBSRUN_REFERENCERUN_H
#define PBS_TOOLS_PBSRUN_REFERENCERUN_H

#include "pbs/Reference/Interpreter.h"
#include "pbs/Reference/Ops.h"
#include "pbs/Runtime/Array.h"

#include <string>
#include <utility>
#include <vector>

namespace pbs {

/// Arrays with their names.
using NamedArrays = std::vector<std::pair<std::string, runtime::Array>>;

/// The arguments of \p function from the arrays of describeEntry. Throws
/// runtime::Error for lists that do not fit their capacity.
std::vector<reference::InterpreterValue>
toArguments(mlir::func::FuncOp function,
            const std::vector<runtime::Array> &arrays);

/// \p value of \p type as one array, or two for a selection (counts, indices).
/// Tensors of floats become f32, whatever their type: the reference does not
/// round.
std::vector<runtime::Array> toArrays(const reference::InterpreterValue &value,
                                     mlir::Type type);

struct ReferenceRun {
  /// All results, in order.
  std::vector<reference::InterpreterValue> results;
  /// importance, permutation, scores, counts, indices as far as the function
  /// computes or takes them; a second one of a kind is importance.1 and so on.
  NamedArrays intermediates;
  /// For each attention whose segment is known, in order.
  std::vector<reference::Work> work;
};

/// Prints a line for each of \p work: the share of blocks computed.
void printWork(const std::vector<reference::Work> &work);

/// Interprets \p function. Emits a diagnostic and fails as
/// reference::interpret.
mlir::FailureOr<ReferenceRun>
runOnReference(mlir::func::FuncOp function,
               const std::vector<runtime::Array> &arrays,
               bool keepIntermediates);

} // namespace pbs

#endif // PBS_TOOLS_PBSRUN_REFERENCERUN_H
