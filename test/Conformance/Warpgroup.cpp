// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Warpgroup.h"

#include "Elementwise.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

namespace pbs::conformance {
namespace {

/// 16 columns of K, from which an instruction takes its part.
constexpr unsigned stepDepth = 16;

std::string number(uint64_t value) { return std::to_string(value); }

uint16_t bitsOf(const WarpgroupProduct &product, double value) {
  return product.isBFloat ? roundTo<BFloat>(value).bits
                          : roundTo<Half>(value).bits;
}

double valueOf(const WarpgroupProduct &product, uint16_t bits) {
  return product.isBFloat ? toDouble(BFloat{bits}) : toDouble(Half{bits});
}

/// Rows of A, or columns of B, by the depth.
struct Operand {
  unsigned extent = 0;
  unsigned depth = 0;
  std::vector<uint16_t> bits;

  Operand(const WarpgroupProduct &product, unsigned extent, Random &random)
      : extent(extent), depth(product.depth) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const double specials[] = {infinity, -infinity, infinity, -infinity,
                               std::nan("")};
    for (unsigned index = 0; index < extent * depth; ++index)
      bits.push_back(bitsOf(
          product, product.hasSpecials && random() % 64 == 0
                       ? specials[random() % std::size(specials)]
                   : product.isInteger
                       ? double(random() % 15) - 7
                       : double(Draw<Uniform<-2, 2>>::draw(random).value)));
  }
  uint16_t at(unsigned mn, unsigned k) const { return bits[mn * depth + k]; }
};

/// The layout of 16 columns of K further on.
MatrixLayout stepped(const MatrixLayout &layout, unsigned step) {
  MatrixLayout result = layout;
  if (!layout.isTransposed && layout.swizzle)
    result.start += 2 * stepDepth * step; // inside the swizzled row
  else
    result.start += 2 * step *
                    (layout.isTransposed && layout.swizzle ? layout.stride
                                                           : layout.leading);
  return result;
}

void place(std::vector<uint8_t> &image, const Operand &operand,
           const MatrixLayout &layout) {
  for (unsigned mn = 0; mn < operand.extent; ++mn)
    for (unsigned k = 0; k < operand.depth; ++k) {
      MatrixLayout part = stepped(layout, k / stepDepth);
      size_t address = part.address(mn, k % stepDepth);
      if (image.size() < address + 2)
        image.resize((address + 2 + 127) / 128 * 128, 0x7F);
      uint16_t bits = operand.at(mn, k);
      std::memcpy(image.data() + address, &bits, 2);
    }
}

/// Element \p element of thread \p thread's accumulator.
unsigned rowOf(unsigned thread, unsigned element) {
  return thread / 32 * 16 + thread % 32 / 4 + element % 4 / 2 * 8;
}
unsigned columnOf(unsigned thread, unsigned element) {
  return element / 4 * 8 + thread % 4 * 2 + element % 2;
}

unsigned accumulatorRegisters(const WarpgroupProduct &product) {
  return product.columns / (product.isHalfAccumulator ? 4 : 2);
}

/// The instruction, of operands %da or %a0 on, and %db.
std::string statement(const WarpgroupProduct &product) {
  std::string text = product.opcode() + " {";
  for (unsigned index = 0; index < accumulatorRegisters(product); ++index)
    text += (index ? ", %c" : "%c") + number(index);
  text += product.isAInRegisters ? "}, {%a0, %a1, %a2, %a3}, " : "}, %da, ";
  text += "%db, %p0, " + std::to_string(product.signA) + ", " +
          std::to_string(product.signB);
  if (!product.isAInRegisters)
    text += product.a.isTransposed ? ", 1" : ", 0";
  return text + (product.b.isTransposed ? ", 1;\n" : ", 0;\n");
}

/// Fills shared memory, loads accumulators, fragments and descriptors,
/// multiplies, and stores the accumulators.
std::string kernel(const WarpgroupProduct &product) {
  const unsigned registers = accumulatorRegisters(product);
  const unsigned steps = product.depth / stepDepth;
  const std::string type = product.isHalfAccumulator ? "b32" : "f32";
  auto accumulators = [&](const std::string &opcode) {
    std::string text;
    for (unsigned index = 0; index < registers; ++index) {
      std::string place = "[%rd1+" + number(4 * index) + "]";
      std::string value = "%c" + number(index);
      text += opcode[0] == 'l' ? opcode + type + " " + value + ", " + place
                               : opcode + type + " " + place + ", " + value;
      text += ";\n";
    }
    return text;
  };
  std::string ptx =
      ".visible .entry kernel(.param .u64 image, .param .u32 bytes,\n"
      "  .param .u64 data, .param .u64 fragments, .param .u64 a,\n"
      "  .param .u64 b, .param .u32 scale, .param .u32 aStep,\n"
      "  .param .u32 bStep) {\n"
      ".reg .b32 %r<12>, %a<4>; .reg ." +
      type + " %c<" + number(registers) +
      ">;\n.reg .b64 %rd<8>, %da, %db, %ea, %eb; .reg .pred %p<4>;\n"
      "mov.u32 %r0, %tid.x; mov.u32 %r1, memory;\n"
      "ld.param.u64 %rd0, [image]; ld.param.u32 %r2, [bytes];\n"
      "ld.param.u64 %rd1, [data]; ld.param.u64 %rd2, [fragments];\n"
      "ld.param.u64 %da, [a]; ld.param.u64 %db, [b];\n"
      "ld.param.u32 %r3, [scale]; setp.ne.u32 %p0, %r3, 0;\n"
      "ld.param.u32 %r4, [aStep]; cvt.u64.u32 %ea, %r4;\n"
      "ld.param.u32 %r4, [bStep]; cvt.u64.u32 %eb, %r4;\n"
      "shr.u32 %r4, %r1, 4; cvt.u64.u32 %rd3, %r4;\n"
      "add.u64 %da, %da, %rd3; add.u64 %db, %db, %rd3;\n"
      "mul.lo.u32 %r4, %r0, 16;\n"
      "COPY: setp.lt.u32 %p1, %r4, %r2; @!%p1 bra COPIED;\n"
      "cvt.u64.u32 %rd3, %r4; add.u64 %rd3, %rd3, %rd0;\n"
      "ld.global.v4.u32 {%r5, %r6, %r7, %r8}, [%rd3];\n"
      "add.u32 %r9, %r4, %r1;\n"
      "st.shared.v4.u32 [%r9], {%r5, %r6, %r7, %r8};\n"
      "add.u32 %r4, %r4, 2048; bra COPY;\n"
      "COPIED: mad.wide.u32 %rd2, %r0, " +
      number(16 * steps) +
      ", %rd2;\n"
      "mad.wide.u32 %rd1, %r0, " +
      number(4 * registers) + ", %rd1;\n" + accumulators("ld.global.") +
      "fence.proxy.async; bar.sync 0;\n";
  for (unsigned step = 0; step < steps; ++step) {
    if (product.isAInRegisters)
      ptx += "ld.global.v4.u32 {%a0, %a1, %a2, %a3}, [%rd2+" +
             number(16 * step) + "];\n";
    ptx += "wgmma.fence.sync.aligned;\n" + statement(product) +
           "add.u64 %da, %da, %ea; add.u64 %db, %db, %eb;\n"
           "setp.eq.u32 %p0, %r0, %r0;\n";
    // Registers of A may not change before the product has read them.
    if (product.isAInRegisters || product.hasGroups)
      ptx += std::string("wgmma.commit_group.sync.aligned;\n"
                         "wgmma.wait_group.sync.aligned ") +
             (product.isAInRegisters ? "0;\n" : "1;\n");
  }
  return ptx +
         "wgmma.commit_group.sync.aligned;\n"
         "wgmma.wait_group.sync.aligned 0;\n" +
         accumulators("st.global.") + "ret;\n}\n";
}

/// Fragments of A: for each thread and step four registers, of rows g and
/// g + 8, then eight columns on.
std::vector<uint32_t> fragmentsOf(const WarpgroupProduct &product,
                                  const Operand &a) {
  std::vector<uint32_t> fragments;
  for (unsigned thread = 0; thread < 128; ++thread)
    for (unsigned step = 0; step < product.depth / stepDepth; ++step)
      for (unsigned index = 0; index < 4; ++index) {
        unsigned row = thread / 32 * 16 + thread % 32 / 4 + index % 2 * 8;
        unsigned k = step * stepDepth + index / 2 * 8 + thread % 4 * 2;
        fragments.push_back(a.at(row, k) | uint32_t(a.at(row, k + 1)) << 16);
      }
  return fragments;
}

void compare(const WarpgroupProduct &product, const Operand &a,
             const Operand &b, const std::vector<double> &c,
             const std::vector<double> &results) {
  for (unsigned row = 0; row < 64; ++row)
    for (unsigned column = 0; column < product.columns; ++column) {
      double want = product.accumulates ? c[row * product.columns + column] : 0;
      double size = std::fabs(want);
      for (unsigned k = 0; k < product.depth; ++k) {
        double term = product.signA * valueOf(product, a.at(row, k)) *
                      product.signB * valueOf(product, b.at(column, k));
        want += term;
        size += std::fabs(term);
      }
      double bound = product.isInteger ? 0
                     : product.isHalfAccumulator
                         ? 0x1p-10 * size
                         : product.depth * 0x1p-23 * size;
      double got = results[row * product.columns + column];
      bool isRight = std::isnan(want)   ? std::isnan(got)
                     : std::isinf(want) ? got == want
                                        : std::fabs(got - want) <= bound;
      if (!isRight)
        throw Mismatch("row " + number(row) + " column " + number(column) +
                       ": got " + std::to_string(got) + ", want " +
                       std::to_string(want));
    }
}

/// A layout for \p extent rows whose first byte is at \p begin or later;
/// \p begin becomes the end.
void placeLayout(MatrixLayout &layout, unsigned extent, unsigned depth,
                 uint32_t &begin, Random &random) {
  uint32_t atom = layout.swizzle ? 8 * layout.swizzle : 128;
  // Elements of a block along M or N.
  uint32_t block =
      layout.swizzle && layout.isTransposed ? layout.swizzle / 2 : 8;
  uint32_t groups = (extent + block - 1) / block;
  uint32_t unit = atom * (1 + random() % 2);
  // Either blocks along K are next to each other, or those along M or N.
  bool isInner = random() % 2;
  uint32_t alongRows = isInner ? unit : unit * (depth / 8);
  uint32_t alongK = isInner ? groups * unit : unit;
  // MN-major with a swizzle has its offsets the other way round.
  bool isSwapped = !layout.isTransposed || layout.swizzle == 0;
  layout.stride = isSwapped ? alongRows : alongK;
  layout.leading = isSwapped ? alongK : alongRows;
  if (!layout.isTransposed && layout.swizzle) {
    layout.leading = 16; // not used
    layout.stride = unit;
  }
  begin = (begin + 1023) / 1024 * 1024;
  layout.start = begin + layout.baseOffset * 128;
  uint32_t end = 0;
  for (unsigned mn = 0; mn < extent; ++mn)
    for (unsigned k = 0; k < depth; ++k)
      end = std::max(
          end, stepped(layout, k / stepDepth).address(mn, k % stepDepth) + 2);
  begin = end;
}

} // namespace

std::string WarpgroupProduct::opcode() const {
  std::string inputs = isBFloat ? ".bf16.bf16" : ".f16.f16";
  return "wgmma.mma_async.sync.aligned.m64n" + number(columns) + "k16" +
         (isHalfAccumulator ? ".f16" : ".f32") + inputs;
}

void placeOperands(WarpgroupProduct &product, Random &random) {
  uint32_t end = 0;
  if (!product.isAInRegisters)
    placeLayout(product.a, 64, product.depth, end, random);
  placeLayout(product.b, product.columns, product.depth, end, random);
}

void runWarpgroupProduct(Environment &environment,
                         const WarpgroupProduct &product) {
  Operand a(product, 64, environment.random);
  Operand b(product, product.columns, environment.random);
  std::vector<double> c;
  for (unsigned index = 0; index < 64 * product.columns; ++index)
    c.push_back(double(environment.below(201)) - 100);
  std::vector<uint8_t> image;
  if (!product.isAInRegisters)
    place(image, a, product.a);
  place(image, b, product.b);
  const unsigned registers = accumulatorRegisters(product);
  const unsigned perRegister = product.isHalfAccumulator ? 2 : 1;
  std::vector<uint32_t> data(128 * registers);
  auto forElements = [&](auto function) {
    for (unsigned thread = 0; thread < 128; ++thread)
      for (unsigned element = 0; element < product.columns / 2; ++element)
        function(data[thread * registers + element / perRegister],
                 element % perRegister * 16,
                 rowOf(thread, element) * product.columns +
                     columnOf(thread, element));
  };
  forElements([&](uint32_t &word, unsigned shift, unsigned index) {
    if (product.isHalfAccumulator)
      word |= uint32_t(roundTo<Half>(c[index]).bits) << shift;
    else
      word = bitCast<uint32_t>(float(c[index]));
  });
  DeviceAddress buffer = environment.upload(data);
  LaunchConfiguration configuration;
  configuration.block = {128, 1, 1};
  configuration.dynamicSharedBytes = image.size();
  ParameterBuffer parameters;
  parameters.append(environment.upload(image));
  parameters.append(uint32_t(image.size()));
  parameters.append(buffer);
  parameters.append(environment.upload(fragmentsOf(product, a)));
  parameters.append(product.a.descriptor());
  parameters.append(product.b.descriptor());
  parameters.append(uint32_t(product.accumulates));
  auto stepOf = [](const MatrixLayout &layout) {
    return (stepped(layout, 1).start - layout.start) >> 4;
  };
  parameters.append(stepOf(product.a));
  parameters.append(stepOf(product.b));
  environment.launch(kernel(product), configuration, parameters);
  data = environment.download<uint32_t>(buffer, data.size());
  std::vector<double> results(c.size());
  forElements([&](uint32_t word, unsigned shift, unsigned index) {
    results[index] = product.isHalfAccumulator
                         ? toDouble(Half{uint16_t(word >> shift)})
                         : double(bitCast<float>(word));
  });
  compare(product, a, b, c, results);
}

} // namespace pbs::conformance
