// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Three selections: given lists, one that keys are sorted for, and a full one;
// and importance by which nothing is sorted.
func.func @several(%q: tensor<?x4x?x64xf16>, %k: tensor<?x2x?x64xf16>, %v: tensor<?x2x?x64xf16>, %given: !pbs.selection<128x128>)
    -> (tensor<?x4x?x64xf16>, tensor<?x4xi32>, tensor<?x4x?x64xf16>, tensor<?x4x?xf32>) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %q, %c0 : tensor<?x4x?x64xf16>
  %nq = tensor.dim %q, %c2 : tensor<?x4x?x64xf16>
  %nk = tensor.dim %k, %c2 : tensor<?x2x?x64xf16>
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125 : tensor<?x4x?x64xf16>, tensor<?x2x?x64xf16> -> tensor<?x2x?xf32>
  %p = pbs.segment_sort %i : tensor<?x2x?xf32> -> !pbs.permutation<heads = 2, segment = 256>
  %kp = pbs.permute %k, %p : tensor<?x2x?x64xf16>, !pbs.permutation<heads = 2, segment = 256> -> !pbs.permuted<tensor<?x2x?x64xf16>, segment = 256>
  %qb = pbs.pool %q mean block = 128 : tensor<?x4x?x64xf16> -> tensor<?x4x?x64xf32>
  %kb = pbs.pool %kp mean block = 128 : !pbs.permuted<tensor<?x2x?x64xf16>, segment = 256> -> tensor<?x2x?x64xf32>
  %s = pbs.block_scores %qb, %kb lengths(%nq, %nk) blocks = [128, 128] segment = 256 scale = 0.125 : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  %sel, %cut = pbs.select %s lengths(%nq, %nk) permutation(%p) rule = #pbs.top_k<8> segment = 256 capacity = 6 : tensor<?x4x?x?xf32>, !pbs.permutation<heads = 2, segment = 256> -> !pbs.selection<128x128>, tensor<?x4xi32>
  %o, %l = pbs.attention %q, %k, %v, %sel permutation(%p) scale = 0.125 : tensor<?x4x?x64xf16>, tensor<?x2x?x64xf16>, tensor<?x2x?x64xf16>, !pbs.selection<128x128>, !pbs.permutation<heads = 2, segment = 256> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  %o2, %l2 = pbs.attention %q, %k, %v, %given scale = 0.125 causal window = 700 : tensor<?x4x?x64xf16>, tensor<?x2x?x64xf16>, tensor<?x2x?x64xf16>, !pbs.selection<128x128> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  %full = pbs.full_selection %b lengths(%nq, %nk) heads = 4 causal window = 700 : !pbs.selection<128x128>
  %o3, %l3 = pbs.attention %q, %k, %v, %full scale = 0.125 causal window = 700 : tensor<?x4x?x64xf16>, tensor<?x2x?x64xf16>, tensor<?x2x?x64xf16>, !pbs.selection<128x128> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  %i2 = pbs.importance %q, %v query_block = 128 segment = 512 scale = 0.125 : tensor<?x4x?x64xf16>, tensor<?x2x?x64xf16> -> tensor<?x4x?xf32>
  return %o, %cut, %o2, %l3 : tensor<?x4x?x64xf16>, tensor<?x4xi32>, tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
}
