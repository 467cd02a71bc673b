// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A parsed PTX module: names are resolved to numbers, instructions are still
// text. The decoder turns it into code; see Program.h.

#ifndef PBS_EMULATOR_SYNTAX_H
#define PBS_EMULATOR_SYNTAX_H

#include "Types.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pbs::runtime::emulator {

/// Predefined registers (PTX ISA, "Special Registers").
enum class SpecialRegister : uint8_t {
  TidX,
  TidY,
  TidZ,
  NtidX,
  NtidY,
  NtidZ,
  CtaidX,
  CtaidY,
  CtaidZ,
  NctaidX,
  NctaidY,
  NctaidZ,
  ClusterCtaidX,
  ClusterCtaidY,
  ClusterCtaidZ,
  ClusterNctaidX,
  ClusterNctaidY,
  ClusterNctaidZ,
  ClusteridX,
  ClusteridY,
  ClusteridZ,
  NclusteridX,
  NclusteridY,
  NclusteridZ,
  ClusterCtarank,
  ClusterNctarank,
  Laneid,
  Warpid,
  Nwarpid,
  Smid,
  Nsmid,
  Gridid,
  LanemaskEq,
  LanemaskLe,
  LanemaskLt,
  LanemaskGe,
  LanemaskGt,
  DynamicSmemSize,
  TotalSmemSize,
  /// From here on the value changes while a thread runs.
  Clock,
  ClockHigh,
  Clock64,
  Globaltimer,
  GlobaltimerHigh,
};

/// A variable in some state space, of a module or of one function. Kernel
/// parameters are in Space::Param; the parameters of device functions and the
/// `.param` variables around calls are thread-local memory.
struct Variable {
  std::string_view name;
  Space space = Space::Global;
  Type type = Type::None;
  uint32_t line = 0;
  uint64_t alignment = 1;
  uint64_t bytes = 0;
  uint64_t elementBytes = 0;
  /// Number of the function that declares it, or -1 for the module.
  int32_t owner = -1;
  /// `.extern .shared` without a size: where dynamic shared memory begins.
  bool dynamic = false;
  /// `.extern` of another module: cannot be linked here.
  bool external = false;

  /// One element of an initialiser: a value, or a variable's address.
  struct Element {
    uint64_t bits = 0;
    int32_t variable = -1;
    /// Of an address, the bits from here on.
    uint8_t shift = 0;
  };
  std::vector<Element> initializer;

  /// Where the variable is, once laid out: a byte offset inside its space, or
  /// a device address for Global and Const.
  uint64_t address = 0;
};

struct Operand {
  enum class Kind : uint8_t {
    /// "_", a result that nobody wants.
    Sink,
    /// Register number `index` of the function.
    Register,
    /// A SpecialRegister in `index`.
    Special,
    Integer,
    /// A literal whose `bits` are those of a double.
    Double,
    /// A literal whose `bits` are those of a float.
    Single,
    /// The address of variable `index`, plus `bits`.
    Variable,
    /// Label reference `index` of the function.
    Label,
    /// Function `index` of the module.
    Function,
    /// {a, b}: `elements`.
    Vector,
    /// [a + bits] or [a, {b, c}]: `elements`.
    Address,
    /// a|b: both in `elements`.
    Pair,
    /// (a, b) of a call: `elements`.
    List,
  };

  Kind kind = Kind::Sink;
  bool negated = false;
  /// The variable was written "name[2]"; all but mov take it for "[name+8]".
  bool isElement = false;
  uint32_t index = 0;
  uint64_t bits = 0;
  std::vector<Operand> elements;
};

struct Statement {
  uint32_t line = 0;
  /// Register number of the guard, or -1.
  int32_t guard = -1;
  bool guardNegated = false;
  /// "add.rn.f32", for messages.
  std::string_view text;
  /// "add" of "add.rn.f32".
  std::string_view name;
  /// "rn", "f32".
  std::vector<std::string_view> modifiers;
  std::vector<Operand> operands;
};

struct Function {
  std::string name;
  uint32_t line = 0;
  bool isKernel = false;
  bool hasBody = false;
  /// Number of the function that a call of this one calls, or -1.
  int32_t alias = -1;

  /// Formal parameters and results: variables, or registers.
  struct Formal {
    bool isRegister = false;
    uint32_t index = 0;
  };
  std::vector<Formal> parameters;
  std::vector<Formal> results;

  /// Types of the registers that occur.
  std::vector<Type> registers;
  std::vector<std::string_view> registerNames;
  /// Statement number per label.
  std::vector<uint32_t> labels;
  struct LabelReference {
    std::string_view name;
    uint32_t line = 0;
    uint32_t label = UINT32_MAX;
    /// The name is a `.branchtargets` list: `label` counts in branchTargets.
    bool isTargetList = false;
  };
  std::vector<LabelReference> labelReferences;
  /// Label references per `.branchtargets` list.
  std::vector<std::vector<uint32_t>> branchTargets;
  std::vector<Statement> body;

  /// `.reqntid`, `.maxntid` and `.reqnctapercluster`; 0 where absent.
  std::array<uint32_t, 3> requiredThreads = {0, 0, 0};
  std::array<uint32_t, 3> maximumThreads = {0, 0, 0};
  std::array<uint32_t, 3> requiredCluster = {0, 0, 0};
  /// `.maxnreg`; 0 where absent.
  uint32_t maximumRegisters = 0;
};

struct ModuleSyntax {
  std::vector<Variable> variables;
  std::vector<Function> functions;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_SYNTAX_H
