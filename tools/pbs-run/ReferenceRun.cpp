// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ReferenceRun.h"

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Runtime/Error.h"

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

InterpreterValue pbs::toValue(Type type, ArrayRef<Array> arrays) {
  Tensor tensor = toTensor(arrays.front());
  if (auto permutation = dyn_cast<PermutationType>(type))
    return permutationFromTensor(tensor, permutation.getSegment());
  if (!isa<SelectionType>(type))
    return tensor;
  Tensor indices = toTensor(arrays[1]);
  if (std::string fault = findFault(tensor, indices); !fault.empty())
    throw runtime::Error(fault);
  return selectionFromLists(tensor, indices);
}

std::vector<InterpreterValue>
pbs::toArguments(func::FuncOp function, const std::vector<Array> &arrays) {
  std::vector<InterpreterValue> result;
  ArrayRef<Array> left(arrays);
  for (Type argument : function.getArgumentTypes()) {
    try {
      result.push_back(toValue(argument, left));
    } catch (const runtime::Error &error) {
      throw runtime::Error("argument " + std::to_string(result.size()) + ": " +
                           error.what());
    }
    left = left.drop_front(countArrays(argument));
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

bool Intermediates::isKept(Value name) {
  Operation *definition = name.getDefiningOp();
  return isa<PermutationType, SelectionType>(name.getType()) ||
         isa_and_nonnull<ImportanceOp, BlockScoresOp>(definition);
}

void Intermediates::add(Value name, ArrayRef<Array> values) {
  if (isa<PermutationType>(name.getType())) {
    keep("permutation", values.front());
  } else if (isa<SelectionType>(name.getType())) {
    keep("counts", values[0]);
    keep("indices", values[1]);
  } else if (isKept(name)) {
    keep(isa<ImportanceOp>(name.getDefiningOp()) ? "importance" : "scores",
         values.front());
  }
}

void Intermediates::keep(StringRef kind, Array array) {
  unsigned earlier = seen[kind]++;
  std::string name = kind.str();
  if (earlier)
    name += "." + std::to_string(earlier);
  arrays.emplace_back(std::move(name), std::move(array));
}

std::optional<Work> pbs::countWork(AttentionOp op, const Selection &selection,
                                   int64_t queryLength, int64_t keyLength) {
  int64_t segment;
  if (Value permutation = op.getPermutation())
    segment = cast<PermutationType>(permutation.getType()).getSegment();
  else if (auto select = op.getSelection().getDefiningOp<SelectOp>())
    segment = select.getSegment();
  else
    return std::nullopt;
  auto blocks = cast<SelectionType>(op.getSelection().getType());
  Grid grid{queryLength, keyLength, blocks.getQueryBlock(),
            blocks.getKeyBlock(), op.getCausal()};
  return reference::countWork(selection, grid, segment);
}

FailureOr<ReferenceRun> pbs::runOnReference(func::FuncOp function,
                                            const std::vector<Array> &arrays,
                                            bool keepIntermediates, Probe probe,
                                            Substitute substitute) {
  std::vector<InterpreterValue> arguments = toArguments(function, arrays);
  ReferenceRun run;
  Intermediates intermediates;
  if (keepIntermediates)
    for (auto [name, value] :
         llvm::zip_equal(function.getArguments(), arguments))
      if (Intermediates::isKept(name))
        intermediates.add(name, toArrays(value, name.getType()));

  auto results = interpret(
      function, std::move(arguments),
      [&](Operation *op, Lookup lookup) {
        if (probe)
          probe(op, lookup);
        if (keepIntermediates)
          for (Value result : op->getResults())
            if (Intermediates::isKept(result))
              intermediates.add(result,
                                toArrays(lookup(result), result.getType()));
        if (auto attention = dyn_cast<AttentionOp>(op)) {
          auto rows = [&](Value tensor) {
            return std::get<Tensor>(lookup(tensor)).shape[2];
          };
          if (std::optional<Work> work = countWork(
                  attention,
                  std::get<Selection>(lookup(attention.getSelection())),
                  rows(attention.getQuery()), rows(attention.getKey())))
            run.work.push_back(*work);
        }
      },
      substitute);
  if (failed(results))
    return failure();
  run.results = std::move(*results);
  run.intermediates = intermediates.take();
  return run;
}

void pbs::printWork(const std::vector<Work> &work) {
  for (const Work &attention : work)
    llvm::outs() << llvm::formatv(
        "{0} of {1} blocks are listed: {2:P1}; {3} whole, {4} masked\n",
        attention.listed, attention.all,
        double(attention.listed) / attention.all,
        attention.listed - attention.masked, attention.masked);
}
