// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the tests of wgmma share: matrices in the canonical layouts of the PTX
// ISA, and a kernel around one or more products.

#ifndef PBS_TEST_WARPGROUPTEST_H
#define PBS_TEST_WARPGROUPTEST_H

#include "../../Oracles/MatrixLayout.h"
#include "EmulatorTest.h"

#include <cmath>

namespace pbs::runtime::test {

/// Rows of a matrix, or columns of B, by 16 along k.
struct Matrix {
  unsigned extent = 0;
  std::vector<float> values;
  float &at(unsigned row, unsigned k) { return values[row * 16 + k]; }
  float at(unsigned row, unsigned k) const { return values[row * 16 + k]; }
};

using Layout = oracle::MatrixLayout;

inline uint16_t toBFloatBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return uint16_t((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

inline float fromBFloatBits(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

/// Of what a half represents exactly, and infinities and NaNs.
inline uint16_t toHalfBits(float value) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value))
    return 0x7E00;
  if (std::isinf(value))
    return uint16_t(sign | 0x7C00);
  if (value == 0)
    return sign;
  int exponent = std::ilogb(value);
  if (exponent < -14)
    return uint16_t(sign | unsigned(std::ldexp(std::fabs(value), 24)));
  auto mantissa = unsigned(std::ldexp(std::fabs(value), 10 - exponent));
  return uint16_t(sign + (unsigned(exponent + 14) << 10) + mantissa);
}

inline float fromHalfBits(uint16_t bits) {
  int exponent = bits >> 10 & 31;
  auto mantissa = float(bits & 1023);
  float value = exponent == 31  ? (mantissa != 0 ? NAN : INFINITY)
                : exponent == 0 ? std::ldexp(mantissa, -24)
                                : std::ldexp(mantissa + 1024, exponent - 25);
  return bits & 0x8000 ? -value : value;
}

/// One product and how it is written.
struct Product {
  unsigned columns = 8;
  bool isBFloat = true;
  bool isHalfAccumulator = false;
  bool isAInRegisters = false;
  Layout a, b;
  std::string scale = "%p0";
  int signA = 1;
  int signB = 1;

  unsigned registers() const { return columns / (isHalfAccumulator ? 4 : 2); }
  uint16_t bits(float value) const {
    return isBFloat ? toBFloatBits(value) : toHalfBits(value);
  }

  /// The statement, with the accumulator %c0 and so on, %a0 to %a3 or %da, and
  /// %db.
  std::string statement(const std::string &da = "%da",
                        const std::string &db = "%db") const {
    std::string inputs = isBFloat ? ".bf16.bf16" : ".f16.f16";
    std::string text = "wgmma.mma_async.sync.aligned.m64n" +
                       std::to_string(columns) + "k16" +
                       (isHalfAccumulator ? ".f16" : ".f32") + inputs + " {";
    for (unsigned index = 0; index < registers(); ++index)
      text += (index ? ", %c" : "%c") + std::to_string(index);
    text += isAInRegisters ? "}, {%a0, %a1, %a2, %a3}, " : "}, " + da + ", ";
    text += db + ", " + scale + ", " + std::to_string(signA) + ", " +
            std::to_string(signB);
    if (!isAInRegisters)
      text += a.isTransposed ? ", 1" : ", 0";
    return text + (b.isTransposed ? ", 1;\n" : ", 0;\n");
  }
};

inline const std::string fenceWarpgroup = "wgmma.fence.sync.aligned;\n";
inline const std::string commitGroup = "wgmma.commit_group.sync.aligned;\n";
inline const std::string waitForAll = "wgmma.wait_group.sync.aligned 0;\n";

class WarpgroupTest : public EmulatorTest {
protected:
  /// Small integers, so that all sums are exact.
  Matrix randomMatrix(unsigned extent) {
    Matrix matrix;
    matrix.extent = extent;
    for (unsigned index = 0; index < extent * 16; ++index)
      matrix.values.push_back(float(int(random() % 15) - 7));
    return matrix;
  }

  /// A layout for \p extent rows whose first byte is at \p begin or later;
  /// \p begin becomes the end.
  Layout randomLayout(unsigned swizzle, bool isTransposed, unsigned extent,
                      uint32_t &begin) {
    Layout layout;
    layout.swizzle = swizzle;
    layout.isTransposed = isTransposed;
    uint32_t atom = swizzle ? 8 * swizzle : 128;
    // Blocks that follow each other along M or N, and along k.
    uint32_t block = swizzle && isTransposed ? swizzle / 2 : 8;
    uint32_t groups = (extent + block - 1) / block;
    uint32_t unit =
        atom * (1 + random() % 2) + (swizzle ? 0 : random() % 2 * 16);
    // Either those along k are next to each other, or those along M or N.
    bool isInner = random() % 2;
    uint32_t alongRows = isInner ? unit : 2 * unit;
    uint32_t alongK = isInner ? groups * unit : unit;
    bool isK = !isTransposed;
    bool isSwapped = isK || swizzle == 0;
    layout.stride = isSwapped ? alongRows : alongK;
    layout.leading = isSwapped ? alongK : alongRows;
    if (isK && swizzle)
      layout.leading = 16; // not used
    begin = (begin + 1023) / 1024 * 1024;
    layout.start = begin + (swizzle ? random() % 3 * 1024 : random() % 8 * 16);
    if (swizzle) {
      // A pattern that does not start where it would with no base offset.
      layout.baseOffset = random() % 2 ? random() % 8 : 0;
      layout.start += layout.baseOffset * 128;
    }
    // K-major tiles may be wider than 16 along k.
    if (isK && swizzle)
      layout.start += 32 * (random() % (swizzle / 32));
    begin = 0;
    for (unsigned row = 0; row < extent; ++row)
      for (unsigned k = 0; k < 16; ++k)
        begin = std::max(begin, layout.address(row, k) + 2);
    return layout;
  }

  /// \p matrix in \p image.
  void place(std::vector<uint8_t> &image, const Product &product,
             const Layout &layout, const Matrix &matrix) {
    for (unsigned row = 0; row < matrix.extent; ++row)
      for (unsigned k = 0; k < 16; ++k) {
        uint16_t bits = product.bits(matrix.at(row, k));
        size_t address = layout.address(row, k);
        if (image.size() < address + 2)
          image.resize((address + 2 + 127) / 128 * 128, 0x7F);
        std::memcpy(image.data() + address, &bits, 2);
      }
  }

  /// The kernel: fills shared memory, loads the accumulators, the fragments of
  /// A and the descriptors, and executes \p statements.
  static std::string kernel(const Product &product,
                            const std::string &statements) {
    std::string count = std::to_string(product.registers());
    std::string type = product.isHalfAccumulator ? "b32" : "f32";
    std::string ptx =
        ".extern .shared .align 1024 .b8 memory[];\n"
        ".visible .entry kernel(.param .u64 image, .param .u32 bytes,\n"
        "  .param .u64 data, .param .u64 fragments, .param .u64 a,\n"
        "  .param .u64 b, .param .u32 scale) {\n"
        ".reg .b32 %r<12>, %a<4>; .reg ." +
        type + " %c<" + count +
        ">;\n"
        ".reg .b64 %rd<8>, %da, %db; .reg .pred %p<4>;\n"
        "mov.u32 %r0, %tid.x; mov.u32 %r1, memory;\n"
        "ld.param.u64 %rd0, [image]; ld.param.u32 %r2, [bytes];\n"
        "ld.param.u64 %rd1, [data]; ld.param.u64 %rd2, [fragments];\n"
        "ld.param.u64 %da, [a]; ld.param.u64 %db, [b];\n"
        "ld.param.u32 %r3, [scale]; setp.ne.u32 %p0, %r3, 0;\n"
        "shr.u32 %r4, %r1, 4; cvt.u64.u32 %rd3, %r4;\n"
        "add.u64 %da, %da, %rd3; add.u64 %db, %db, %rd3;\n"
        "mul.lo.u32 %r4, %r0, 16;\n"
        "COPY: setp.lt.u32 %p1, %r4, %r2; @!%p1 bra COPIED;\n"
        "cvt.u64.u32 %rd3, %r4; add.u64 %rd3, %rd3, %rd0;\n"
        "ld.global.v4.u32 {%r5, %r6, %r7, %r8}, [%rd3];\n"
        "add.u32 %r9, %r4, %r1;\n"
        "st.shared.v4.u32 [%r9], {%r5, %r6, %r7, %r8};\n"
        "add.u32 %r4, %r4, 2048; bra COPY;\n"
        "COPIED: mad.wide.u32 %rd2, %r0, 16, %rd2;\n"
        "ld.global.v4.u32 {%a0, %a1, %a2, %a3}, [%rd2];\n"
        "mad.wide.u32 %rd1, %r0, " +
        count + "*4, %rd1;\n";
    for (unsigned index = 0; index < product.registers(); ++index) {
      std::string number = std::to_string(index);
      ptx +=
          "ld.global." + type + " %c" + number + ", [%rd1+4*" + number + "];\n";
    }
    ptx += "fence.proxy.async; bar.sync 0;\n" + statements;
    for (unsigned index = 0; index < product.registers(); ++index) {
      std::string number = std::to_string(index);
      ptx +=
          "st.global." + type + " [%rd1+4*" + number + "], %c" + number + ";\n";
    }
    return ptx + "ret;\n}\n";
  }

  /// Element \p element of thread \p thread's accumulator.
  static unsigned rowOf(unsigned thread, unsigned element) {
    return thread / 32 * 16 + thread % 32 / 4 + element % 4 / 2 * 8;
  }
  static unsigned columnOf(unsigned thread, unsigned element) {
    return element / 4 * 8 + thread % 4 * 2 + element % 2;
  }

  /// What execute() works on.
  struct Inputs {
    Matrix a, b;
    /// 64 rows of \p columns.
    std::vector<float> c;
    std::vector<uint8_t> image;
    uint32_t scale = 1;
    uint32_t threads = 128;
  };

  /// Random inputs, with both matrices in shared memory.
  Inputs randomInputs(const Product &product) {
    Inputs inputs;
    inputs.a = randomMatrix(64);
    inputs.b = randomMatrix(product.columns);
    for (unsigned index = 0; index < 64 * product.columns; ++index)
      inputs.c.push_back(float(int(random() % 201) - 100));
    place(inputs.image, product, product.a, inputs.a);
    place(inputs.image, product, product.b, inputs.b);
    return inputs;
  }

  /// The accumulator, 64 rows of columns, behind \p statements.
  std::vector<float> execute(const Product &product, const Inputs &inputs,
                             const std::string &statements) {
    // Registers of A: rows g and g + 8, then eight columns on.
    size_t threads = std::max(128u, inputs.threads);
    std::vector<uint32_t> fragments(threads * 4);
    for (unsigned thread = 0; thread < 128; ++thread)
      for (unsigned index = 0; index < 4; ++index) {
        unsigned row = thread / 32 * 16 + thread % 32 / 4 + index % 2 * 8;
        unsigned k = index / 2 * 8 + thread % 4 * 2;
        fragments[thread * 4 + index] =
            product.bits(inputs.a.at(row, k)) |
            uint32_t(product.bits(inputs.a.at(row, k + 1))) << 16;
      }
    unsigned perRegister = product.isHalfAccumulator ? 2 : 1;
    std::vector<uint32_t> data(threads * product.registers());
    for (unsigned thread = 0; thread < 128; ++thread)
      for (unsigned element = 0; element < product.columns / 2; ++element) {
        float value = inputs.c[rowOf(thread, element) * product.columns +
                               columnOf(thread, element)];
        uint32_t bits;
        std::memcpy(&bits, &value, 4);
        if (product.isHalfAccumulator)
          bits = uint32_t(toHalfBits(value)) << element % 2 * 16;
        data[thread * product.registers() + element / perRegister] |= bits;
      }
    DeviceAddress buffer = upload(data);
    LaunchConfiguration configuration;
    configuration.block = {inputs.threads, 1, 1};
    configuration.dynamicSharedBytes = inputs.image.size();
    run(kernel(product, statements), configuration,
        Parameters()
            .add(upload(inputs.image))
            .add(uint32_t(inputs.image.size()))
            .add(buffer)
            .add(upload(fragments))
            .add(product.a.descriptor())
            .add(product.b.descriptor())
            .add(inputs.scale));
    data = download<uint32_t>(buffer, data.size());
    std::vector<float> result(inputs.c.size());
    for (unsigned thread = 0; thread < 128; ++thread)
      for (unsigned element = 0; element < product.columns / 2; ++element) {
        uint32_t bits =
            data[thread * product.registers() + element / perRegister];
        float value;
        std::memcpy(&value, &bits, 4);
        if (product.isHalfAccumulator)
          value = fromHalfBits(uint16_t(bits >> element % 2 * 16));
        result[rowOf(thread, element) * product.columns +
               columnOf(thread, element)] = value;
      }
    return result;
  }

  std::vector<float> execute(const Product &product, const Inputs &inputs) {
    return execute(product, inputs,
                   fenceWarpgroup + product.statement() + commitGroup +
                       waitForAll);
  }

  /// a b, plus c if \p accumulates.
  static std::vector<float> expected(const Product &product,
                                     const Inputs &inputs,
                                     bool accumulates = true) {
    std::vector<float> result(inputs.c.size());
    for (unsigned row = 0; row < 64; ++row)
      for (unsigned column = 0; column < product.columns; ++column) {
        size_t index = row * product.columns + column;
        double sum = accumulates ? inputs.c[index] : 0;
        for (unsigned k = 0; k < 16; ++k)
          sum += double(product.signA * inputs.a.at(row, k)) *
                 double(product.signB * inputs.b.at(column, k));
        result[index] = float(sum);
      }
    return result;
  }
};

} // namespace pbs::runtime::test

#endif // PBS_TEST_WARPGROUPTEST_H
