// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix instructions of a warp (PTX ISA, "Warp Level Matrix Multiply-
// Accumulate Instructions").
//
// In all fragments a register of a lane holds two neighbours of a row of an
// 8x8 block: with g = lane / 4 and t = lane % 4 they are row g, columns 2t and
// 2t + 1. In the order of lanes a register is therefore the block, row by row.
// The blocks of A (m16k16) are top left, bottom left, top right, bottom right;
// those of B are transposed (column g, rows 2t and 2t + 1), upper then lower.

#include "../Checks/Checker.h"
#include "../InstructionTable.h"
#include "../MemoryAccess.h"

#include <cmath>
#include <cstring>
#include <tuple>
#include <type_traits>

#define PBS_THIS_FILE "Instructions/Matrix.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

namespace {
#include "Lanes.h"
#include "Numbers.h"

void checkWhole(uint32_t active) {
  if (active != fullMask)
    throw Fault{unsigned(__builtin_ctz(active)),
                "is executed by only some lanes of the warp",
                HazardKind::Divergence};
}

/// The rows of ldmatrix and stmatrix: lane 8i + j has the address of row j of
/// matrix i.
void resolveRows(Warp &warp, const Instruction &instruction, unsigned operand,
                 unsigned matrices, Access access, LanePointers &rows) {
  uint64_t addresses[warpSize];
  computeAddresses(warp, instruction.operands[operand], instruction.immediate,
                   instruction.flags & Instruction::FirstAddress64, addresses);
  uint32_t lanes = matrices == 4 ? fullMask : (1u << matrices * 8) - 1;
  translate(warp, addresses, instruction.space, lanes, 16, 16, access, rows);
  countBytes(warp, rows.space, access, matrices * 128);
  if (Checker *checker = warp.cta->checker)
    checker->access(warp, instruction, lanes, rows, 16, access);
}

template <bool isTransposed>
void loadMatrix(Warp &warp, const Instruction &instruction, uint32_t active) {
  checkWhole(active);
  unsigned matrices = instruction.vectorLength;
  LanePointers rows;
  resolveRows(warp, instruction, matrices, matrices, Access::Read, rows);
  // All rows are read before a register is written.
  uint16_t values[4][8][8];
  for (unsigned row = 0; row < matrices * 8; ++row)
    std::memcpy(values[row / 8][row % 8], rows.lane[row], 16);
  for (unsigned matrix = 0; matrix < matrices; ++matrix) {
    uint32_t *result = warp.lanes<uint32_t>(instruction.operands[matrix]);
    if (!isTransposed) {
      std::memcpy(result, values[matrix], 128);
      continue;
    }
    for (unsigned lane = 0; lane < warpSize; ++lane) {
      unsigned first = 2 * (lane % 4);
      result[lane] = uint32_t(values[matrix][first][lane / 4]) |
                     uint32_t(values[matrix][first + 1][lane / 4]) << 16;
    }
  }
}

template <bool isTransposed>
void storeMatrix(Warp &warp, const Instruction &instruction, uint32_t active) {
  checkWhole(active);
  unsigned matrices = instruction.vectorLength;
  LanePointers rows;
  resolveRows(warp, instruction, 0, matrices, Access::Write, rows);
  for (unsigned matrix = 0; matrix < matrices; ++matrix) {
    const uint32_t *source =
        warp.lanes<uint32_t>(instruction.operands[matrix + 1]);
    uint16_t values[8][8];
    for (unsigned lane = 0; lane < warpSize; ++lane)
      for (unsigned half = 0; half < 2; ++half) {
        unsigned pair = 2 * (lane % 4) + half;
        uint16_t value = uint16_t(source[lane] >> 16 * half);
        (isTransposed ? values[pair][lane / 4] : values[lane / 4][pair]) =
            value;
      }
    for (unsigned row = 0; row < 8; ++row)
      std::memcpy(rows.lane[8 * matrix + row], values[row], 16);
  }
}

/// A register's 8x8 block as floats, row by row.
template <typename T>
inline void unpackBlock(const uint32_t *lanes, float (&block)[64]) {
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    block[2 * lane] = toFloat(T{uint16_t(lanes[lane])});
    block[2 * lane + 1] = toFloat(T{uint16_t(lanes[lane] >> 16)});
  }
}

/// m16n8k8 and m16n8k16: d = a b + c. Products are exact, as both factors have
/// few bits; sums are rounded to f32 one after the other, from c on with rising
/// k. Hardware sums in an order of its own.
template <typename T, unsigned k, bool isHalfAccumulator>
void multiplyAccumulate(Warp &warp, const Instruction &instruction,
                        uint32_t active) {
  checkWhole(active);
  constexpr unsigned blocks = k / 8;
  constexpr unsigned accumulators = isHalfAccumulator ? 2 : 4;
  constexpr unsigned total = 2 * accumulators + 3 * blocks;
  const uint32_t *operands = instruction.operands;
  if constexpr (total > Instruction::inlineOperands)
    operands =
        warp.cta->launch->program->operandPool.data() + instruction.operands[0];
  const uint32_t *results = operands;
  const uint32_t *as = operands + accumulators;
  const uint32_t *bs = as + 2 * blocks;
  const uint32_t *cs = bs + blocks;

  alignas(64) float a[2 * blocks][64];
  alignas(64) float b[k][8];
  alignas(64) float c[2][8][8];
  for (unsigned block = 0; block < 2 * blocks; ++block)
    unpackBlock<T>(warp.lanes<uint32_t>(as[block]), a[block]);
  for (unsigned block = 0; block < blocks; ++block) {
    float transposed[64];
    unpackBlock<T>(warp.lanes<uint32_t>(bs[block]), transposed);
    for (unsigned row = 0; row < 8; ++row)
      for (unsigned column = 0; column < 8; ++column)
        b[8 * block + row][column] = transposed[8 * column + row];
  }
  for (unsigned half = 0; half < 2; ++half) {
    float *block = &c[half][0][0];
    if constexpr (isHalfAccumulator) {
      float values[64];
      unpackBlock<Half>(warp.lanes<uint32_t>(cs[half]), values);
      std::memcpy(block, values, sizeof(values));
    } else {
      const uint32_t *even = warp.lanes<uint32_t>(cs[2 * half]);
      const uint32_t *odd = warp.lanes<uint32_t>(cs[2 * half + 1]);
      for (unsigned lane = 0; lane < warpSize; ++lane) {
        block[2 * lane] = bitCast<float>(even[lane]);
        block[2 * lane + 1] = bitCast<float>(odd[lane]);
      }
    }
  }
  for (unsigned half = 0; half < 2; ++half)
    for (unsigned row = 0; row < 8; ++row) {
      float sums[8];
      std::memcpy(sums, c[half][row], sizeof(sums));
      for (unsigned step = 0; step < k; ++step) {
        float factor = a[step / 8 * 2 + half][8 * row + step % 8];
        for (unsigned column = 0; column < 8; ++column)
          sums[column] += factor * b[step][column];
      }
      std::memcpy(c[half][row], sums, sizeof(sums));
    }
  for (unsigned half = 0; half < 2; ++half) {
    const float *block = &c[half][0][0];
    if constexpr (isHalfAccumulator) {
      uint32_t *result = warp.lanes<uint32_t>(results[half]);
      for (unsigned lane = 0; lane < warpSize; ++lane)
        result[lane] = fromFloat<Half>(block[2 * lane]).bits |
                       uint32_t(fromFloat<Half>(block[2 * lane + 1]).bits)
                           << 16;
    } else {
      uint32_t *even = warp.lanes<uint32_t>(results[2 * half]);
      uint32_t *odd = warp.lanes<uint32_t>(results[2 * half + 1]);
      for (unsigned lane = 0; lane < warpSize; ++lane) {
        even[lane] = bitCast<uint32_t>(output<false>(block[2 * lane]));
        odd[lane] = bitCast<uint32_t>(output<false>(block[2 * lane + 1]));
      }
    }
  }
  warp.cta->statistics->matrixFlops += 2 * 16 * 8 * k;
}

unsigned matrixCount(const Opcode &opcode) {
  return opcode.has("x1") ? 1 : opcode.has("x2") ? 2 : opcode.has("x4") ? 4 : 0;
}

bool isMatrixOfHalves(const Opcode &opcode, const Instruction &instruction) {
  return opcode.has("m8n8") && opcode.types[0] == Type::B16 &&
         matrixCount(opcode) == instruction.vectorLength;
}

template <typename T, unsigned k>
Handler selectAccumulator(const Opcode &opcode, unsigned operandCount) {
  bool isSingle = opcode.types[0] == Type::F32 && opcode.types[3] == Type::F32;
  bool isHalf = opcode.types[0] == Type::F16 && opcode.types[3] == Type::F16 &&
                std::is_same_v<T, Half>;
  if (isSingle && operandCount == 8 + 3 * k / 8)
    return multiplyAccumulate<T, k, false>;
  if (isHalf && operandCount == 4 + 3 * k / 8)
    return multiplyAccumulate<T, k, true>;
  return nullptr;
}

template <typename T>
Handler selectShape(const Opcode &opcode, unsigned operandCount) {
  if (opcode.has("m16n8k16"))
    return selectAccumulator<T, 16>(opcode, operandCount);
  if (opcode.has("m16n8k8"))
    return selectAccumulator<T, 8>(opcode, operandCount);
  return nullptr;
}

} // namespace

Handler selectLoadMatrix(const Opcode &opcode, Instruction &instruction) {
  if (!isMatrixOfHalves(opcode, instruction))
    return nullptr;
  return opcode.has("trans") ? loadMatrix<true> : loadMatrix<false>;
}

Handler selectStoreMatrix(const Opcode &opcode, Instruction &instruction) {
  if (!isMatrixOfHalves(opcode, instruction))
    return nullptr;
  return opcode.has("trans") ? storeMatrix<true> : storeMatrix<false>;
}

Handler selectMma(const Opcode &opcode, Instruction &instruction) {
  if (!opcode.has("row") || !opcode.has("col") || opcode.typeCount != 4 ||
      opcode.types[1] != opcode.types[2])
    return nullptr;
  // Each vector has its own length; only the right ones fit the shape.
  unsigned k = opcode.has("m16n8k16") ? 2 : 1;
  unsigned accumulators = opcode.types[0] == Type::F32 ? 4 : 2;
  const std::array<uint8_t, 4> expected = {
      uint8_t(accumulators), uint8_t(2 * k), uint8_t(k), uint8_t(accumulators)};
  if (opcode.vectorLengths != expected)
    return nullptr;
  unsigned count = 2 * accumulators + 3 * k;
  if (opcode.types[1] == Type::BF16)
    return selectShape<BFloat>(opcode, count);
  return opcode.types[1] == Type::F16 ? selectShape<Half>(opcode, count)
                                      : nullptr;
}

PBS_END_TARGET
