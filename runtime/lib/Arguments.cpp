// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/Arguments.h"

#include "pbs/Runtime/ArrayFile.h"
#include "pbs/Runtime/Error.h"

#include <algorithm>

using namespace pbs::runtime;

namespace {

std::string prefixOf(const Entry &entry, const Argument &argument) {
  return "entry '" + entry.name + "', argument '" + argument.name + "': ";
}

std::string quote(std::string_view text) {
  return "'" + std::string(text) + "'";
}

void checkCount(const Entry &entry, size_t count) {
  size_t inputs = entry.inputCount(), all = entry.arguments.size();
  if (count == inputs || count == all)
    return;
  std::string names;
  for (const Argument &argument : entry.arguments)
    names += (names.empty() ? "" : ", ") + argument.name;
  throw Error("entry '" + entry.name + "' takes " + std::to_string(inputs) +
              " inputs and " + std::to_string(all - inputs) + " outputs (" +
              names + "), found " + std::to_string(count) + " arguments");
}

/// Elements from the first to the last one, both included.
int64_t spanOf(const std::string &prefix, const TensorDescriptor &tensor) {
  int64_t span = 1;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    int64_t distance;
    if (__builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i],
                               &distance) ||
        __builtin_add_overflow(span, distance, &span))
      throw Error(prefix + "stride " + std::to_string(tensor.strides[i]) +
                  " of dimension " + std::to_string(i) + " is too large");
  }
  int64_t bytes;
  if (__builtin_mul_overflow(span, byteWidth(tensor.type), &bytes))
    throw Error(prefix + "shape " + formatShape(tensor.shape) +
                " and strides are too large");
  return span;
}

/// Binds the strides and checks them against the argument's rule.
std::vector<int64_t> bindStrides(const std::string &prefix,
                                 const Argument &argument,
                                 const TensorDescriptor &tensor) {
  size_t rank = tensor.shape.size();
  int64_t width = static_cast<int64_t>(byteWidth(argument.type));
  std::vector<int64_t> strides = tensor.strides;
  std::vector<int64_t> contiguous;
  try {
    countElements(tensor.shape, width);
    contiguous = contiguousStrides(tensor.shape);
  } catch (const Error &error) {
    throw Error(prefix + error.what());
  }
  // The last dimension first: where another one is the contiguous one, its
  // stride is what is wrong with the array.
  for (size_t i = rank; i-- > 0;) {
    if (tensor.shape[i] == 1) {
      strides[i] = contiguous[i];
      continue;
    }
    auto fail = [&](const std::string &expected) {
      throw Error(prefix + "dimension " + std::to_string(i) + " has stride " +
                  std::to_string(strides[i]) + ", expected " + expected);
    };
    if (strides[i] < 0)
      fail("none below 0");
    if (argument.strides == StrideRule::Contiguous || i + 1 == rank) {
      if (strides[i] != contiguous[i])
        fail(std::to_string(contiguous[i]) +
             (i + 1 == rank ? ": the last dimension must be contiguous"
                            : ": the array must be contiguous"));
    } else if (int64_t bytes;
               __builtin_mul_overflow(strides[i], width, &bytes) ||
               bytes % argument.alignment != 0) {
      fail("a multiple of " + std::to_string(argument.alignment) + " bytes (" +
           std::to_string(std::max<int64_t>(argument.alignment / width, 1)) +
           " elements)");
    }
  }
  return strides;
}

/// Whether distinct elements of the tensor may share an address. Dimensions in
/// the order of their strides must each step over all that the smaller ones
/// reach.
bool overlapsItself(const TensorDescriptor &tensor) {
  std::vector<std::pair<int64_t, int64_t>> dimensions;
  for (size_t i = 0; i < tensor.shape.size(); ++i)
    if (tensor.shape[i] > 1)
      dimensions.emplace_back(tensor.strides[i], tensor.shape[i]);
  std::sort(dimensions.begin(), dimensions.end());
  int64_t reach = 1;
  for (const auto &[stride, extent] : dimensions) {
    if (stride < reach)
      return true;
    reach += stride * (extent - 1);
  }
  return false;
}

} // namespace

TensorDescriptor pbs::runtime::describe(const Array &array) {
  return {array.elementType(), array.shape(), array.strides(), 0,
          array.storage().size()};
}

Bindings
pbs::runtime::bindArguments(const Entry &entry,
                            const std::vector<TensorDescriptor> &arguments) {
  checkCount(entry, arguments.size());
  Bindings bindings;
  std::map<std::string, std::string> boundBy;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument &argument = entry.arguments[i];
    const TensorDescriptor &tensor = arguments[i];
    std::string prefix = prefixOf(entry, argument);
    if (tensor.type != argument.type)
      throw Error(prefix + "has type " + std::string(nameOf(tensor.type)) +
                  ", expected " + std::string(nameOf(argument.type)));
    if (tensor.shape.size() != argument.shape.size() ||
        tensor.strides.size() != tensor.shape.size())
      throw Error(prefix + "has rank " + std::to_string(tensor.shape.size()) +
                  " and " + std::to_string(tensor.strides.size()) +
                  " strides, expected rank " +
                  std::to_string(argument.shape.size()));
    for (size_t j = 0; j < tensor.shape.size(); ++j) {
      if (tensor.shape[j] < 1)
        throw Error(prefix + "dimension " + std::to_string(j) + " has extent " +
                    std::to_string(tensor.shape[j]) + ", expected at least 1");
      const Expression &extent = argument.shape[j];
      if (extent.kind == Expression::Kind::Name &&
          bindings.sizes.emplace(extent.name, tensor.shape[j]).second)
        boundBy[extent.name] = "argument " + quote(argument.name) +
                               ", dimension " + std::to_string(j);
    }
  }
  // Expressions may use sizes that a later argument binds.
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument &argument = entry.arguments[i];
    const TensorDescriptor &tensor = arguments[i];
    std::string prefix = prefixOf(entry, argument);
    for (size_t j = 0; j < tensor.shape.size(); ++j) {
      const Expression &extent = argument.shape[j];
      int64_t expected;
      try {
        expected = extent.evaluate(bindings);
      } catch (const Error &error) {
        throw Error(prefix + "dimension " + std::to_string(j) + ": " +
                    error.what());
      }
      if (tensor.shape[j] == expected)
        continue;
      std::string origin;
      if (extent.kind == Expression::Kind::Name)
        origin = ", which is " + extent.name + " of " + boundBy[extent.name];
      else if (extent.kind != Expression::Kind::Integer)
        origin = ", which is " + extent.toString();
      throw Error(prefix + "dimension " + std::to_string(j) + " has extent " +
                  std::to_string(tensor.shape[j]) + ", expected " +
                  std::to_string(expected) + origin);
    }
    bindings.strides[argument.name] = bindStrides(prefix, argument, tensor);
    TensorDescriptor normalized = tensor;
    normalized.strides = bindings.strides[argument.name];
    spanOf(prefix, normalized);
  }
  return bindings;
}

void pbs::runtime::checkRequirements(const Entry &entry,
                                     const Bindings &bindings) {
  for (const Requirement &requirement : entry.requirements) {
    if (requirement.condition.evaluate(bindings))
      continue;
    std::string sizes;
    for (const auto &[name, value] : bindings.sizes)
      sizes +=
          (sizes.empty() ? "" : ", ") + name + " = " + std::to_string(value);
    throw Error("entry '" + entry.name + "': requirement not met: " +
                requirement.message + " (" + sizes + ")");
  }
}

void pbs::runtime::checkAddresses(
    const Entry &entry, const std::vector<TensorDescriptor> &arguments) {
  checkCount(entry, arguments.size());
  std::vector<std::pair<DeviceAddress, DeviceAddress>> ranges;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument &argument = entry.arguments[i];
    std::string prefix = prefixOf(entry, argument);
    TensorDescriptor tensor = arguments[i];
    tensor.strides = bindStrides(prefix, argument, tensor);
    uint64_t bytes = spanOf(prefix, tensor) * byteWidth(tensor.type);
    if (bytes > tensor.storageBytes)
      throw Error(prefix + "shape " + formatShape(tensor.shape) +
                  " with strides " + formatShape(tensor.strides) + " needs " +
                  std::to_string(bytes) + " bytes, the allocation has " +
                  std::to_string(tensor.storageBytes));
    if (tensor.address == 0)
      throw Error(prefix + "the address is null");
    if (tensor.address % static_cast<uint64_t>(argument.alignment))
      throw Error(prefix + "address " + std::to_string(tensor.address) +
                  " is not a multiple of " +
                  std::to_string(argument.alignment) + " bytes");
    DeviceAddress end;
    if (__builtin_add_overflow(tensor.address, bytes, &end))
      throw Error(prefix + "reaches beyond the end of memory");
    if (argument.role == ArgumentRole::Output) {
      if (overlapsItself(tensor))
        throw Error(prefix + "strides " + formatShape(tensor.strides) +
                    " make elements of an output overlap");
      for (size_t j = 0; j < i; ++j)
        if (tensor.address < ranges[j].second && ranges[j].first < end)
          throw Error(prefix + "overlaps argument " +
                      quote(entry.arguments[j].name));
    }
    ranges.emplace_back(tensor.address, end);
  }
}

std::vector<std::vector<int64_t>>
pbs::runtime::outputShapes(const Entry &entry, const Bindings &bindings) {
  std::vector<std::vector<int64_t>> shapes;
  for (size_t i = entry.inputCount(); i < entry.arguments.size(); ++i) {
    const Argument &argument = entry.arguments[i];
    std::string prefix = prefixOf(entry, argument);
    std::vector<int64_t> shape;
    try {
      for (const Expression &extent : argument.shape) {
        shape.push_back(extent.evaluate(bindings));
        if (shape.back() < 1)
          throw Error("dimension " + std::to_string(shape.size() - 1) +
                      " would have extent " + std::to_string(shape.back()) +
                      ", expected at least 1");
      }
      countElements(shape, byteWidth(argument.type));
    } catch (const Error &error) {
      throw Error(prefix + error.what());
    }
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

/// What \p argument takes for \p array, which is from \p place.
static Array fit(const Argument &argument, const std::string &place,
                 Array array) {
  if (array.elementType() == argument.type)
    return array;
  bool rounds =
      array.elementType() == ElementType::F32 &&
      (argument.type == ElementType::BF16 || argument.type == ElementType::F16);
  if (!rounds)
    throw Error(place + ": argument " + quote(argument.name) + " has type " +
                std::string(nameOf(argument.type)) + ", the file holds " +
                std::string(nameOf(array.elementType())));
  return array.convertTo(argument.type);
}

Array pbs::runtime::loadArgument(const std::string &place,
                                 const Argument &argument) {
  return fit(argument, place, readArray(place));
}

static void checkPlaceCount(const Entry &entry, size_t count) {
  size_t inputs = entry.inputCount();
  if (count == inputs)
    return;
  std::string names;
  for (size_t i = 0; i < inputs; ++i)
    names += (i ? ", " : "") + entry.arguments[i].name;
  throw Error("entry '" + entry.name + "' takes " + std::to_string(inputs) +
              " inputs (" + names + "), found " + std::to_string(count) +
              " --arg");
}

std::vector<Array>
pbs::runtime::fitArguments(const Entry &entry,
                           const std::vector<std::string> &places,
                           std::vector<Array> arrays) {
  checkPlaceCount(entry, places.size());
  for (size_t i = 0; i < arrays.size(); ++i)
    arrays[i] = fit(entry.arguments[i], places[i], std::move(arrays[i]));
  return arrays;
}

std::vector<Array>
pbs::runtime::loadArguments(const Entry &entry,
                            const std::vector<std::string> &places) {
  checkPlaceCount(entry, places.size());
  std::vector<Array> arrays;
  arrays.reserve(places.size());
  for (size_t i = 0; i < places.size(); ++i)
    arrays.push_back(loadArgument(places[i], entry.arguments[i]));
  return arrays;
}
