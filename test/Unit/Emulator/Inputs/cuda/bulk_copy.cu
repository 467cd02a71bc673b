// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bulk and tensor copies with cuda::barrier.

#include <cstdint>
#include <cuda.h>
#include <cuda/barrier>
#include <cuda/ptx>

namespace ptx = cuda::ptx;
using Barrier = cuda::barrier<cuda::thread_scope_block>;

constexpr int tileElements = 512;
constexpr int edge = 32;

/// Adds one to every element: tiles of whole 16 bytes come and go by bulk
/// copies, two at a time.
extern "C" __global__ void addOne(int *values, int tiles) {
  __shared__ alignas(128) int tile[2][tileElements];
#pragma nv_diag_suppress static_var_with_dynamic_init
  __shared__ Barrier arrived[2];
  if (threadIdx.x == 0) {
    init(&arrived[0], blockDim.x);
    init(&arrived[1], blockDim.x);
    cuda::device::experimental::fence_proxy_async_shared_cta();
  }
  __syncthreads();
  auto fetch = [&](int stage, int number) {
    if (threadIdx.x == 0 && number < tiles) {
      // The stage's last store has read it.
      ptx::cp_async_bulk_wait_group_read(ptx::n32_t<0>{});
      cuda::memcpy_async(tile[stage], values + size_t(number) * tileElements,
                         cuda::aligned_size_t<16>(sizeof(tile[0])),
                         arrived[stage]);
    }
  };
  int stride = gridDim.x;
  fetch(0, blockIdx.x);
  int stage = 0;
  for (int number = blockIdx.x; number < tiles; number += stride, stage ^= 1) {
    fetch(stage ^ 1, number + stride);
    arrived[stage].arrive_and_wait();
    for (int index = threadIdx.x; index < tileElements; index += blockDim.x)
      tile[stage][index] += 1;
    ptx::fence_proxy_async(ptx::space_shared);
    __syncthreads();
    if (threadIdx.x == 0) {
      ptx::cp_async_bulk(ptx::space_global, ptx::space_shared,
                         values + size_t(number) * tileElements, tile[stage],
                         sizeof(tile[0]));
      ptx::cp_async_bulk_commit_group();
    }
  }
  if (threadIdx.x == 0)
    ptx::cp_async_bulk_wait_group(ptx::n32_t<0>{});
}

/// Transposes a matrix of floats by tensor copies of 32 by 32 elements.
extern "C" __global__ void transpose(const __grid_constant__ CUtensorMap from,
                                     const __grid_constant__ CUtensorMap to) {
  __shared__ alignas(128) float source[edge][edge];
  __shared__ alignas(128) float result[edge][edge];
  __shared__ alignas(8) uint64_t arrived;
  int x = blockIdx.x * edge;
  int y = blockIdx.y * edge;
  if (threadIdx.x == 0) {
    ptx::mbarrier_init(&arrived, 1);
    ptx::fence_proxy_async(ptx::space_shared);
    const int32_t corner[2] = {x, y};
    ptx::cp_async_bulk_tensor(ptx::space_cluster, ptx::space_global, source,
                              &from, corner, &arrived);
    ptx::mbarrier_arrive_expect_tx(ptx::sem_release, ptx::scope_cta,
                                   ptx::space_shared, &arrived, sizeof(source));
  }
  __syncthreads();
  while (!ptx::mbarrier_try_wait_parity(&arrived, 0))
    ;
  for (int index = threadIdx.x; index < edge * edge; index += blockDim.x)
    result[index % edge][index / edge] = source[index / edge][index % edge];
  ptx::fence_proxy_async(ptx::space_shared);
  __syncthreads();
  if (threadIdx.x == 0) {
    const int32_t corner[2] = {y, x};
    ptx::cp_async_bulk_tensor(ptx::space_global, ptx::space_shared, &to, corner,
                              result);
    ptx::cp_async_bulk_commit_group();
    ptx::cp_async_bulk_wait_group_read(ptx::n32_t<0>{});
  }
}
