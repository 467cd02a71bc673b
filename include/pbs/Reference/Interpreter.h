// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a function of the pbs dialect in double precision.

#ifndef PBS_REFERENCE_INTERPRETER_H
#define PBS_REFERENCE_INTERPRETER_H

#include "pbs/Reference/Values.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <variant>
#include <vector>

namespace pbs::reference {

/// A value of type index, ranked tensor or !pbs.permuted, !pbs.permutation,
/// !pbs.selection.
using InterpreterValue = std::variant<int64_t, Tensor, Permutation, Selection>;

/// The value that an operand or result has.
using Lookup = llvm::function_ref<const InterpreterValue &(mlir::Value)>;

/// Called with each operation once it has been interpreted, and with the values
/// of its operands and results.
using Probe = llvm::function_ref<void(mlir::Operation *, Lookup)>;

/// Called with each result after the probe: the value that is to stand for it
/// from there on, null to leave it as it is.
using Substitute = llvm::function_ref<const InterpreterValue *(mlir::Value)>;

/// Interprets \p function, which must have one block, and returns its results.
/// The arguments fit the function's types. Emits a located diagnostic and fails
/// at an operation that the reference does not know, which pbs.prefill is until
/// --pbs-expand-prefill has written its stages, or whose operands do not fit
/// each other: extents that are dynamic in the types, more queries than
/// keys, a permutation that is none, lists that name blocks that do not exist.
mlir::FailureOr<std::vector<InterpreterValue>>
interpret(mlir::func::FuncOp function, std::vector<InterpreterValue> arguments,
          Probe probe = nullptr, Substitute substitute = nullptr);

} // namespace pbs::reference

#endif // PBS_REFERENCE_INTERPRETER_H
