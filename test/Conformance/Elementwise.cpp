// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Elementwise.h"

#include <algorithm>

namespace pbs::conformance {

std::string elementwiseKernel(const std::string &statements, size_t resultBytes,
                              const std::vector<size_t> &inputBytes) {
  static const char *const names[] = {"a", "b", "c"};
  auto bits = [](size_t bytes) {
    return std::to_string(std::max<size_t>(bytes, 2) * 8);
  };
  std::string ptx = ".visible .entry kernel(.param .u64 out";
  for (size_t index = 0; index < inputBytes.size(); ++index)
    ptx += std::string(", .param .u64 in_") + names[index];
  ptx += ") {\n.reg .b32 %t<8>, %x<4>; .reg .b64 %u<4>, %y<4>;\n"
         ".reg .b16 %h<4>; .reg .pred %p<4>;\n.reg .b" +
         bits(resultBytes) + " %d;\n";
  ptx += "mov.u32 %x0, %tid.x; mov.u32 %x1, %ctaid.x;\n"
         "mad.lo.u32 %x0, %x1, 128, %x0;\n";
  for (size_t index = 0; index < inputBytes.size(); ++index) {
    std::string name = names[index];
    ptx += ".reg .b" + bits(inputBytes[index]) + " %" + name +
           ";\nld.param.u64 %y0, [in_" + name + "];\nmad.wide.u32 %y0, %x0, " +
           std::to_string(inputBytes[index]) + ", %y0;\nld.global.b" +
           std::to_string(inputBytes[index] * 8) + " %" + name + ", [%y0];\n";
  }
  return ptx + statements + "\nld.param.u64 %y0, [out];\nmad.wide.u32 %y0, " +
         "%x0, " + std::to_string(resultBytes) + ", %y0;\nst.global.b" +
         std::to_string(resultBytes * 8) + " [%y0], %d;\nret;\n}\n";
}

std::string firstOpcode(const std::string &statements) {
  return statements.substr(0, statements.find(' '));
}

} // namespace pbs::conformance
