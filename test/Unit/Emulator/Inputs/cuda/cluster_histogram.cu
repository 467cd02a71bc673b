// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A histogram whose bins are spread over the shared memory of a cluster.

#include <cooperative_groups.h>

namespace cg = cooperative_groups;

/// \p bins is a multiple of the cluster's size.
extern "C" __global__ void clusterHistogram(const unsigned *values,
                                            unsigned *counts, int count,
                                            int bins) {
  extern __shared__ unsigned ofBlock[];
  cg::cluster_group cluster = cg::this_cluster();
  int binsOfBlock = bins / cluster.num_blocks();
  for (int bin = threadIdx.x; bin < binsOfBlock; bin += blockDim.x)
    ofBlock[bin] = 0;
  cluster.sync();
  for (int index = cg::this_grid().thread_rank(); index < count;
       index += cg::this_grid().size()) {
    unsigned bin = values[index] % bins;
    unsigned *remote = cluster.map_shared_rank(ofBlock, bin / binsOfBlock);
    atomicAdd(remote + bin % binsOfBlock, 1);
  }
  // Nobody may leave while others still count in its memory.
  cluster.sync();
  for (int bin = threadIdx.x; bin < binsOfBlock; bin += blockDim.x)
    atomicAdd(&counts[cluster.block_rank() * binsOfBlock + bin], ofBlock[bin]);
}
