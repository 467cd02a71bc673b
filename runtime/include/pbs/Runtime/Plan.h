// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The launch plan of docs/plan-format.md as data, its reader, and the
// evaluation of its expressions.

#ifndef PBS_RUNTIME_PLAN_H
#define PBS_RUNTIME_PLAN_H

#include "pbs/Runtime/Array.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pbs::runtime {

/// The values that expressions refer to.
struct Bindings {
  /// Each size of the entry, and "multiprocessors" once the device is known.
  std::map<std::string, int64_t> sizes;
  /// Each argument's strides in elements.
  std::map<std::string, std::vector<int64_t>> strides;
};

/// An integer expression over sizes and strides.
struct Expression {
  enum class Kind : uint8_t {
    Integer,
    Name,
    Stride,
    Add,
    Sub,
    Mul,
    FloorDiv,
    CeilDiv,
    Mod,
    Min,
    Max,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    Select
  };

  Kind kind = Kind::Integer;
  /// The integer, or the dimension of a stride.
  int64_t integer = 0;
  /// The size's name, or the argument's name of a stride.
  std::string name;
  std::vector<Expression> operands;

  Expression() = default;
  Expression(int64_t integer) : integer(integer) {}
  explicit Expression(std::string name)
      : kind(Kind::Name), name(std::move(name)) {}

  /// Signed 64-bit value. Throws Error naming the expression on overflow,
  /// division by zero, or a name that \p bindings lacks.
  int64_t evaluate(const Bindings &bindings) const;

  /// As it stands in the file: ["ceildiv","Nq",128].
  std::string toString() const;
};

enum class ArgumentRole : uint8_t { Input, Output };
enum class StrideRule : uint8_t { Contiguous, Rows };

/// What an argument's values must satisfy; see "contents" in the format.
struct PermutationContents {
  int64_t segment = 0;
};
struct SelectionCountsContents {
  std::string indices;
  int64_t queryBlock = 0;
  int64_t keyBlock = 0;
  Expression queryLength;
  Expression keyLength;
  bool causal = false;
  /// Empty if the keys stand in their original order.
  std::string permutation;
  /// Keys that a row may attend from its own position down, if there is a
  /// limit.
  std::optional<int64_t> window = std::nullopt;
};
struct SelectionIndicesContents {
  std::string counts;
};
using Contents =
    std::variant<std::monostate, PermutationContents, SelectionCountsContents,
                 SelectionIndicesContents>;

struct Argument {
  std::string name;
  ArgumentRole role = ArgumentRole::Input;
  ElementType type = ElementType::F32;
  std::vector<Expression> shape;
  StrideRule strides = StrideRule::Contiguous;
  /// In bytes, a power of two.
  int64_t alignment = 1;
  Contents contents;
};

struct Requirement {
  Expression condition;
  std::string message;
};

struct Buffer {
  std::string name;
  Expression bytes;
  /// In bytes, a power of two.
  int64_t alignment = 1;
};

struct TensorMapEntry {
  std::string name;
  /// An argument or a buffer.
  std::string tensor;
  Expression offset;
  ElementType type = ElementType::F32;
  /// All innermost first: elements, bytes, elements.
  std::vector<Expression> shape;
  std::vector<Expression> strides;
  std::vector<uint32_t> box;
  uint32_t swizzle = 0;
};

struct Memset {
  /// A buffer or an output.
  std::string buffer;
  uint8_t value = 0;
  Expression bytes;
};

struct PointerParameter {
  std::string name;
  Expression offset;
};
struct I32Parameter {
  Expression value;
};
struct I64Parameter {
  Expression value;
};
struct F32Parameter {
  float value = 0;
};
struct TensorMapParameter {
  std::string name;
};
using Parameter = std::variant<PointerParameter, I32Parameter, I64Parameter,
                               F32Parameter, TensorMapParameter>;

struct Launch {
  std::string kernel;
  std::array<Expression, 3> grid;
  std::array<uint32_t, 3> block = {1, 1, 1};
  std::array<uint32_t, 3> cluster = {1, 1, 1};
  Expression sharedBytes;
  bool programmaticStreamSerialization = false;
  std::vector<Parameter> parameters;
};

struct Step {
  /// The step is left out when this is 0.
  std::optional<Expression> guard;
  std::variant<Memset, Launch> action;
};

struct Entry {
  std::string name;
  std::vector<std::string> sizes;
  /// Inputs, then outputs.
  std::vector<Argument> arguments;
  std::vector<Requirement> requirements;
  std::vector<Buffer> buffers;
  std::vector<TensorMapEntry> tensorMaps;
  std::vector<Step> steps;

  size_t inputCount() const;
  /// The argument of that name, or null.
  const Argument *findArgument(std::string_view argument) const;
};

struct Plan {
  /// Where the plan was read from, for messages.
  std::string file;
  std::string producer;
  /// File names relative to the plan's folder; cubin is empty if there is none.
  std::string ptx;
  std::string cubin;
  std::string chip;
  std::string ptxVersion;
  std::vector<Entry> entries;

  /// The entry of that name; with an empty name, the only one. Throws Error
  /// listing the entries otherwise.
  const Entry &findEntry(std::string_view name) const;
  /// The path of the PTX beside the plan.
  std::string ptxPath() const;
  std::string cubinPath() const;
};

/// Reads a plan. Throws Error with the file, and the line and column or the key
/// at fault: syntax, a version other than 1, unknown or missing keys, names
/// that nothing defines, sizes that no argument binds.
Plan readPlan(const std::string &path);
Plan parsePlan(std::string_view text, const std::string &name);

} // namespace pbs::runtime

#endif // PBS_RUNTIME_PLAN_H
