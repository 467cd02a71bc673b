// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An interpreter of a stack machine, one program per thread: a stack in local
// memory, a switch of many cases, and functions that are really called.

#include <cstdint>

struct Fraction {
  int64_t numerator;
  int64_t denominator;
};

enum Operation : uint8_t {
  PushSmall,
  Add,
  Subtract,
  Multiply,
  DivideOrZero,
  RemainderOrZero,
  Swap,
  Duplicate,
  CountBits,
  Reverse,
  ReduceFraction,
  MultiplyHigh,
  Table,
  Dispatch,
  Sort4,
  Halt
};

constexpr int stackSize = 16;

__constant__ int64_t primes[8] = {2, 3, 5, 7, 11, 13, 17, 19};
__device__ const char *const names[2] = {"even", "odd"};
__device__ unsigned haltCount;

__device__ __noinline__ int64_t greatestCommonDivisor(int64_t a, int64_t b) {
  while (b != 0) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a < 0 ? -a : a;
}

__device__ __noinline__ Fraction reduce(Fraction fraction) {
  int64_t divisor =
      greatestCommonDivisor(fraction.numerator, fraction.denominator);
  if (divisor == 0)
    return {0, 0};
  return {fraction.numerator / divisor, fraction.denominator / divisor};
}

__device__ __noinline__ void sortDescending(int64_t *values, int count) {
  for (int end = 1; end < count; ++end) {
    int64_t value = values[end];
    int place = end;
    for (; place > 0 && values[place - 1] < value; --place)
      values[place] = values[place - 1];
    values[place] = value;
  }
}

/// 3, 1, 4 or -1. nvcc makes comparisons of a switch, so this jumps by hand.
__device__ int dispatch(unsigned index) {
  int result;
  asm("{\n"
      "  .reg .u32 index;\n"
      "  min.u32 index, %1, 3;\n"
      "  targets: .branchtargets zero, one, two, other;\n"
      "  brx.idx index, targets;\n"
      "  zero: mov.s32 %0, 3; bra.uni done;\n"
      "  one: mov.s32 %0, 1; bra.uni done;\n"
      "  two: mov.s32 %0, 4; bra.uni done;\n"
      "  other: mov.s32 %0, -1;\n"
      "  done:\n"
      "}"
      : "=r"(result)
      : "r"(index));
  return result;
}

/// Writes what is on top of the stack at the end, and how high it is.
extern "C" __global__ void interpret(const uint8_t *programs, int length,
                                     int64_t *results, int *heights,
                                     char *letters, int count) {
  int thread = blockIdx.x * blockDim.x + threadIdx.x;
  if (thread >= count)
    return;
  const uint8_t *program = programs + size_t(thread) * length;
  int64_t stack[stackSize];
  int height = 4;
  for (int index = 0; index < height; ++index)
    stack[index] = thread + index;
  bool isDone = false;
  for (int at = 0; at < length && !isDone; ++at) {
    uint8_t operation = program[at];
    // All need room above the stack or two elements on it.
    if (height < 4)
      stack[height++] = at;
    if (height == stackSize)
      height -= 8;
    int64_t &top = stack[height - 1];
    int64_t &below = stack[height - 2];
    switch (operation) {
    case PushSmall:
      stack[height++] = int64_t(at) * 1000003 - 77;
      break;
    case Add:
      below = int64_t(uint64_t(below) + uint64_t(top));
      --height;
      break;
    case Subtract:
      below = int64_t(uint64_t(below) - uint64_t(top));
      --height;
      break;
    case Multiply:
      below = int64_t(uint64_t(below) * uint64_t(top));
      --height;
      break;
    case DivideOrZero:
      below = top == 0 || top == -1 ? 0 : below / top;
      --height;
      break;
    case RemainderOrZero:
      below = top == 0 || top == -1 ? 0 : below % top;
      --height;
      break;
    case Swap: {
      int64_t value = top;
      top = below;
      below = value;
      break;
    }
    case Duplicate:
      stack[height++] = top;
      break;
    case CountBits:
      top = __popcll(top) * 64 + __clzll(top) + __ffsll(top);
      break;
    case Reverse:
      top = int64_t(__brevll(top));
      break;
    case ReduceFraction: {
      // Below 2^62, so that nothing overflows.
      Fraction fraction = reduce({below >> 2, top >> 2});
      below = fraction.numerator;
      top = fraction.denominator;
      break;
    }
    case MultiplyHigh: {
      unsigned __int128 product =
          (unsigned __int128)(uint64_t(below)) * uint64_t(top) +
          (unsigned __int128)(uint64_t(top)) * uint64_t(at);
      below = int64_t(product >> 64);
      top = int64_t(uint64_t(product));
      break;
    }
    case Table:
      top = primes[top & 7];
      break;
    case Dispatch:
      top += dispatch(unsigned(top));
      break;
    case Sort4:
      sortDescending(stack + height - 4, 4);
      break;
    case Halt:
      isDone = true;
      atomicAdd(&haltCount, 1);
      break;
    default:
      top = ~top;
      break;
    }
  }
  results[thread] = stack[height - 1];
  heights[thread] = height;
  letters[thread] = names[stack[height - 1] & 1][0];
}

extern "C" __global__ void readHaltCount(unsigned *count) {
  *count = haltCount;
}
