// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of warpgroups: the shared memory that they read until a wait (PTX
// ISA, "Asynchronous Warpgroup Level Matrix Instructions").

#include "../MatrixDescriptor.h"
#include "../ProductForm.h"
#include "Checker.h"

namespace pbs::runtime::emulator {

Actor Checker::warpgroupOf(const Warp &warp) const {
  unsigned groupsPerCta = (warpsPerCta + groupWarps - 1) / groupWarps;
  return firstWarpgroup + warp.cta->rank * groupsPerCta +
         warp.index / groupWarps;
}

void Checker::issueProduct(Warp &warp, const Instruction &instruction,
                           uint64_t a, uint64_t b) {
  const WarpChecks &checks = of(warp);
  // All lanes access memory together, with what any of them knows.
  KnowledgeReference all = checks.known[0];
  for (const KnowledgeReference &known : checks.known)
    all = join(all, known);
  Accessor by = accesses.accessor(warp, 0);
  by.lanes = fullMask;
  by.known = all.get();
  by.isAsync = true;
  uint64_t number = warp.products.issued + 1;
  Record record = accesses.recordOf(by, Record::IsAsync | Record::IsSingle);
  record.bytes = wholeWord;
  record.actor = warpgroupOf(warp);
  record.time = Time(number);
  record.lanes = checks.first;
  // Each warp reads its 16 rows of A, and all read B.
  unsigned first = warp.index % groupWarps * 16;
  uint64_t form = instruction.immediate;
  MatrixDescriptor left(a, form & TransposedA);
  MatrixDescriptor right(b, form & TransposedB);
  if (form & TransposedA)
    accesses.readMatrix(by, left, 0, 16, first / 8, 2, record);
  else if (!(form & RegisterA))
    accesses.readMatrix(by, left, first, 16, 0, 2, record);
  CollectedWrites &group =
      collected[warpgroupOf(warp) - firstWarpgroup][number % keptProducts];
  if (group.product == number && !group.isIncomplete)
    return accesses.read(by, group);
  group.product = number;
  group.writes.clear();
  group.isIncomplete = false;
  unsigned columns = columnsOf(instruction);
  if (form & TransposedB)
    accesses.readMatrix(by, right, 0, 16, 0, columns / 8, record, &group);
  else
    accesses.readMatrix(by, right, 0, columns, 0, 2, record, &group);
}

void Checker::waitProducts(Warp &warp) {
  registers.wait(warp);
  Time products = Time(warp.products.demanded);
  if (products == 0)
    return;
  KnowledgeReference before, after;
  for (KnowledgeReference &known : of(warp).known) {
    if (!after || known != before) {
      before = after = known;
      after.edit().generic.raise(warpgroupOf(warp), products);
    }
    known = after;
  }
}

} // namespace pbs::runtime::emulator
