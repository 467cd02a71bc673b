// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products of a warpgroup, four warps whose first has a number that four
// divides (PTX ISA, "Asynchronous Warpgroup Level Matrix Multiply-Accumulate
// Instructions").
//
// Each warp computes 16 rows of the 64, when the product is issued or, by
// default, when a warp of the group waits for it. The wait of any warp demands
// the shares of all four, as the product is one operation of the group: after
// it, shared memory may be overwritten. It therefore waits until all four have
// issued the product.
//
// An accumulator of N columns is one block of 16x8 after the other; for each,
// rows 0 to 7 and then 8 to 15. With g = lane / 4 and t = lane % 4 a lane has
// row g, columns 2t and 2t + 1: two registers of f32 or one of f16 pairs. A in
// registers is as in Matrix.cpp.

#include "../Checks/Checker.h"
#include "../InstructionTable.h"
#include "../MatrixDescriptor.h"
#include "../MemoryAccess.h"
#include "../ProductForm.h"
#include "../Profiler.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>
#include <type_traits>

#define PBS_THIS_FILE "Instructions/Warpgroup.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

namespace {
#include "Lanes.h"
#include "Numbers.h"

constexpr unsigned maximumColumns = 256;
constexpr size_t maximumPending = 1 << 16;

/// The operands: accumulators, A, B, scale-d.
struct Operands {
  explicit Operands(const Warp &warp, const Instruction &instruction)
      : accumulators(warp.cta->launch->program->operandPool.data() +
                     instruction.operands[0]) {
    a = accumulators + accumulatorsOf(instruction);
    b = a + std::max(inputsOf(instruction), 1u);
  }
  const uint32_t *accumulators;
  const uint32_t *a;
  const uint32_t *b;
};

/// 16 rows of A.
struct RowsOfA {
  float values[16][16];
};

/// B in blocks of eight columns, of which the even ones come first: so a row of
/// a block is as a row of the accumulator lies in a pair of registers.
struct Columns {
  alignas(64) float values[maximumColumns / 8][16][8];
};

constexpr unsigned place(unsigned column) {
  return column / 2 + column % 2 * 4;
}

template <typename T>
void convert(const uint16_t *source, float *result, size_t count,
             uint16_t signs) {
#pragma clang loop vectorize(assume_safety)
  for (size_t index = 0; index < count; ++index)
    result[index] = toFloat(T{uint16_t(source[index] ^ signs)});
}

void convertInputs(const Instruction &instruction, const uint16_t *source,
                   float *result, size_t count, uint16_t signs) {
  if (instruction.immediate & BFloatInputs)
    convert<BFloat>(source, result, count, signs);
  else
    convert<Half>(source, result, count, signs);
}

void loadColumns(const Cta &cta, const PendingProduct &product,
                 Columns &columns) {
  bool isTransposed = product.instruction->immediate & TransposedB;
  MatrixDescriptor descriptor(product.b, isTransposed);
  unsigned blocks = columnsOf(*product.instruction) / 8;
  uint16_t values[maximumColumns / 8][16][8];
  uint16_t chunk[8];
  for (unsigned block = 0; block < blocks; ++block) {
    // Sixteen chunks: rows of eight columns, or columns of eight rows twice.
    for (unsigned index = 0; index < 16; ++index) {
      uint32_t address =
          isTransposed ? descriptor.address(index, block)
                       : descriptor.address(8 * block + index % 8, index / 8);
      std::memcpy(chunk, cta.shared + address, sizeof(chunk));
      for (unsigned element = 0; element < 8; ++element)
        if (isTransposed)
          values[block][index][place(element)] = chunk[element];
        else
          values[block][index / 8 * 8 + element][place(index % 8)] =
              chunk[element];
    }
  }
  convertInputs(*product.instruction, &values[0][0][0],
                &columns.values[0][0][0], size_t(blocks) * 128, 0);
}

void loadRows(const Warp &warp, const PendingProduct &product,
              const Operands &operands, RowsOfA &rows) {
  const Instruction &instruction = *product.instruction;
  uint16_t values[16][16];
  if (instruction.immediate & RegisterA) {
    for (unsigned block = 0; block < 4; ++block) {
      const uint32_t *lanes = warp.lanes<uint32_t>(operands.a[block]);
      for (unsigned row = 0; row < 8; ++row)
        std::memcpy(&values[block % 2 * 8 + row][block / 2 * 8],
                    lanes + 4 * row, 16);
    }
  } else {
    bool isTransposed = instruction.immediate & TransposedA;
    MatrixDescriptor descriptor(product.a, isTransposed);
    unsigned first = warp.index % groupWarps * 16;
    const uint8_t *shared = warp.cta->shared;
    uint16_t chunk[8];
    for (unsigned row = 0; row < 16; ++row)
      for (unsigned half = 0; half < 2; ++half) {
        if (!isTransposed) {
          std::memcpy(&values[row][8 * half],
                      shared + descriptor.address(first + row, half), 16);
          continue;
        }
        std::memcpy(chunk, shared + descriptor.address(row, first / 8 + half),
                    16);
        for (unsigned element = 0; element < 8; ++element)
          values[8 * half + element][row] = chunk[element];
      }
  }
  convertInputs(instruction, &values[0][0], &rows.values[0][0], 256,
                instruction.immediate & Negated ? 0x8000 : 0);
}

typedef float Floats __attribute__((vector_size(32)));
typedef int32_t Integers __attribute__((vector_size(32)));

/// Eight rows by eight columns. \p even and \p odd are the accumulator's even
/// and odd columns in the order of lanes. Products are exact; sums are rounded
/// to f32 one after the other with rising k.
inline void multiplyBlock(const float (*a)[16], const float (*b)[8],
                          float *even, float *odd, bool accumulates) {
  Floats sums[8] = {};
  if (accumulates)
    for (unsigned row = 0; row < 8; ++row) {
      std::memcpy(&sums[row], even + 4 * row, 16);
      std::memcpy(reinterpret_cast<char *>(&sums[row]) + 16, odd + 4 * row, 16);
    }
  for (unsigned k = 0; k < 16; ++k) {
    Floats columns;
    std::memcpy(&columns, b[k], sizeof(columns));
    for (unsigned row = 0; row < 8; ++row)
      sums[row] += a[row][k] * columns;
  }
  for (unsigned row = 0; row < 8; ++row) {
    Integers bits;
    std::memcpy(&bits, &sums[row], sizeof(bits));
    Integers isNan = (bits & INT32_MAX) > 0x7F800000;
    bits = (isNan & int32_t(canonicalNan)) | (~isNan & bits);
    std::memcpy(even + 4 * row, &bits, 16);
    std::memcpy(odd + 4 * row, reinterpret_cast<char *>(&bits) + 16, 16);
  }
}

/// The same with an accumulator of f16 pairs, which is rounded once.
inline void multiplyHalfBlock(const float (*a)[16], const float (*b)[8],
                              uint32_t *pairs, bool accumulates) {
  alignas(32) float even[warpSize], odd[warpSize];
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    even[lane] = toFloat(Half{uint16_t(pairs[lane])});
    odd[lane] = toFloat(Half{uint16_t(pairs[lane] >> 16)});
  }
  multiplyBlock(a, b, even, odd, accumulates);
  for (unsigned lane = 0; lane < warpSize; ++lane)
    pairs[lane] = fromFloat<Half>(even[lane]).bits |
                  uint32_t(fromFloat<Half>(odd[lane]).bits) << 16;
}

/// A warp's share of a product.
void multiply(Warp &warp, PendingProduct &product, const Columns &columns) {
  const Instruction &instruction = *product.instruction;
  Operands operands(warp, instruction);
  RowsOfA rows;
  loadRows(warp, product, operands, rows);
  const uint32_t *accumulator = operands.accumulators;
  for (unsigned block = 0; block < columnsOf(instruction) / 8; ++block)
    for (unsigned half = 0; half < 2; ++half) {
      const float (*a)[16] = rows.values + 8 * half;
      const float (*b)[8] = columns.values[block];
      if (instruction.immediate & HalfAccumulator) {
        multiplyHalfBlock(a, b, warp.lanes<uint32_t>(accumulator[0]),
                          product.accumulates);
        accumulator += 1;
      } else {
        multiplyBlock(a, b, warp.lanes<float>(accumulator[0]),
                      warp.lanes<float>(accumulator[1]), product.accumulates);
        accumulator += 2;
      }
    }
  product.isDone = true;
}

/// .sync.aligned: all lanes, of a warp whose warpgroup is complete.
void checkWarpgroup(const Warp &warp, uint32_t active) {
  if (active != fullMask)
    throw Fault{unsigned(__builtin_ctz(active)),
                "is executed by only some lanes of the warp",
                HazardKind::Divergence};
  uint32_t threads = warp.cta->threads;
  if ((warp.index / groupWarps + 1) * groupWarps * warpSize > threads)
    throw Fault{0,
                "is executed by an incomplete warpgroup: the CTA has " +
                    std::to_string(threads) + " threads",
                HazardKind::Divergence};
}

Warp *firstOfGroup(const Warp &warp) {
  return &warp.cta->warps[warp.index / groupWarps * groupWarps];
}

/// How many products all warps of the group have issued.
uint64_t issuedByAll(const Warp *group) {
  uint64_t issued = group[0].products.issued;
  for (unsigned index = 1; index < groupWarps; ++index)
    issued = std::min(issued, group[index].products.issued);
  return issued;
}

/// Computes all shares of the products before number \p end, which all warps
/// have issued.
void complete(Warp *group, uint64_t end) {
  const ProductQueue &first = group[0].products;
  uint64_t completed = first.issued - first.pending.size();
  if (end <= completed)
    return;
  Columns columns;
  for (size_t number = 0; number < end - completed; ++number) {
    bool isLoaded = false;
    for (unsigned index = 0; index < groupWarps; ++index) {
      PendingProduct &product = group[index].products.pending[number];
      if (product.isDone)
        continue;
      if (!isLoaded)
        loadColumns(*group->cta, product, columns);
      isLoaded = true;
      multiply(group[index], product, columns);
    }
  }
  for (unsigned index = 0; index < groupWarps; ++index) {
    auto &pending = group[index].products.pending;
    pending.erase(pending.begin(),
                  pending.begin() + ptrdiff_t(end - completed));
  }
}

/// Lets the warps go on whose wait needs no product that is not issued yet.
void releaseWaiting(Warp *group) {
  uint64_t issued = issuedByAll(group);
  for (unsigned index = 0; index < groupWarps; ++index) {
    Warp &warp = group[index];
    if (!warp.products.isWaiting || warp.products.demanded > issued)
      continue;
    complete(group, warp.products.demanded);
    warp.products.isWaiting = false;
    if (Checker *checker = warp.cta->checker)
      checker->waitProducts(warp);
    if (warp.cta->profiler)
      warp.cta->profiler->releaseProducts(warp);
    for (Path &path : warp.paths)
      if (path.state == Path::State::AtWarpgroup)
        path.state = Path::State::Runnable;
    warp.resume();
  }
}

/// The value of a 64-bit operand, which is the same in all lanes.
uint64_t uniformValue(const Warp &warp, uint32_t operand, const char *name) {
  const uint64_t *values = warp.lanes<uint64_t>(operand);
  for (unsigned lane = 1; lane < warpSize; ++lane)
    if (values[lane] != values[0])
      throw Fault{lane,
                  std::string("has another descriptor of matrix ") + name +
                      " than lane 0",
                  HazardKind::Divergence};
  return values[0];
}

/// The warps of a group issue the same products in the same order.
void checkAgreement(const Warp &warp, const PendingProduct &product) {
  const Warp *group = firstOfGroup(warp);
  uint64_t number = warp.products.issued;
  for (unsigned index = 0; index < groupWarps; ++index) {
    const ProductQueue &other = group[index].products;
    if (other.issued <= number)
      continue;
    // It is pending, as this warp's share is.
    const PendingProduct &same =
        other.pending[number + other.pending.size() - other.issued];
    std::string name = "warp " + std::to_string(group[index].index);
    if (same.instruction != product.instruction)
      throw Fault{0,
                  "is not what " + name +
                      " of the warpgroup executes, which is in line " +
                      std::to_string(same.instruction->line),
                  HazardKind::Divergence};
    if (same.a != product.a || same.b != product.b)
      throw Fault{0,
                  std::string("has another descriptor of matrix ") +
                      (same.a != product.a ? "A" : "B") + " than " + name +
                      " of the warpgroup",
                  HazardKind::Divergence};
    if (same.accumulates != product.accumulates)
      throw Fault{0, "has another scale-d than " + name + " of the warpgroup",
                  HazardKind::Divergence};
  }
}

void issueProduct(Warp &warp, const Instruction &instruction, uint32_t active) {
  checkWarpgroup(warp, active);
  Cta &cta = *warp.cta;
  Operands operands(warp, instruction);
  unsigned columns = columnsOf(instruction);
  PendingProduct product;
  product.instruction = &instruction;
  if (!(instruction.immediate & RegisterA)) {
    product.a = uniformValue(warp, operands.a[0], "A");
    MatrixDescriptor(product.a, instruction.immediate & TransposedA)
        .check("A", 64, cta.sharedBytes);
    countBytes(warp, Space::Shared, Access::Read, 16 * 16 * 2);
  }
  product.b = uniformValue(warp, operands.b[0], "B");
  MatrixDescriptor(product.b, instruction.immediate & TransposedB)
      .check("B", columns, cta.sharedBytes);
  uint32_t scale = warp.predicate(operands.b[1]);
  if (instruction.flags & Instruction::SourceNegated)
    scale = ~scale;
  if (scale != 0 && scale != fullMask)
    throw Fault{unsigned(__builtin_ctz(scale & 1 ? ~scale : scale)),
                "has another scale-d than lane 0", HazardKind::Divergence};
  product.accumulates = scale != 0;
  checkAgreement(warp, product);
  if (Checker *checker = cta.checker)
    checker->issueProduct(warp, instruction, product.a, product.b);
  // A quarter of what the warpgroup reads of B and computes.
  countBytes(warp, Space::Shared, Access::Read, columns * 16 * 2 / groupWarps);
  cta.statistics->matrixFlops += uint64_t(2) * 16 * columns * 16;
  if (cta.profiler)
    cta.profiler->countGroupProduct(
        warp, uint64_t(2) * 16 * columns * 16,
        columns * 16 * 2 / groupWarps +
            (instruction.immediate & RegisterA ? 0 : 16 * 16 * 2));
  if (cta.launch->asyncCopies == EmulatorOptions::AsyncCopies::Early) {
    Columns values;
    loadColumns(cta, product, values);
    multiply(warp, product, values);
  }
  warp.products.pending.push_back(product);
  ++warp.products.issued;
  Warp *group = firstOfGroup(warp);
  releaseWaiting(group);
  // A loop that never waits needs no memory without bounds.
  if (warp.products.pending.size() > maximumPending)
    complete(group, issuedByAll(group));
}

void commitProducts(Warp &warp, const Instruction &, uint32_t active) {
  checkWarpgroup(warp, active);
  warp.products.groups.push_back(warp.products.issued);
}

void waitProducts(Warp &warp, const Instruction &instruction, uint32_t active) {
  checkWarpgroup(warp, active);
  ProductQueue &products = warp.products;
  uint32_t allowed = instruction.operands[0];
  if (products.groups.size() > allowed) {
    size_t due = products.groups.size() - allowed;
    products.demanded = products.groups[due - 1];
    products.groups.erase(products.groups.begin(),
                          products.groups.begin() + ptrdiff_t(due));
  }
  Warp *group = firstOfGroup(warp);
  if (Profiler *profiler = warp.cta->profiler)
    profiler->waitForProducts(warp, products.demanded > issuedByAll(group));
  if (products.demanded <= issuedByAll(group)) {
    complete(group, products.demanded);
    if (Checker *checker = warp.cta->checker)
      checker->waitProducts(warp);
    return;
  }
  products.isWaiting = true;
  warp.block(Path::State::AtWarpgroup);
}

/// wgmma.fence has nothing to do here.
void fenceProducts(Warp &warp, const Instruction &, uint32_t active) {
  checkWarpgroup(warp, active);
  if (Checker *checker = warp.cta->checker)
    checker->registerChecks().fence(warp);
}

/// setmaxnreg moves registers between warpgroups, of which there are always
/// enough here.
void setRegisterCount(Warp &warp, const Instruction &instruction,
                      uint32_t active) {
  checkWarpgroup(warp, active);
  if (Checker *checker = warp.cta->checker)
    checker->registerChecks().setCount(warp, instruction.operands[0]);
}

/// N of the one modifier m64nNk16, 0 if there is not exactly one.
unsigned columnsOf(const Opcode &opcode) {
  unsigned columns = 0;
  unsigned count = 0;
  for (std::string_view modifier : opcode.modifiers) {
    if (modifier.substr(0, 4) != "m64n")
      continue;
    ++count;
    columns = 0;
    for (char c : modifier.substr(4, modifier.size() - 7))
      columns = columns * 10 + unsigned(c - '0');
  }
  return count == 1 ? columns : 0;
}

bool isSign(uint32_t value) { return value == 1 || value == UINT32_MAX; }

} // namespace

Handler selectWarpgroupMma(const Opcode &opcode, Instruction &instruction) {
  unsigned columns = columnsOf(opcode);
  bool isHalf = opcode.types[0] == Type::F16;
  Type inputs = opcode.types[1];
  if (columns == 0 || opcode.typeCount != 3 || opcode.types[2] != inputs ||
      opcode.space != Space::Generic ||
      (inputs != Type::F16 && inputs != Type::BF16) ||
      !(opcode.types[0] == Type::F32 || (isHalf && inputs == Type::F16)))
    return nullptr;
  unsigned accumulators = columns / (isHalf ? 4 : 2);
  unsigned registersOfA = opcode.vectorLengths[1];
  if (opcode.vectorLengths[0] != accumulators ||
      (registersOfA != 0 && registersOfA != 4))
    return nullptr;
  // An accumulator is read as well, so none is "_", the slot of all sinks.
  if (std::find(opcode.operands, opcode.operands + accumulators, 0u) !=
      opcode.operands + accumulators)
    return nullptr;
  // Signs of A and B, then whether A, if it is in memory, and B are transposed.
  const uint32_t *constants =
      opcode.operands + accumulators + (registersOfA ? 4 : 1) + 2;
  uint32_t transposedA = registersOfA ? 0 : constants[2];
  uint32_t transposedB = registersOfA ? constants[2] : constants[3];
  if (!isSign(constants[0]) || !isSign(constants[1]) || transposedA > 1 ||
      transposedB > 1 || (registersOfA != 0 && constants[3] != noOperand))
    return nullptr;
  instruction.immediate =
      columns | (inputs == Type::BF16 ? BFloatInputs : 0) |
      (isHalf ? HalfAccumulator : 0) | (registersOfA ? RegisterA : 0) |
      (transposedA ? TransposedA : 0) | (transposedB ? TransposedB : 0) |
      (constants[0] != constants[1] ? Negated : 0);
  return issueProduct;
}

Handler selectWarpgroupFence(const Opcode &, Instruction &) {
  return fenceProducts;
}
Handler selectWarpgroupCommit(const Opcode &, Instruction &) {
  return commitProducts;
}
Handler selectWarpgroupWait(const Opcode &, Instruction &) {
  return waitProducts;
}

Handler selectRegisterCount(const Opcode &opcode, Instruction &instruction) {
  uint32_t count = instruction.operands[0];
  if (opcode.types[0] != Type::U32 || count < 24 || count > 256 ||
      count % 8 != 0)
    return nullptr;
  return setRegisterCount;
}

PBS_END_TARGET
