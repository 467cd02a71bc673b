// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of a warpgroup: operands in the canonical layouts of the PTX ISA
// ("Asynchronous Warpgroup Level Matrix Instructions"), and a kernel around
// wgmma.mma_async.

#ifndef PBS_TEST_CONFORMANCE_WARPGROUP_H
#define PBS_TEST_CONFORMANCE_WARPGROUP_H

#include "../Oracles/MatrixLayout.h"
#include "Conformance.h"

namespace pbs::conformance {

using oracle::MatrixLayout;

/// One product and how it is written.
struct WarpgroupProduct {
  unsigned columns = 8;
  /// Multiple of 16: an instruction for each 16, all in one group.
  unsigned depth = 16;
  bool isBFloat = true;
  bool isHalfAccumulator = false;
  bool isAInRegisters = false;
  MatrixLayout a, b;
  int signA = 1;
  int signB = 1;
  bool accumulates = true;
  /// Small integers, all sums of which are exact; otherwise real numbers.
  bool isInteger = true;
  /// Some infinities and NaNs among the inputs.
  bool hasSpecials = false;
  /// A commit and a wait for all but one group behind each instruction.
  bool hasGroups = false;

  std::string opcode() const;
};

/// Chooses where the operands are: a layout of each swizzle and order, behind
/// each other, with blocks next to each other or apart.
void placeOperands(WarpgroupProduct &product, Random &random);

void runWarpgroupProduct(Environment &environment,
                         const WarpgroupProduct &product);

} // namespace pbs::conformance

#endif // PBS_TEST_CONFORMANCE_WARPGROUP_H
