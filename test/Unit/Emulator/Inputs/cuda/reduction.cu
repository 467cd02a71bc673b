// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums and maxima of a vector: each warp by shuffles, each block through shared
// memory, then either a second launch or the block that ends last.

__device__ long long combine(long long a, long long b) { return a + b; }
__device__ float combine(float a, float b) { return fmaxf(a, b); }

/// The combined value of all threads, in thread 0.
template <typename T> __device__ T reduceBlock(T value, T neutral) {
  __shared__ T ofWarp[32];
  for (int offset = 16; offset != 0; offset /= 2)
    value = combine(value, __shfl_down_sync(0xFFFFFFFF, value, offset));
  int warps = (blockDim.x + 31) / 32;
  if (threadIdx.x % 32 == 0)
    ofWarp[threadIdx.x / 32] = value;
  __syncthreads();
  if (threadIdx.x >= 32)
    return neutral;
  value = threadIdx.x < warps ? ofWarp[threadIdx.x] : neutral;
  for (int offset = 16; offset != 0; offset /= 2)
    value = combine(value, __shfl_down_sync(0xFFFFFFFF, value, offset));
  return value;
}

template <typename T>
__device__ T ofStride(const T *values, int count, T neutral) {
  T value = neutral;
  for (int index = blockIdx.x * blockDim.x + threadIdx.x; index < count;
       index += gridDim.x * blockDim.x)
    value = combine(value, values[index]);
  return value;
}

/// One value per block; launched again with one block for the rest.
extern "C" __global__ void sumPerBlock(const long long *values, long long *sums,
                                       int count) {
  long long sum = reduceBlock(ofStride(values, count, 0ll), 0ll);
  if (threadIdx.x == 0)
    sums[blockIdx.x] = sum;
}

/// The block whose increment of *done is the last one reads what all have
/// written, and sets *done back for the next launch.
extern "C" __global__ void maximumInLastBlock(const float *values,
                                              float *ofBlock, float *maximum,
                                              unsigned *done, int count) {
  __shared__ bool isLast;
  float lowest = __int_as_float(0xFF800000);
  float value = reduceBlock(ofStride(values, count, lowest), lowest);
  if (threadIdx.x == 0) {
    ofBlock[blockIdx.x] = value;
    __threadfence();
    isLast = atomicInc(done, gridDim.x - 1) == gridDim.x - 1;
    __threadfence();
  }
  __syncthreads();
  if (!isLast)
    return;
  value = lowest;
  for (int block = threadIdx.x; block < gridDim.x; block += blockDim.x)
    value = fmaxf(value, ofBlock[block]);
  value = reduceBlock(value, lowest);
  if (threadIdx.x == 0)
    *maximum = value;
}
