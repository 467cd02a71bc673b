// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Cooperative groups: tiles of warps, groups of the lanes that happen to be
// there, and whole blocks.

#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>

namespace cg = cooperative_groups;

/// Sums of each eight elements, by a tile of eight threads.
extern "C" __global__ void sumOfEights(const int *values, int *sums,
                                       int count) {
  auto block = cg::this_thread_block();
  auto tile = cg::tiled_partition<8>(block);
  int index = block.group_index().x * block.size() + block.thread_rank();
  int value = index < count ? values[index] : 0;
  int sum = cg::reduce(tile, value, cg::plus<int>());
  if (tile.thread_rank() == 0 && index < count)
    sums[index / 8] = sum;
}

/// Keeps the positive values in any order: the lanes that have one share an
/// atomic addition.
extern "C" __global__ void keepPositive(const int *values, int *kept,
                                        int *numberKept, int count) {
  int index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count || values[index] <= 0)
    return;
  cg::coalesced_group active = cg::coalesced_threads();
  int base = 0;
  if (active.thread_rank() == 0)
    base = atomicAdd(numberKept, int(active.num_threads()));
  base = active.shfl(base, 0);
  kept[base + active.thread_rank()] = values[index];
}

/// Exclusive scans by warps, whose sums go through dynamic shared memory.
extern "C" __global__ void scanWithGroups(const float *values, float *sums,
                                          int count) {
  extern __shared__ float ofWarp[];
  auto block = cg::this_thread_block();
  auto warp = cg::tiled_partition<32>(block);
  int index = block.group_index().x * block.size() + block.thread_rank();
  float value = index < count ? values[index] : 0;
  float before = cg::exclusive_scan(warp, value, cg::plus<float>());
  if (warp.thread_rank() == warp.size() - 1)
    ofWarp[warp.meta_group_rank()] = before + value;
  block.sync();
  for (int other = 0; other < warp.meta_group_rank(); ++other)
    before += ofWarp[other];
  if (index < count)
    sums[index] = before;
}
