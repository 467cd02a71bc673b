// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ReferenceRun.h"

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Runtime/Error.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace pbs;
using namespace pbs::reference;
using runtime::Array;
using runtime::ElementType;

//===----------------------------------------------------------------------===//
// Arrays and values
//===----------------------------------------------------------------------===//

template <typename T>
static void copyTo(const Array &array, std::vector<double> &values) {
  const T *data = array.data<T>();
  values.assign(data, data + array.elementCount());
}

static Tensor toTensor(const Array &strided) {
  Array array = strided.toContiguous();
  Tensor result;
  result.shape = array.shape();
  switch (array.elementType()) {
  case ElementType::BF16:
  case ElementType::F16:
  case ElementType::F32:
    copyTo<float>(array.convertTo(ElementType::F32), result.values);
    break;
  case ElementType::I32:
    copyTo<int32_t>(array, result.values);
    break;
  case ElementType::U16:
    copyTo<uint16_t>(array, result.values);
    break;
  case ElementType::Bool:
    copyTo<uint8_t>(array, result.values);
    break;
  }
  return result;
}

/// \p values, which `T` represents, as an array.
template <typename T, typename Values>
static Array fromValues(ElementType type, std::vector<int64_t> shape,
                        const Values &values) {
  Array result(type, std::move(shape));
  std::copy(values.begin(), values.end(), result.data<T>());
  return result;
}

std::vector<InterpreterValue>
pbs::toArguments(func::FuncOp function, const std::vector<Array> &arrays) {
  std::vector<InterpreterValue> result;
  auto array = arrays.begin();
  for (Type argument : function.getArgumentTypes()) {
    Tensor tensor = toTensor(*array++);
    if (auto type = dyn_cast<PermutationType>(argument)) {
      result.push_back(permutationFromTensor(tensor, type.getSegment()));
    } else if (isa<SelectionType>(argument)) {
      Tensor indices = toTensor(*array++);
      if (std::string fault = findFault(tensor, indices); !fault.empty())
        throw runtime::Error("argument " + std::to_string(result.size()) +
                             ": " + fault);
      result.push_back(selectionFromLists(tensor, indices));
    } else {
      result.push_back(std::move(tensor));
    }
  }
  return result;
}

/// The values of a tensor whose elements are of type \p element.
static Array fromTensor(const Tensor &tensor, Type element) {
  if (element.isInteger(32))
    return fromValues<int32_t>(ElementType::I32, tensor.shape, tensor.values);
  if (element.isInteger(16))
    return fromValues<uint16_t>(ElementType::U16, tensor.shape, tensor.values);
  if (element.isInteger(1))
    return fromValues<uint8_t>(ElementType::Bool, tensor.shape, tensor.values);
  return fromValues<float>(ElementType::F32, tensor.shape, tensor.values);
}

std::vector<Array> pbs::toArrays(const InterpreterValue &value, Type type) {
  if (const auto *permutation = std::get_if<Permutation>(&value))
    return {fromValues<int32_t>(
        ElementType::I32,
        {permutation->batch, permutation->heads, permutation->length},
        permutation->places)};
  if (const auto *selection = std::get_if<Selection>(&value)) {
    Tensor counts = selectionCounts(*selection);
    Tensor indices = selectionIndices(*selection);
    return {
        fromValues<int32_t>(ElementType::I32, counts.shape, counts.values),
        fromValues<uint16_t>(ElementType::U16, indices.shape, indices.values)};
  }
  if (const auto *tensor = std::get_if<Tensor>(&value))
    return {fromTensor(*tensor, getTensorType(type).getElementType())};
  throw runtime::Error("a result of type index has no form in files");
}

//===----------------------------------------------------------------------===//
// Run
//===----------------------------------------------------------------------===//

namespace {
/// Keeps what --dump-intermediates writes.
class Intermediates {
public:
  void add(Type type, Operation *definition, const InterpreterValue &value) {
    if (isa<PermutationType>(type)) {
      keep("permutation", toArrays(value, type)[0]);
    } else if (isa<SelectionType>(type)) {
      std::vector<Array> arrays = toArrays(value, type);
      keep("counts", std::move(arrays[0]));
      keep("indices", std::move(arrays[1]));
    } else if (isa_and_nonnull<ImportanceOp>(definition)) {
      keep("importance", toArrays(value, type)[0]);
    } else if (isa_and_nonnull<BlockScoresOp>(definition)) {
      keep("scores", toArrays(value, type)[0]);
    }
  }

  NamedArrays take() { return std::move(arrays); }

private:
  void keep(StringRef kind, Array array) {
    unsigned earlier = seen[kind]++;
    std::string name = kind.str();
    if (earlier)
      name += "." + std::to_string(earlier);
    arrays.emplace_back(std::move(name), std::move(array));
  }

  NamedArrays arrays;
  llvm::StringMap<unsigned> seen;
};
} // namespace

/// Listed blocks of an attention and all; nothing if no segment is known.
static std::optional<Work> measure(AttentionOp op, Lookup lookup) {
  int64_t segment;
  if (Value permutation = op.getPermutation())
    segment = cast<PermutationType>(permutation.getType()).getSegment();
  else if (auto select = op.getSelection().getDefiningOp<SelectOp>())
    segment = select.getSegment();
  else
    return std::nullopt;
  auto blocks = cast<SelectionType>(op.getSelection().getType());
  Grid grid{std::get<Tensor>(lookup(op.getQuery())).shape[2],
            std::get<Tensor>(lookup(op.getKey())).shape[2],
            blocks.getQueryBlock(), blocks.getKeyBlock(), op.getCausal()};
  return countWork(std::get<Selection>(lookup(op.getSelection())), grid,
                   segment);
}

FailureOr<ReferenceRun> pbs::runOnReference(func::FuncOp function,
                                            const std::vector<Array> &arrays,
                                            bool keepIntermediates) {
  std::vector<InterpreterValue> arguments = toArguments(function, arrays);
  ReferenceRun run;
  Intermediates intermediates;
  if (keepIntermediates)
    for (auto [type, value] :
         llvm::zip_equal(function.getArgumentTypes(), arguments))
      intermediates.add(type, nullptr, value);

  auto results = interpret(
      function, std::move(arguments), [&](Operation *op, Lookup lookup) {
        if (keepIntermediates)
          for (Value result : op->getResults())
            intermediates.add(result.getType(), op, lookup(result));
        if (auto attention = dyn_cast<AttentionOp>(op))
          if (std::optional<Work> work = measure(attention, lookup))
            run.work.push_back(*work);
      });
  if (failed(results))
    return failure();
  run.results = std::move(*results);
  run.intermediates = intermediates.take();
  return run;
}

void pbs::printWork(const std::vector<Work> &work) {
  for (const Work &attention : work)
    llvm::outs() << llvm::formatv("{0} of {1} blocks are listed: {2:P1}\n",
                                  attention.listed, attention.all,
                                  double(attention.listed) / attention.all);
}
