// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "common/Arguments.h"

#include "pbs/Runtime/ArrayFile.h"
#include "pbs/Runtime/Error.h"

#include <algorithm>
#include <iostream>

using namespace pbs::runtime;

std::string
pbs::tools::pairArguments(const std::vector<std::string> &parameters,
                          const std::vector<std::string> &given) {
  std::string text;
  for (size_t i = 0; i < std::max(parameters.size(), given.size()); ++i)
    text += (i == 0 ? "" : "; ") +
            (i < parameters.size() ? parameters[i] : "no parameter") + " = " +
            (i < given.size() ? given[i] : "nothing");
  return text;
}

/// "q bf16 (B, 4, Nq, 128)".
static std::string describe(const Argument &argument) {
  std::string text = argument.name + " " + std::string(nameOf(argument.type));
  for (size_t i = 0; i < argument.shape.size(); ++i) {
    const Expression &extent = argument.shape[i];
    text += (i == 0 ? " (" : ", ") + (extent.kind == Expression::Kind::Name
                                          ? extent.name
                                          : extent.toString());
  }
  return text + (argument.shape.empty() ? " ()" : ")");
}

std::vector<Array>
pbs::tools::loadArguments(const Entry &entry,
                          const std::vector<std::string> &places) {
  std::vector<std::string> given = places;
  std::vector<Array> arrays;
  // A file that cannot be read says so alone.
  if (places.size() == entry.inputCount())
    for (std::string &file : given) {
      arrays.push_back(readArray(file));
      file += " " + std::string(nameOf(arrays.back().elementType())) + " " +
              formatShape(arrays.back().shape());
    }
  try {
    arrays = fitArguments(entry, places, std::move(arrays));
    std::vector<TensorDescriptor> descriptors;
    descriptors.reserve(arrays.size());
    for (const Array &array : arrays)
      descriptors.push_back(runtime::describe(array));
    bindArguments(entry, descriptors);
    return arrays;
  } catch (const Error &error) {
    std::vector<std::string> parameters;
    parameters.reserve(entry.inputCount());
    for (size_t i = 0; i < entry.inputCount(); ++i)
      parameters.push_back(describe(entry.arguments[i]));
    throw Error(std::string(error.what()) + "; " +
                pairArguments(parameters, given));
  }
}

void pbs::tools::mentionUnwritten(const char *tool,
                                  const std::vector<std::string> &results,
                                  size_t places) {
  if (places >= results.size())
    return;
  std::string names;
  for (size_t i = places; i < results.size(); ++i)
    names += (i == places ? "" : ", ") + results[i];
  std::cerr << tool << ": not written, for want of --result: " << names << "\n";
}
