// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Syntax and verifiers of roles. The constraints that the diagnostics cite are
// those of docs/spec-pbsgpu.md.

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace pbsgpu;

ParseResult
pbsgpu::parseRoles(OpAsmParser &parser, ArrayAttr &names,
                   DenseI64ArrayAttr &warps, DenseI64ArrayAttr &registers,
                   SmallVectorImpl<std::unique_ptr<Region>> &bodies) {
  SmallVector<Attribute> parsedNames;
  SmallVector<int64_t> parsedWarps, parsedRegisters;
  std::string name;
  while (succeeded(parser.parseOptionalString(&name))) {
    int64_t count, taken = 0;
    if (parser.parseKeyword("warps") || parser.parseEqual() ||
        parser.parseInteger(count))
      return failure();
    if (succeeded(parser.parseOptionalKeyword("registers")) &&
        (parser.parseEqual() || parser.parseInteger(taken)))
      return failure();
    bodies.push_back(std::make_unique<Region>());
    if (parser.parseRegion(*bodies.back()))
      return failure();
    parsedNames.push_back(parser.getBuilder().getStringAttr(name));
    parsedWarps.push_back(count);
    parsedRegisters.push_back(taken);
  }
  names = parser.getBuilder().getArrayAttr(parsedNames);
  warps = parser.getBuilder().getDenseI64ArrayAttr(parsedWarps);
  registers = parser.getBuilder().getDenseI64ArrayAttr(parsedRegisters);
  return success();
}

void pbsgpu::printRoles(OpAsmPrinter &printer, Operation *, ArrayAttr names,
                        DenseI64ArrayAttr warps, DenseI64ArrayAttr registers,
                        RegionRange bodies) {
  for (unsigned role = 0; role < bodies.size(); ++role) {
    printer << (role ? " " : "") << names[role] << " warps = " << warps[role];
    if (registers[role])
      printer << " registers = " << registers[role];
    printer << " ";
    printer.printRegion(*bodies[role]);
  }
}

int64_t RolesOp::getFirstWarp(unsigned role) {
  int64_t first = 0;
  for (int64_t count : getWarps().take_front(role))
    first += count;
  return first;
}

int64_t RolesOp::getRegistersAtStart(int64_t warps) {
  constexpr int64_t registersOfProcessor = 65536, most = 255, step = 8;
  return std::min(most, registersOfProcessor / (warps * warpSize)) / step *
         step;
}

int64_t
RolesOp::getRegistersLeft(int64_t warps,
                          ArrayRef<std::pair<int64_t, int64_t>> others) {
  // ptxas uses no more than 255 in any case, and few fewer do not hurt.
  constexpr int64_t most = 240, step = 8;
  int64_t all = warps, taken = 0;
  for (auto [count, registers] : others) {
    all += count;
    taken += count * registers;
  }
  int64_t left = getRegistersAtStart(all) * all - taken;
  return std::min(most, left / warps / step * step);
}

int64_t RolesOp::getRegistersOfProducer(int64_t warps, bool gathers) {
  // Addresses of rows that a thread gathers, or of a work item's lists; three
  // groups that compute leave less.
  return gathers || warps <= 2 * warpsOfGroup ? 56 : 32;
}

bool RolesOp::takeRegisters() {
  return llvm::any_of(getRegisters(), [](int64_t n) { return n != 0; });
}

std::pair<RolesOp, unsigned> RolesOp::findRole(Region *region) {
  for (; region; region = region->getParentRegion())
    if (auto roles = dyn_cast<RolesOp>(region->getParentOp()))
      return {roles, region->getRegionNumber()};
  return {RolesOp(), 0};
}

int64_t RolesOp::countWarps(Operation *op) {
  auto [roles, role] = findRole(op->getParentRegion());
  if (roles)
    return roles.getWarps()[role];
  auto kernel = op->getParentOfType<KernelOp>();
  return kernel ? static_cast<int64_t>(kernel.getWarps()) : 0;
}

void RolesOp::getSuccessorRegions(RegionBranchPoint point,
                                  SmallVectorImpl<RegionSuccessor> &regions) {
  if (!point.isParent()) {
    regions.push_back(RegionSuccessor(getOperation(), (*this)->getResults()));
    return;
  }
  for (Region &body : getBodies())
    regions.push_back(RegionSuccessor(&body));
}

LogicalResult RolesOp::verify() {
  size_t count = getBodies().size();
  if (count < 1 || getNames().size() != count || getWarps().size() != count ||
      getRegisters().size() != count)
    return emitOpError("roles_c1: has ")
           << count << " regions, " << getNames().size() << " names, "
           << getWarps().size() << " warps and " << getRegisters().size()
           << " registers, but needs as many of each, at least one";
  uint64_t sum = 0;
  for (int64_t warps : getWarps()) {
    if (warps < 1)
      return emitOpError("roles_c2: a role has ")
             << warps << " warps, but needs at least one";
    sum = llvm::SaturatingAdd(sum, static_cast<uint64_t>(warps));
  }
  auto kernel = cast<KernelOp>((*this)->getParentOp());
  if (sum != kernel.getWarps())
    return emitOpError("roles_c3: the roles have ")
           << sum << " warps, but the kernel has " << kernel.getWarps();
  int64_t taken = 0;
  for (auto [role, registers] : llvm::enumerate(getRegisters())) {
    if (!takeRegisters())
      break;
    if (registers < 24 || registers > 256 || registers % 8 != 0)
      return emitOpError("roles_c4: a role's registers (")
             << registers << ") must be a multiple of 8 from 24 to 256, in "
             << "every role or in none";
    int64_t first = getFirstWarp(role);
    if (first % warpsOfGroup != 0 && registers != getRegisters()[role - 1])
      return emitOpError("roles_c5: role ")
             << getNames()[role] << " takes registers from warp " << first
             << " on, but a group of four warps takes the same";
    taken += registers * getWarps()[role] * warpSize;
  }
  if (takeRegisters() && sum % warpsOfGroup != 0)
    return emitOpError("roles_c5: the roles have ")
           << sum << " warps and take registers, which groups of four warps do";
  auto warpsOfCTA = static_cast<int64_t>(sum);
  int64_t atStart = getRegistersAtStart(warpsOfCTA) * warpsOfCTA * warpSize;
  if (taken > atStart)
    return emitOpError("roles_c6: the roles take ")
           << taken << " registers, but the CTA has " << atStart;
  if (llvm::range_size(kernel.getBody().getOps<RolesOp>()) != 1)
    return emitOpError("roles_c7: a kernel splits into roles once");
  return success();
}

LogicalResult RolesOp::verifyRegions() {
  for (Region &body : getBodies()) {
    bool ends = false;
    for (Block &block : body)
      ends |= isa_and_present<EndRoleOp>(
          block.mightHaveTerminator() ? block.getTerminator() : nullptr);
    if (!ends)
      return emitOpError("roles_c8: no block of a role ends with "
                         "pbsgpu.end_role");
    WalkResult walk = body.walk([&](Operation *op) {
      if (!isa<gpu::BarrierOp, gpu::AllReduceOp>(op))
        return WalkResult::advance();
      op->emitOpError("roles_c9: means the whole CTA and does not stand in a "
                      "role; pbsgpu.role_barrier waits for the role");
      return WalkResult::interrupt();
    });
    if (walk.wasInterrupted())
      return failure();
  }
  return success();
}

LogicalResult RoleBarrierOp::verify() {
  if (RolesOp::findRole((*this)->getParentRegion()).first)
    return success();
  return emitOpError("role_barrier_c1: stands outside of roles; gpu.barrier "
                     "waits for the CTA");
}
