// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How often each byte occurs: counted by atomics in shared memory, then added
// to the counts in global memory; and by one atomic for all lanes of a warp
// that have the same value.

extern "C" __global__ void histogram(const unsigned char *values,
                                     unsigned *counts, int count) {
  __shared__ unsigned ofBlock[256];
  for (int value = threadIdx.x; value < 256; value += blockDim.x)
    ofBlock[value] = 0;
  __syncthreads();
  for (int index = blockIdx.x * blockDim.x + threadIdx.x; index < count;
       index += gridDim.x * blockDim.x)
    atomicAdd(&ofBlock[values[index]], 1);
  __syncthreads();
  for (int value = threadIdx.x; value < 256; value += blockDim.x)
    if (unsigned number = ofBlock[value])
      atomicAdd(&counts[value], number);
}

extern "C" __global__ void histogramByMatches(const unsigned char *values,
                                              unsigned *counts, int count) {
  int index = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned inside = __ballot_sync(0xFFFFFFFF, index < count);
  if (index >= count)
    return;
  unsigned value = values[index];
  unsigned same = __match_any_sync(inside, value);
  if (__ffs(same) - 1 == threadIdx.x % 32)
    atomicAdd(&counts[value], __popc(same));
}

/// What other atomics are for, in one go.
struct Extremes {
  int minimum;
  unsigned maximum;
  unsigned bits;
  unsigned parity;
  unsigned long long sum;
  float floatSum;
  float longest;
};

extern "C" __global__ void extremes(const int *values, Extremes *extremes,
                                    int count) {
  int index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count)
    return;
  int value = values[index];
  atomicMin(&extremes->minimum, value);
  atomicMax(&extremes->maximum, unsigned(value));
  atomicOr(&extremes->bits, unsigned(value));
  atomicXor(&extremes->parity, unsigned(value));
  atomicAdd(&extremes->sum, (unsigned long long)(value));
  atomicAdd(&extremes->floatSum, float(value & 1));
  // Floats have no atomic maximum: compare and swap until nobody came between.
  float length = fabsf(float(value));
  int *bits = reinterpret_cast<int *>(&extremes->longest);
  int known = atomicAdd(bits, 0);
  while (__int_as_float(known) < length) {
    int assumed = known;
    known = atomicCAS(bits, assumed, __float_as_int(length));
    if (known == assumed)
      break;
  }
}
