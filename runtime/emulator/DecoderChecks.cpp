// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the checks for hazards want to know of instructions beside their
// handlers: how they order accesses, and which registers that products of
// warpgroups use they name.

#include "Decoder.h"
#include "ProductForm.h"

#include <algorithm>

namespace pbs::runtime::emulator {

namespace {

/// AccessOrder of an instruction (PTX ISA, "Memory Consistency Model").
uint8_t orderOf(const Statement &statement) {
  auto has = [&](std::string_view modifier) {
    return std::find(statement.modifiers.begin(), statement.modifiers.end(),
                     modifier) != statement.modifiers.end();
  };
  std::string_view name = statement.name;
  uint8_t order = has("cta") ? AccessOrder::CtaScope : 0;
  if (name == "ld" || name == "st" || name == "atom" || name == "red") {
    bool acquires = has("acquire") || has("acq_rel");
    bool releases = has("release") || has("acq_rel");
    bool isStrong = name == "atom" || name == "red" || has("volatile") ||
                    has("relaxed") || has("mmio") || acquires || releases;
    return order | (isStrong ? AccessOrder::Strong : 0) |
           (acquires ? AccessOrder::Acquire : 0) |
           (releases ? AccessOrder::Release : 0);
  }
  if (name == "membar")
    return order | AccessOrder::ThreadFence;
  if (name == "fence" && has("proxy")) {
    if (!has("async") && !has("async::generic"))
      return order;
    bool isShared = has("shared::cta") || has("shared::cluster");
    return order | (has("global") ? 0 : AccessOrder::ProxyShared) |
           (isShared ? 0 : AccessOrder::ProxyGlobal);
  }
  if (name == "fence")
    return order | (has("mbarrier_init") ? AccessOrder::MbarrierInit
                                         : AccessOrder::ThreadFence);
  // Of mbarriers and of the cluster's barrier.
  return order |
         (has("relaxed") ? 0 : AccessOrder::Acquire | AccessOrder::Release);
}

} // namespace

void Decoder::noteUse(const Function &function, uint32_t index,
                      bool isWritten) {
  if (!hasProducts)
    return;
  namedRegisters.push_back({uint32_t(program.code.size()),
                            registerSlot(function, index),
                            function.registerNames[index], isWritten});
}

void Decoder::finishStatement(const Statement &statement) {
  program.orders.resize(program.code.size());
  program.orders.back() = orderOf(statement);
  if (statement.name == "wgmma" && statement.modifiers.front() == "mma_async")
    products.push_back(uint32_t(program.code.size() - 1));
}

void Decoder::collectRegisterUses() {
  program.orders.resize(program.code.size());
  if (products.empty())
    return;
  using Role = RegisterUse::Role;
  auto roleIn = [&](uint32_t instruction, uint32_t slot) {
    const uint32_t *operands =
        program.operandPool.data() + program.code[instruction].operands[0];
    unsigned accumulators = accumulatorsOf(program.code[instruction]);
    unsigned inputs = inputsOf(program.code[instruction]);
    if (std::find(operands, operands + accumulators, slot) !=
        operands + accumulators)
      return Role::Accumulator;
    const uint32_t *end = operands + accumulators + inputs;
    return std::find(operands + accumulators, end, slot) != end ? Role::Input
                                                                : Role::Read;
  };
  auto isProduct = [&](uint32_t instruction) {
    return std::binary_search(products.begin(), products.end(), instruction);
  };
  std::map<uint32_t, uint32_t> indexOf;
  for (const NamedRegister &named : namedRegisters)
    if (isProduct(named.instruction) &&
        roleIn(named.instruction, named.slot) != Role::Read &&
        indexOf.try_emplace(named.slot, uint32_t(indexOf.size())).second)
      program.productRegisterNames.emplace_back(named.name);
  size_t next = 0;
  for (uint32_t number = 0; number < program.code.size(); ++number) {
    program.firstRegisterUse.push_back(uint32_t(program.registerUses.size()));
    // Results last, so that reading and writing one register is a read first.
    for (bool written : {false, true})
      for (size_t place = next; place < namedRegisters.size() &&
                                namedRegisters[place].instruction == number;
           ++place) {
        const NamedRegister &named = namedRegisters[place];
        auto found = indexOf.find(named.slot);
        if (named.isWritten != written || found == indexOf.end())
          continue;
        Role role = isProduct(number) ? roleIn(number, named.slot)
                    : written         ? Role::Write
                                      : Role::Read;
        program.registerUses.push_back({found->second, role});
        program.code[number].flags |= Instruction::UsesProductRegisters;
      }
    while (next < namedRegisters.size() &&
           namedRegisters[next].instruction == number)
      ++next;
  }
  program.firstRegisterUse.push_back(uint32_t(program.registerUses.size()));
}

} // namespace pbs::runtime::emulator
