// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// C = A B in single precision, in tiles of shared memory.

constexpr int tile = 16;

extern "C" __global__ void tiledProduct(const float *a, const float *b,
                                        float *c, int m, int n, int k) {
  __shared__ float left[tile][tile + 1];
  __shared__ float right[tile][tile];
  int row = blockIdx.y * tile + threadIdx.y;
  int column = blockIdx.x * tile + threadIdx.x;
  float sum = 0;
  for (int start = 0; start < k; start += tile) {
    int of = start + threadIdx.x;
    left[threadIdx.y][threadIdx.x] = row < m && of < k ? a[row * k + of] : 0;
    of = start + threadIdx.y;
    right[threadIdx.y][threadIdx.x] =
        column < n && of < k ? b[of * n + column] : 0;
    __syncthreads();
#pragma unroll
    for (int index = 0; index < tile; ++index)
      sum += left[threadIdx.y][index] * right[index][threadIdx.x];
    __syncthreads();
  }
  if (row < m && column < n)
    c[row * n + column] = sum;
}
