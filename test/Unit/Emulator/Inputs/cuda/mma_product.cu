// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// C = A B^T of bf16 in f32: tiles of 64 by 64 come by cp.async into a ring of
// two stages, and four warps multiply 32 by 32 each with mma.sync. Rows of A
// and B begin at multiples of 16 bytes.

#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_pipeline.h>

constexpr int tileRows = 64;
constexpr int tileDepth = 32;
/// Rows of 80 bytes: ldmatrix meets no bank twice.
constexpr int rowElements = tileDepth + 8;

using Tile = __nv_bfloat16[tileRows][rowElements];

/// Copies a tile's 16-byte pieces, two per thread, with zeros outside.
__device__ void copyTile(Tile &tile, const __nv_bfloat16 *matrix, int rows,
                         int depth, int pitch, int row, int start) {
  for (int piece = threadIdx.x; piece < tileRows * tileDepth / 8;
       piece += blockDim.x) {
    int y = piece / (tileDepth / 8);
    int x = piece % (tileDepth / 8) * 8;
    int valid = row + y < rows ? min(max(depth - start - x, 0), 8) : 0;
    const __nv_bfloat16 *source =
        valid ? matrix + size_t(row + y) * pitch + start + x : matrix;
    __pipeline_memcpy_async(&tile[y][x], source, 16, 16 - 2 * valid);
  }
}

/// Four 8 by 8 matrices; each lane names a row of one.
__device__ void loadMatrices(uint32_t (&registers)[4],
                             const __nv_bfloat16 *row) {
  uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, "
               "[%4];"
               : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]),
                 "=r"(registers[3])
               : "r"(address)
               : "memory");
}

__device__ void multiply(float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                         uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

extern "C" __global__ void __launch_bounds__(128)
    mmaProduct(const __nv_bfloat16 *a, const __nv_bfloat16 *b, float *c, int m,
               int n, int k, int pitchOfA, int pitchOfB) {
  __shared__ alignas(16) Tile left[2];
  __shared__ alignas(16) Tile right[2];
  int row = blockIdx.y * tileRows;
  int column = blockIdx.x * tileRows;
  int lane = threadIdx.x % 32;
  int warpRow = threadIdx.x / 64 * 32;
  int warpColumn = threadIdx.x / 32 % 2 * 32;
  float sums[2][4][4] = {};

  auto copy = [&](int stage, int start) {
    if (start < k) {
      copyTile(left[stage], a, m, k, pitchOfA, row, start);
      copyTile(right[stage], b, n, k, pitchOfB, column, start);
    }
    __pipeline_commit();
  };
  copy(0, 0);
  int stage = 0;
  for (int start = 0; start < k; start += tileDepth, stage ^= 1) {
    copy(stage ^ 1, start + tileDepth);
    __pipeline_wait_prior(1);
    __syncthreads();
#pragma unroll
    for (int depth = 0; depth < tileDepth; depth += 16) {
      uint32_t x[2][4], y[2][4];
      for (int half = 0; half < 2; ++half) {
        loadMatrices(x[half], &left[stage][warpRow + half * 16 + lane % 16]
                                   [depth + lane / 16 * 8]);
        loadMatrices(y[half],
                     &right[stage][warpColumn + half * 16 + lane % 8 +
                                   lane / 16 * 8][depth + lane / 8 % 2 * 8]);
      }
      for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 4; ++j)
          multiply(sums[i][j], x[i], y[j / 2][j % 2 * 2],
                   y[j / 2][j % 2 * 2 + 1]);
    }
    __syncthreads();
  }
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 4; ++j)
      for (int element = 0; element < 4; ++element) {
        int y = row + warpRow + i * 16 + lane / 4 + element / 2 * 8;
        int x = column + warpColumn + j * 8 + lane % 4 * 2 + element % 2;
        if (y < m && x < n)
          c[size_t(y) * n + x] = sums[i][j][element];
      }
}
