// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RegisterChecks.h"

#include "../Machine.h"
#include "../ProductForm.h"

namespace pbs::runtime::emulator {

void RegisterChecks::start() {
  warps.clear();
  warps.resize(cluster.ctas.size() * cluster.ctas.front()->warps.size());
}

void RegisterChecks::setCount(const Warp &warp, uint32_t count) {
  of(warp).count = count;
  of(warp).countInstruction = warp.pc - 1;
}

/// What setmaxnreg gives must be there.
void RegisterChecks::finish() {
  for (const Cta *cta : cluster.ctas) {
    uint64_t registers = 0;
    const Warp *last = nullptr;
    for (const Warp &warp : cta->warps) {
      uint32_t count = of(warp).count;
      if (count != 0)
        last = &warp;
      registers +=
          uint64_t(count ? count : launch.kernel->maximumRegisters) * warpSize;
    }
    if (last && registers > maximumRegisters)
      reporter.report(
          HazardKind::Resources, *last, 0, of(*last).countInstruction,
          HazardReporter::none,
          "leaves the CTA's warps with " + std::to_string(registers) +
              " registers after setmaxnreg, more than the " +
              std::to_string(maximumRegisters) + " of a multiprocessor");
  }
}

void RegisterChecks::fence(const Warp &warp) {
  WarpRegisters &state = of(warp);
  for (uint32_t index : state.accessed)
    state.registers[index].isRead = state.registers[index].isWritten = false;
  state.accessed.clear();
  state.isFenced = true;
}

void RegisterChecks::report(const Use &use, uint32_t other,
                            const std::string &what) {
  reporter.report(HazardKind::WgmmaRegister, use.warp, use.lane,
                  use.instruction, other, what);
}

void RegisterChecks::use(Warp &warp, uint32_t instruction, uint32_t active) {
  const Program &program = *launch.program;
  WarpRegisters &state = of(warp);
  if (state.registers.empty())
    state.registers.resize(program.productRegisterNames.size());
  Use use = {warp, state, instruction, unsigned(__builtin_ctz(active))};
  uint32_t begin = program.firstRegisterUse[instruction];
  uint32_t end = program.firstRegisterUse[instruction + 1];
  using Role = RegisterUse::Role;
  Role first = program.registerUses[begin].role;
  bool isProduct = first == Role::Accumulator || first == Role::Input;
  if (isProduct && !state.isFenced)
    report(use, HazardReporter::none,
           "is executed without a wgmma.fence before it");
  for (uint32_t number = begin; number < end; ++number) {
    auto [index, role] = program.registerUses[number];
    if (role == Role::Read || role == Role::Write)
      access(use, index, role == Role::Write);
    else
      multiply(use, index, role == Role::Accumulator);
  }
}

/// An instruction that is no product reads or writes the register.
void RegisterChecks::access(const Use &use, uint32_t index, bool writes) {
  Register &own = use.state.registers[index];
  const std::string &name = launch.program->productRegisterNames[index];
  const char *verb = writes ? "writes " : "reads ";
  if (own.accumulator > use.state.waitedProducts)
    report(use, own.accumulating,
           verb + name + ", which the product of " +
               reporter.lineOf(own.accumulating) +
               " may not have written yet: no wgmma.wait_group for it");
  else if (own.input > use.state.waitedProducts)
    report(use, own.reading,
           verb + name + ", which the product of " +
               reporter.lineOf(own.reading) +
               " may not have read yet: no wgmma.wait_group for it");
  if (!own.isRead && !own.isWritten)
    use.state.accessed.push_back(index);
  // Of a register that was both, the write is told of.
  if (writes || !own.isWritten)
    own.accessing = use.instruction;
  (writes ? own.isWritten : own.isRead) = true;
}

/// A product has the register as accumulator or as part of A.
void RegisterChecks::multiply(const Use &use, uint32_t index,
                              bool isAccumulator) {
  const Program &program = *launch.program;
  Register &own = use.state.registers[index];
  const std::string &name = program.productRegisterNames[index];
  bool isAccumulated = own.accumulator > use.state.waitedProducts;
  bool isRead = own.input > use.state.waitedProducts;
  // That two only read does not matter.
  if (own.isWritten || (isAccumulator && own.isRead))
    report(use, own.accessing,
           "uses " + name + ", which " + reporter.lineOf(own.accessing) +
               (own.isWritten ? " has written" : " has read") +
               ", without a wgmma.fence between them");
  // Products of one shape may add to the same accumulators one after the other.
  bool isChain = isAccumulator && isAccumulated &&
                 shapeOf(program.code[own.accumulating]) ==
                     shapeOf(program.code[use.instruction]);
  if (isAccumulated && !isChain)
    report(use, own.accumulating,
           "uses " + name + ", which the product of " +
               reporter.lineOf(own.accumulating) +
               " may not have written yet: no wgmma.wait_group for it");
  else if (isAccumulator && isRead)
    report(use, own.reading,
           "overwrites " + name + ", which the product of " +
               reporter.lineOf(own.reading) + " may not have read yet");
  (isAccumulator ? own.accumulator : own.input) = use.warp.products.issued + 1;
  (isAccumulator ? own.accumulating : own.reading) = use.instruction;
}

} // namespace pbs::runtime::emulator
