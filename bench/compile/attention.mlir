// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// pbs-gen --stages=attention --q-heads=32 --kv-heads=8
module {
  func.func @prefill(%q: tensor<?x32x?x128xbf16> {pbs.name = "q"}, %k: tensor<?x8x?x128xbf16> {pbs.name = "k"}, %v: tensor<?x8x?x128xbf16> {pbs.name = "v"}, %permutation: !pbs.permutation<heads = 32, segment = 256> {pbs.name = "permutation"}, %selection: !pbs.selection<128x128> {pbs.name = "selection"}) -> (tensor<?x32x?x128xbf16> {pbs.name = "out"}, tensor<?x32x?xf32> {pbs.name = "lse"}) {
    %output, %logSumExp = pbs.attention %q, %k, %v, %selection permutation(%permutation) scale = 0.088388347648318433 causal : tensor<?x32x?x128xbf16>, tensor<?x8x?x128xbf16>, tensor<?x8x?x128xbf16>, !pbs.selection<128x128>, !pbs.permutation<heads = 32, segment = 256> -> tensor<?x32x?x128xbf16>, tensor<?x32x?xf32>
    return %output, %logSumExp : tensor<?x32x?x128xbf16>, tensor<?x32x?xf32>
  }
}
