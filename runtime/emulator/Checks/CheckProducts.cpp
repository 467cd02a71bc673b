// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of warpgroups: the shared memory and the registers that they use
// until a wait (PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions").

#include "../MatrixDescriptor.h"
#include "../ProductForm.h"
#include "Checker.h"
#include "Finder.h"

namespace pbs::runtime::emulator {

void Checker::CollectedWrites::add(const Record &record, const uint8_t *host) {
  for (Write &known : writes)
    if (known.record.actor == record.actor &&
        known.record.time == record.time &&
        known.record.flags == record.flags &&
        known.record.instruction == record.instruction) {
      if (!record.has(Record::IsOther))
        known.record.lanes |= record.lanes;
      return;
    }
  if (writes.size() < maximum)
    writes.push_back({record, host});
  else
    isIncomplete = true;
}

void Checker::readMatrix(const Accessor &accessor,
                         const MatrixDescriptor &matrix, unsigned firstRow,
                         unsigned rows, unsigned firstChunk, unsigned chunks,
                         const Record &record, CollectedWrites *collected) {
  Cta *cta = accessor.warp->cta;
  Finder finder(*this, cta);
  SeenWrite seen;
  seen.collected = collected;
  for (unsigned row = firstRow; row < firstRow + rows; ++row)
    for (unsigned chunk = firstChunk; chunk < firstChunk + chunks; ++chunk) {
      uint8_t *host = cta->shared + matrix.address(row, chunk);
      finder.find(host);
      for (unsigned offset = 0; offset < 16; offset += wordBytes) {
        readWord(finder, wholeWord, accessor, record, host + offset, seen);
        finder.next();
      }
    }
}

void Checker::issueProduct(Warp &warp, const Instruction &instruction,
                           uint64_t a, uint64_t b) {
  WarpChecks &checks = of(warp);
  Accessor by = collective(warp);
  by.isAsync = true;
  Record record = recordOf(
      by, wholeWord, Record::IsAsync | Record::IsProduct | Record::IsOther);
  record.actor = firstWarpgroup + checks.first / (groupWarps * warpSize);
  record.time = Time(warp.products.issued + 1);
  record.lanes = checks.first;
  // Each warp reads its 16 rows of A, and all read B.
  unsigned first = warp.index % groupWarps * 16;
  uint64_t form = instruction.immediate;
  MatrixDescriptor left(a, form & TransposedA);
  MatrixDescriptor right(b, form & TransposedB);
  if (form & TransposedA)
    readMatrix(by, left, 0, 16, first / 8, 2, record);
  else if (!(form & RegisterA))
    readMatrix(by, left, first, 16, 0, 2, record);
  uint64_t number = warp.products.issued + 1;
  CollectedWrites &group =
      collected[record.actor - firstWarpgroup][number % keptProducts];
  if (group.product == number && !group.isIncomplete) {
    for (const CollectedWrites::Write &write : group.writes)
      checkRecord(write.record, by, /*writes=*/false, wholeWord, write.host,
                  warp.cta);
    return;
  }
  group.product = number;
  group.writes.clear();
  group.isIncomplete = false;
  unsigned columns = columnsOf(instruction);
  if (form & TransposedB)
    readMatrix(by, right, 0, 16, 0, columns / 8, record, &group);
  else
    readMatrix(by, right, 0, columns, 0, 2, record, &group);
}

void Checker::waitProducts(Warp &warp) {
  WarpChecks &checks = of(warp);
  uint64_t products = warp.products.demanded;
  checks.waitedProducts = products;
  Actor warpgroup = firstWarpgroup + checks.first / (groupWarps * warpSize);
  KnowledgeReference before, after;
  for (KnowledgeReference &known : checks.known) {
    if (!after || known != before) {
      before = after = known;
      after.edit().generic.raise(warpgroup, Time(products));
    }
    known = after;
  }
}

void Checker::fenceProducts(Warp &warp) {
  RegisterState &state = of(warp).registers;
  for (uint32_t index : state.modified)
    state.registers[index].isModified = false;
  state.modified.clear();
  state.isFenced = true;
}

void Checker::useRegisters(Warp &warp, uint32_t instruction, uint32_t active) {
  const Program &program = *launch.program;
  WarpChecks &checks = of(warp);
  RegisterState &state = checks.registers;
  if (state.registers.empty())
    state.registers.resize(program.productRegisterNames.size());
  auto fail = [&](uint32_t other, const std::string &what) {
    report(HazardKind::WgmmaRegister, warp, unsigned(__builtin_ctz(active)),
           instruction, other, what);
  };
  bool isProduct =
      program.registerUses[program.firstRegisterUse[instruction]].role !=
          RegisterUse::Role::Read &&
      program.registerUses[program.firstRegisterUse[instruction]].role !=
          RegisterUse::Role::Write;
  uint64_t number = warp.products.issued + 1;
  if (isProduct && !state.isFenced)
    fail(UINT32_MAX, "is executed without a wgmma.fence before it");
  for (uint32_t use = program.firstRegisterUse[instruction];
       use < program.firstRegisterUse[instruction + 1]; ++use) {
    auto [index, role] = program.registerUses[use];
    RegisterState::Register &own = state.registers[index];
    bool isAccumulated = own.accumulator > checks.waitedProducts;
    bool isRead = own.input > checks.waitedProducts;
    const std::string &name = program.productRegisterNames[index];
    switch (role) {
    case RegisterUse::Role::Read:
    case RegisterUse::Role::Write: {
      bool writes = role == RegisterUse::Role::Write;
      if (isAccumulated)
        fail(own.accumulating,
             std::string(writes ? "writes " : "reads ") + name +
                 ", which the product of " + lineOf(own.accumulating) +
                 " may not have written yet: no wgmma.wait_group for it");
      else if (isRead)
        fail(own.reading,
             std::string(writes ? "writes " : "reads ") + name +
                 ", which the product of " + lineOf(own.reading) +
                 " may not have read yet: no wgmma.wait_group for it");
      if (writes) {
        if (!own.isModified)
          state.modified.push_back(index);
        own.isModified = true;
        own.modifying = instruction;
      }
      break;
    }
    case RegisterUse::Role::Accumulator:
    case RegisterUse::Role::Input: {
      bool isAccumulator = role == RegisterUse::Role::Accumulator;
      if (own.isModified)
        fail(own.modifying, "uses " + name + ", which " +
                                lineOf(own.modifying) +
                                " has written, without a wgmma.fence between "
                                "them");
      // Products of one shape may add to the same accumulators one after the
      // other.
      bool isChain = isAccumulator && isAccumulated &&
                     shapeOf(program.code[own.accumulating]) ==
                         shapeOf(program.code[instruction]);
      if (isAccumulated && !isChain)
        fail(own.accumulating,
             "uses " + name + ", which the product of " +
                 lineOf(own.accumulating) +
                 " may not have written yet: no wgmma.wait_group for it");
      else if (isAccumulator && isRead)
        fail(own.reading, "overwrites " + name + ", which the product of " +
                              lineOf(own.reading) + " may not have read yet");
      (isAccumulator ? own.accumulator : own.input) = number;
      (isAccumulator ? own.accumulating : own.reading) = instruction;
      break;
    }
    }
  }
}

void Checker::setRegisterCount(Warp &warp, uint32_t count) {
  of(warp).registerCount = count;
  of(warp).registerInstruction = instructionOf(warp);
}

} // namespace pbs::runtime::emulator
