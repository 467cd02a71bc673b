// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a function on the reference, from and to arrays.

#ifndef PBS_TOOLS_PBSRUN_REFERENCERUN_H
#define PBS_TOOLS_PBSRUN_REFERENCERUN_H

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Reference/Interpreter.h"
#include "pbs/Reference/Ops.h"
#include "pbs/Runtime/Array.h"

#include "llvm/ADT/StringMap.h"

#include <optional>
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

/// The value of \p type that \p arrays hold, of which it takes one, or two for
/// a selection. Throws runtime::Error for lists that do not fit their capacity.
reference::InterpreterValue toValue(mlir::Type type,
                                    llvm::ArrayRef<runtime::Array> arrays);

/// How many arrays a value of \p type is.
inline size_t countArrays(mlir::Type type) {
  return mlir::isa<SelectionType>(type) ? 2 : 1;
}

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

/// What --dump-intermediates writes of the values of a function.
class Intermediates {
public:
  /// Keeps \p arrays, the value of \p name, if it is one of the kinds.
  void add(mlir::Value name, llvm::ArrayRef<runtime::Array> arrays);
  /// Whether \p name is of one of the kinds.
  static bool isKept(mlir::Value name);

  NamedArrays take() { return std::move(arrays); }

private:
  void keep(llvm::StringRef kind, runtime::Array array);

  NamedArrays arrays;
  llvm::StringMap<unsigned> seen;
};

/// The share of blocks that an attention computes over \p selection, if its
/// segment is known.
std::optional<reference::Work> countWork(AttentionOp attention,
                                         const reference::Selection &selection,
                                         int64_t queryLength,
                                         int64_t keyLength);

/// Prints a line for each of \p work: the share of blocks computed.
void printWork(const std::vector<reference::Work> &work);

/// Interprets \p function. Emits a diagnostic and fails as
/// reference::interpret, to which \p probe and \p substitute go.
mlir::FailureOr<ReferenceRun>
runOnReference(mlir::func::FuncOp function,
               const std::vector<runtime::Array> &arrays,
               bool keepIntermediates, reference::Probe probe = nullptr,
               reference::Substitute substitute = nullptr);

} // namespace pbs

#endif // PBS_TOOLS_PBSRUN_REFERENCERUN_H
