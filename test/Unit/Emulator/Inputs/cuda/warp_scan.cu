// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inclusive prefix sums: of each block with warp shuffles, and of a whole
// vector in one pass, where a block waits for the sum of the one before it.

#include <cuda/atomic>

__device__ unsigned scanWarp(unsigned value) {
  int lane = threadIdx.x % 32;
#pragma unroll
  for (int offset = 1; offset < 32; offset *= 2) {
    unsigned other = __shfl_up_sync(0xFFFFFFFF, value, offset);
    if (lane >= offset)
      value += other;
  }
  return value;
}

/// Blocks are of whole warps.
__device__ unsigned scanBlock(unsigned value) {
  __shared__ unsigned ofWarp[32];
  int lane = threadIdx.x % 32;
  int warp = threadIdx.x / 32;
  value = scanWarp(value);
  if (lane == 31)
    ofWarp[warp] = value;
  __syncthreads();
  if (warp == 0) {
    unsigned sum = lane < blockDim.x / 32 ? ofWarp[lane] : 0;
    sum = scanWarp(sum);
    __syncwarp();
    ofWarp[lane] = sum;
  }
  __syncthreads();
  return warp == 0 ? value : value + ofWarp[warp - 1];
}

extern "C" __global__ void scanBlocks(const unsigned *values, unsigned *sums,
                                      int count) {
  int index = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned sum = scanBlock(index < count ? values[index] : 0);
  if (index < count)
    sums[index] = sum;
}

/// *tickets and all of sumOf are zero at first. sumOf[i] is twice the sum of
/// the blocks up to ticket i, plus one once it is there.
extern "C" __global__ void scanInOnePass(const unsigned *values, unsigned *sums,
                                         unsigned *tickets,
                                         unsigned long long *sumOf, int count) {
  using Flag = cuda::atomic_ref<unsigned long long, cuda::thread_scope_device>;
  __shared__ unsigned ticket, before;
  if (threadIdx.x == 0)
    ticket = atomicAdd(tickets, 1);
  __syncthreads();
  int index = ticket * blockDim.x + threadIdx.x;
  unsigned sum = scanBlock(index < count ? values[index] : 0);
  if (threadIdx.x == blockDim.x - 1) {
    unsigned long long previous = 1;
    if (ticket != 0)
      while (!(
          (previous =
               Flag(sumOf[ticket - 1]).load(cuda::std::memory_order_acquire)) &
          1))
        __nanosleep(20);
    before = unsigned(previous >> 1);
    Flag(sumOf[ticket])
        .store((unsigned long long)(before + sum) << 1 | 1,
               cuda::std::memory_order_release);
  }
  __syncthreads();
  if (index < count)
    sums[index] = before + sum;
}
