// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/Plan.h"

#include "Expression.h"
#include "Json.h"
#include "TextFile.h"
#include "pbs/Runtime/Error.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

using namespace pbs::runtime;

namespace {

/// Bytes of a plan beyond which something else was given; plans have some KiB.
constexpr uint64_t maximumPlanBytes = 64 << 20;
constexpr size_t maximumRank = 16;

template <typename Visitor>
void forEach(const JsonValue &array, Visitor visit) {
  for (size_t i = 0; i < array.size(); ++i)
    visit(array.element(i));
}

const std::string &parseName(const JsonValue &value) {
  const std::string &name = value.string();
  if (name.empty())
    value.fail("an empty name");
  return name;
}

/// A file name without a folder, so that a plan never points elsewhere.
std::string parseFileName(const JsonValue &value) {
  const std::string &name = parseName(value);
  if (name.find('/') != std::string::npos || name == "." || name == "..")
    value.failExpected("a file name without a folder");
  return name;
}

int64_t parseAlignment(const JsonValue &value) {
  int64_t alignment = value.integer(1, 1 << 20);
  if (alignment & (alignment - 1))
    value.failExpected("a power of two");
  return alignment;
}

ElementType parseType(const JsonValue &value) {
  std::optional<ElementType> type = parseElementType(value.string());
  if (!type)
    value.failExpected("bf16, f16, f32, i32, u16 or bool");
  return *type;
}

std::array<uint32_t, 3> parseExtents(const JsonValue &value, int64_t limit) {
  if (value.size() != 3)
    value.failExpected("three integers");
  std::array<uint32_t, 3> extents;
  int64_t product = 1;
  for (size_t i = 0; i < 3; ++i) {
    extents[i] = static_cast<uint32_t>(value.element(i).integer(1, limit));
    product *= extents[i];
  }
  if (product > limit)
    value.fail("the product " + std::to_string(product) + " is above " +
               std::to_string(limit));
  return extents;
}

/// Reads one entry. Names are checked as they are met, so that what follows
/// never refers to something that is not there.
class EntryReader {
public:
  explicit EntryReader(const JsonValue &value) : object(value) {}

  Entry read() {
    entry.name = parseName(object.at("name"));
    forEach(object.at("sizes"), [&](const JsonValue &value) {
      const std::string &name = parseName(value);
      if (name == multiprocessorsName)
        value.fail("'" + name + "' is not a size of an entry");
      if (!sizes.insert(name).second)
        value.fail("size '" + name + "' stands twice");
      entry.sizes.push_back(name);
    });
    forEach(object.at("arguments"),
            [&](const JsonValue &value) { readArgument(value); });
    checkContentsNames(object.at("arguments"));
    checkSizesBound();
    ExpressionScope strideScope = {sizes, &ranks, false};
    forEach(object.at("requirements"), [&](const JsonValue &value) {
      JsonObject requirement(value);
      entry.requirements.push_back(
          {parseExpression(requirement.at("condition"), strideScope),
           requirement.at("message").string()});
      requirement.finish();
    });
    forEach(object.at("buffers"),
            [&](const JsonValue &value) { readBuffer(value); });
    forEach(object.at("tensor_maps"),
            [&](const JsonValue &value) { readTensorMap(value); });
    forEach(object.at("steps"),
            [&](const JsonValue &value) { readStep(value); });
    object.finish();
    return std::move(entry);
  }

private:
  /// As Entry's, but without a search: plans may be large.
  const Argument *findArgument(const std::string &name) const {
    auto found = argumentNumbers.find(name);
    return found == argumentNumbers.end() ? nullptr
                                          : &entry.arguments[found->second];
  }

  void defineMemory(const JsonValue &value, const std::string &name) {
    if (!memory.insert(name).second)
      value.fail("'" + name + "' is already an argument or buffer");
  }

  void readArgument(const JsonValue &value) {
    JsonObject object(value);
    Argument argument;
    argument.name = parseName(object.at("name"));
    defineMemory(object.at("name"), argument.name);
    const std::string &role = object.at("role").string();
    if (role == "output")
      argument.role = ArgumentRole::Output;
    else if (role != "input")
      object.at("role").failExpected("\"input\" or \"output\"");
    if (argument.role == ArgumentRole::Input && !entry.arguments.empty() &&
        entry.arguments.back().role == ArgumentRole::Output)
      object.at("role").fail("an input stands after an output");
    argument.type = parseType(object.at("type"));
    JsonValue shape = object.at("shape");
    if (shape.size() > maximumRank)
      shape.fail("more than " + std::to_string(maximumRank) + " dimensions");
    forEach(shape, [&](const JsonValue &extent) {
      argument.shape.push_back(parseExpression(extent, {sizes}));
    });
    const std::string &strides = object.at("strides").string();
    if (strides == "rows")
      argument.strides = StrideRule::Rows;
    else if (strides != "contiguous")
      object.at("strides").failExpected("\"contiguous\" or \"rows\"");
    argument.alignment = parseAlignment(object.at("alignment"));
    if (object.has("contents"))
      argument.contents = readContents(object.at("contents"), argument);
    object.finish();
    ranks[argument.name] = argument.shape.size();
    argumentNumbers[argument.name] = entry.arguments.size();
    entry.arguments.push_back(std::move(argument));
  }

  Contents readContents(const JsonValue &value, const Argument &argument) {
    JsonObject object(value);
    Contents contents;
    const std::string &kind = object.at("kind").string();
    auto expect = [&](ElementType type, size_t rank) {
      if (argument.type != type || argument.shape.size() != rank)
        value.fail("contents '" + kind + "' need an argument of type " +
                   std::string(nameOf(type)) + " and rank " +
                   std::to_string(rank));
    };
    if (kind == "permutation") {
      expect(ElementType::I32, 3);
      contents =
          PermutationContents{object.at("segment").integer(1, INT32_MAX)};
    } else if (kind == "selection_counts") {
      expect(ElementType::I32, 4);
      SelectionCountsContents counts;
      counts.indices = object.at("indices").string();
      counts.queryBlock = object.at("query_block").integer(1, INT32_MAX);
      counts.keyBlock = object.at("key_block").integer(1, INT32_MAX);
      counts.queryLength = parseExpression(object.at("query_length"), {sizes});
      counts.keyLength = parseExpression(object.at("key_length"), {sizes});
      counts.causal = object.at("causal").boolean();
      if (object.has("permutation"))
        counts.permutation = parseName(object.at("permutation"));
      if (object.has("window"))
        counts.window = object.at("window").integer(1, INT64_MAX);
      contents = std::move(counts);
    } else if (kind == "selection_indices") {
      expect(ElementType::U16, 4);
      contents = SelectionIndicesContents{object.at("counts").string()};
    } else {
      object.at("kind").failExpected(
          "permutation, selection_counts or selection_indices");
    }
    object.finish();
    return contents;
  }

  /// Contents may name arguments that stand later.
  void checkContentsNames(const JsonValue &arguments) {
    for (size_t i = 0; i < entry.arguments.size(); ++i) {
      auto fail = [&](const std::string &message) {
        arguments.element(i).fail(message);
      };
      const Contents &contents = entry.arguments[i].contents;
      const std::string &name = entry.arguments[i].name;
      if (const auto *counts =
              std::get_if<SelectionCountsContents>(&contents)) {
        const Argument *indices = findArgument(counts->indices);
        const auto *back =
            indices ? std::get_if<SelectionIndicesContents>(&indices->contents)
                    : nullptr;
        if (!back || back->counts != name)
          fail("no argument '" + counts->indices +
               "' has contents selection_indices that name '" + name + "'");
        const Argument *permutation = findArgument(counts->permutation);
        if (!counts->permutation.empty() &&
            (!permutation || !std::holds_alternative<PermutationContents>(
                                 permutation->contents)))
          fail("no argument '" + counts->permutation +
               "' has contents permutation");
      } else if (const auto *indices =
                     std::get_if<SelectionIndicesContents>(&contents)) {
        const Argument *counts = findArgument(indices->counts);
        const auto *back =
            counts ? std::get_if<SelectionCountsContents>(&counts->contents)
                   : nullptr;
        if (!back || back->indices != name)
          fail("no argument '" + indices->counts +
               "' has contents selection_counts that name '" + name + "'");
      }
    }
  }

  void checkSizesBound() {
    std::set<std::string> bound;
    for (const Argument &argument : entry.arguments)
      for (const Expression &extent : argument.shape)
        if (extent.kind == Expression::Kind::Name)
          bound.insert(extent.name);
    for (const std::string &size : entry.sizes)
      if (!bound.count(size))
        object.at("sizes").fail("no argument's shape binds size '" + size +
                                "'");
  }

  void readBuffer(const JsonValue &value) {
    JsonObject object(value);
    Buffer buffer;
    buffer.name = parseName(object.at("name"));
    defineMemory(object.at("name"), buffer.name);
    buffer.bytes = parseExpression(object.at("bytes"), fullScope);
    buffer.alignment = parseAlignment(object.at("alignment"));
    object.finish();
    entry.buffers.push_back(std::move(buffer));
  }

  std::string readMemoryName(const JsonValue &value) {
    if (!memory.count(value.string()))
      value.fail("no argument or buffer '" + value.string() + "'");
    return value.string();
  }

  Expression readOffset(JsonObject &object) {
    return object.has("offset")
               ? parseExpression(object.at("offset"), fullScope)
               : Expression(0);
  }

  void readTensorMap(const JsonValue &value) {
    JsonObject object(value);
    TensorMapEntry map;
    map.name = parseName(object.at("name"));
    if (!tensorMaps.insert(map.name).second)
      object.at("name").fail("tensor map '" + map.name + "' stands twice");
    map.tensor = readMemoryName(object.at("tensor"));
    map.offset = readOffset(object);
    map.type = parseType(object.at("type"));
    forEach(object.at("shape"), [&](const JsonValue &extent) {
      map.shape.push_back(parseExpression(extent, fullScope));
    });
    forEach(object.at("strides"), [&](const JsonValue &stride) {
      map.strides.push_back(parseExpression(stride, fullScope));
    });
    forEach(object.at("box"), [&](const JsonValue &extent) {
      map.box.push_back(static_cast<uint32_t>(extent.integer(1, 256)));
    });
    if (map.shape.empty() || map.shape.size() > 5)
      object.at("shape").failExpected("1 to 5 dimensions");
    if (map.strides.size() + 1 != map.shape.size())
      object.at("strides").failExpected(std::to_string(map.shape.size() - 1) +
                                        " strides");
    if (map.box.size() != map.shape.size())
      object.at("box").failExpected(std::to_string(map.shape.size()) +
                                    " extents");
    map.swizzle = static_cast<uint32_t>(object.at("swizzle").integer(0, 128));
    if (map.swizzle != 0 && map.swizzle != 32 && map.swizzle != 64 &&
        map.swizzle != 128)
      object.at("swizzle").failExpected("0, 32, 64 or 128");
    object.finish();
    entry.tensorMaps.push_back(std::move(map));
  }

  void readStep(const JsonValue &value) {
    JsonObject object(value);
    Step step;
    if (object.has("guard"))
      step.guard = parseExpression(object.at("guard"), fullScope);
    if (object.has("memset") == object.has("launch"))
      value.fail("a step holds either 'memset' or 'launch'");
    if (object.has("memset"))
      step.action = readMemset(object.at("memset"));
    else
      step.action = readLaunch(object.at("launch"));
    object.finish();
    entry.steps.push_back(std::move(step));
  }

  Memset readMemset(const JsonValue &value) {
    JsonObject object(value);
    Memset memset;
    memset.buffer = readMemoryName(object.at("buffer"));
    const Argument *argument = findArgument(memset.buffer);
    if (argument && argument->role == ArgumentRole::Input)
      object.at("buffer").fail("'" + memset.buffer + "' is an input");
    if (argument && argument->strides == StrideRule::Rows)
      object.at("buffer").fail("'" + memset.buffer +
                               "' may have gaps, which no memset may touch");
    memset.value = static_cast<uint8_t>(object.at("value").integer(0, 255));
    memset.bytes = parseExpression(object.at("bytes"), fullScope);
    object.finish();
    return memset;
  }

  Launch readLaunch(const JsonValue &value) {
    JsonObject object(value);
    Launch launch;
    launch.kernel = parseName(object.at("kernel"));
    JsonValue grid = object.at("grid");
    if (grid.size() != 3)
      grid.failExpected("three expressions");
    for (size_t i = 0; i < 3; ++i)
      launch.grid[i] = parseExpression(grid.element(i), fullScope);
    launch.block = parseExtents(object.at("block"), 1024);
    if (object.has("cluster"))
      launch.cluster = parseExtents(object.at("cluster"), 16);
    JsonValue sharedBytes = object.at("shared_bytes");
    launch.sharedBytes = sharedBytes.json().is_number()
                             ? Expression(sharedBytes.integer(0, INT32_MAX))
                             : parseExpression(sharedBytes, fullScope);
    if (object.has("attributes")) {
      JsonObject attributes(object.at("attributes"));
      const char *key = "programmatic_stream_serialization";
      if (attributes.has(key))
        launch.programmaticStreamSerialization = attributes.at(key).boolean();
      attributes.finish();
    }
    forEach(object.at("parameters"), [&](const JsonValue &parameter) {
      launch.parameters.push_back(readParameter(parameter));
    });
    object.finish();
    return launch;
  }

  Parameter readParameter(const JsonValue &value) {
    JsonObject object(value);
    Parameter parameter;
    if (object.has("pointer")) {
      std::string name = readMemoryName(object.at("pointer"));
      parameter = PointerParameter{name, readOffset(object)};
    } else if (object.has("i32")) {
      parameter = I32Parameter{parseExpression(object.at("i32"), fullScope)};
    } else if (object.has("i64")) {
      parameter = I64Parameter{parseExpression(object.at("i64"), fullScope)};
    } else if (object.has("f32")) {
      double number = object.at("f32").number();
      float rounded = static_cast<float>(number);
      if (!std::isfinite(rounded))
        object.at("f32").failExpected("a number that fits f32");
      parameter = F32Parameter{rounded};
    } else if (object.has("tensor_map")) {
      std::string name = object.at("tensor_map").string();
      if (!tensorMaps.count(name))
        object.at("tensor_map").fail("no tensor map '" + name + "'");
      parameter = TensorMapParameter{name};
    } else {
      value.failExpected("pointer, i32, i64, f32 or tensor_map");
    }
    object.finish();
    return parameter;
  }

  JsonObject object;
  Entry entry;
  std::set<std::string> sizes;
  std::map<std::string, size_t> ranks;
  std::map<std::string, size_t> argumentNumbers;
  /// Arguments and buffers share their names.
  std::set<std::string> memory;
  std::set<std::string> tensorMaps;
  ExpressionScope fullScope = {sizes, &ranks, true};
};

} // namespace

size_t Entry::inputCount() const {
  return std::count_if(
      arguments.begin(), arguments.end(),
      [](const Argument &a) { return a.role == ArgumentRole::Input; });
}

const Argument *Entry::findArgument(std::string_view argument) const {
  for (const Argument &candidate : arguments)
    if (candidate.name == argument)
      return &candidate;
  return nullptr;
}

const Entry &Plan::findEntry(std::string_view name) const {
  std::string names;
  for (const Entry &entry : entries) {
    if (entry.name == name || (name.empty() && entries.size() == 1))
      return entry;
    names += (names.empty() ? "" : ", ") + entry.name;
  }
  throw Error(file + ": " +
              (name.empty() ? "there are several entries, name one"
                            : "no entry '" + std::string(name) + "'") +
              "; the plan holds " + names);
}

std::string Plan::ptxPath() const {
  return (std::filesystem::path(file).parent_path() / ptx).string();
}

std::string Plan::cubinPath() const {
  return (std::filesystem::path(file).parent_path() / cubin).string();
}

Plan pbs::runtime::parsePlan(std::string_view text, const std::string &name) {
  Json json = parseJson(text, name);
  JsonObject object(JsonValue(json, name));
  if (!object.has("format") || !object.has("version"))
    object.value().fail("not a launch plan (no keys format and version)");
  if (object.at("format").string() != "pbs-plan")
    object.at("format").failExpected("\"pbs-plan\"");
  if (object.at("version").integer(INT64_MIN, INT64_MAX) != 1)
    object.at("version").failExpected("1, the version this reader knows");
  Plan plan;
  plan.file = name;
  plan.producer = object.at("producer").string();
  JsonObject module(object.at("module"));
  plan.ptx = parseFileName(module.at("ptx"));
  if (module.has("cubin"))
    plan.cubin = parseFileName(module.at("cubin"));
  plan.chip = module.at("chip").string();
  plan.ptxVersion = module.at("ptx_version").string();
  module.finish();
  std::set<std::string> names;
  forEach(object.at("entries"), [&](const JsonValue &value) {
    Entry entry = EntryReader(value).read();
    if (!names.insert(entry.name).second)
      value.fail("entry '" + entry.name + "' stands twice");
    plan.entries.push_back(std::move(entry));
  });
  if (plan.entries.empty())
    object.at("entries").fail("a plan without entries");
  object.finish();
  return plan;
}

Plan pbs::runtime::readPlan(const std::string &path) {
  return parsePlan(readTextFile(path, maximumPlanBytes), path);
}
