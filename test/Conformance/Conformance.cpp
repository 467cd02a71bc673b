// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Conformance.h"

#include "pbs/Runtime/Error.h"

#include <fstream>
#include <string_view>

namespace pbs::conformance {
namespace {

/// The longest name in Instructions.def that \p form begins with.
std::string findInstruction(const std::string &form) {
  static constexpr std::string_view names[] = {
#define PBS_INSTRUCTION(name, class, modifiers, operands, selector) name,
#include "Instructions.def"
#undef PBS_INSTRUCTION
  };
  std::string_view best;
  for (std::string_view name : names) {
    bool isPrefix = form.compare(0, name.size(), name) == 0 &&
                    (form.size() == name.size() || form[name.size()] == '.' ||
                     form[name.size()] == ' ');
    if (isPrefix && name.size() > best.size())
      best = name;
  }
  if (best.empty())
    throw std::logic_error("no instruction for '" + form + "'");
  return std::string(best);
}

} // namespace

Environment::~Environment() {
  for (DeviceAddress address : allocations)
    try {
      device.deallocate(address);
    } catch (const runtime::Error &) {
      // After a failed kernel nothing can be freed.
    }
}

DeviceAddress Environment::allocate(size_t bytes) {
  DeviceAddress address = device.allocate(bytes);
  allocations.push_back(address);
  return address;
}

void Environment::launch(const std::string &ptx,
                         const LaunchConfiguration &configuration,
                         const ParameterBuffer &parameters) {
  const std::string header = ".version 8.6\n.target " + target +
                             "\n.address_size 64\n"
                             ".extern .shared .align 1024 .b8 memory[];\n";
  if (!collected.empty()) {
    std::ofstream file(collected + target + ".ptx", std::ios::app);
    if (file.tellp() == std::ofstream::pos_type(0))
      file << header;
    // Each kernel needs a name of its own.
    static unsigned number = 0;
    std::string renamed = ptx;
    renamed.replace(ptx.find(".entry kernel("), 14,
                    ".entry kernel_" + std::to_string(file.tellp()) + "_" +
                        std::to_string(number++) + "(");
    file << renamed << "\n";
  }
  auto module = device.loadModule(header + ptx, "kernel.ptx");
  device.launch(*module, "kernel", configuration, parameters.bytes());
  device.synchronize();
}

void Suite::add(const std::string &form, const std::string &target,
                const std::string &comparison,
                std::function<void(Environment &)> run) {
  for (const Case &other : cases)
    if (other.form == form)
      throw std::logic_error("two cases '" + form + "'");
  cases.push_back(
      {findInstruction(form), form, comparison, target, std::move(run)});
}

} // namespace pbs::conformance
