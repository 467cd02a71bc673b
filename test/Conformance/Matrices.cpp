// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrices of a warp (PTX ISA, "Warp Level Matrix Instructions": ldmatrix,
// stmatrix, mma.sync), with the fragments' layouts from there.

#include "Elementwise.h"
#include "TileKernel.h"

#include <string>

namespace pbs::conformance {
namespace {

using Words = std::vector<uint32_t>;

std::string list(const std::string &name, unsigned count) {
  std::string text = "{";
  for (unsigned index = 0; index < count; ++index)
    text += (index ? ", " : "") + name + std::to_string(index);
  return text + "}";
}

/// Loads or stores %name0 and so on, 4 bytes each, at \p address.
std::string move(const std::string &opcode, const std::string &name,
                 unsigned count, const std::string &address) {
  std::string text;
  for (unsigned index = 0; index < count; ++index) {
    std::string place = "[" + address + "+" + std::to_string(4 * index) + "]";
    std::string value = name + std::to_string(index);
    text += opcode[0] == 'l' ? opcode + " " + value + ", " + place + ";\n"
                             : opcode + " " + place + ", " + value + ";\n";
  }
  return text;
}

/// ldmatrix of \p count matrices from scattered rows of 16 bytes, or stmatrix
/// to them. Row i of matrix m is at the address in lane 8 m + i.
void runMatrixMove(Environment &environment, const std::string &opcode,
                   unsigned count, bool isTransposed, bool stores) {
  // The rows' places: 64 places of 16 bytes in disorder.
  Words places(32);
  uint32_t factor = environment.below(32) * 2 + 1,
           shift = environment.below(64);
  for (uint32_t lane = 0; lane < 32; ++lane)
    places[lane] = (lane * factor + shift) % 64 * 16;
  std::vector<uint16_t> tile = environment.randomBits<uint16_t>(512);
  Words fragments = environment.randomBits<uint32_t>(32 * count);
  DeviceAddress memory = environment.upload(tile);
  DeviceAddress registers = environment.upload(fragments);
  std::string vector = count == 1 ? "{%a0}" : list("%a", count);
  std::string address = "[%r5]";
  std::string ptx =
      ".visible .entry kernel(.param .u64 tile, .param .u64 places,\n"
      "  .param .u64 registers) {\n"
      ".shared .align 16 .b8 rows[1024];\n"
      ".reg .b32 %r<8>, %a<4>; .reg .b64 %y<4>;\n"
      "ld.param.u64 %y0, [tile]; ld.param.u64 %y1, [places];\n"
      "ld.param.u64 %y2, [registers]; mov.u32 %r0, %tid.x;\n"
      "mad.wide.u32 %y0, %r0, 32, %y0; mad.wide.u32 %y1, %r0, 4, %y1;\n"
      "mad.wide.u32 %y2, %r0, " +
      std::to_string(4 * count) +
      ", %y2;\n"
      "mov.u32 %r6, rows; mad.lo.u32 %r7, %r0, 32, %r6;\n"
      "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%y0];\n"
      "st.shared.v4.u32 [%r7], {%r1, %r2, %r3, %r4};\n"
      "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%y0+16];\n"
      "st.shared.v4.u32 [%r7+16], {%r1, %r2, %r3, %r4};\n"
      "ld.global.u32 %r5, [%y1]; add.u32 %r5, %r5, %r6;\n"
      "bar.sync 0;\n" +
      move("ld.global.u32", "%a", count, "%y2") +
      (stores ? opcode + " " + address + ", " + vector
              : opcode + " " + vector + ", " + address) +
      ";\nbar.sync 0;\n" + move("st.global.u32", "%a", count, "%y2") +
      "ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [%r7];\n"
      "st.global.v4.u32 [%y0], {%r1, %r2, %r3, %r4};\n"
      "ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [%r7+16];\n"
      "st.global.v4.u32 [%y0+16], {%r1, %r2, %r3, %r4};\nret;\n}\n";
  LaunchConfiguration configuration;
  configuration.block = {32, 1, 1};
  ParameterBuffer parameters;
  parameters.append(memory);
  parameters.append(environment.upload(places));
  parameters.append(registers);
  environment.launch(ptx, configuration, parameters);
  for (uint32_t lane = 0; lane < 32; ++lane)
    for (uint32_t matrix = 0; matrix < count; ++matrix)
      for (uint32_t half = 0; half < 2; ++half) {
        uint32_t row = lane / 4, column = lane % 4 * 2 + half;
        if (isTransposed)
          std::swap(row, column);
        uint16_t &element = tile[places[matrix * 8 + row] / 2 + column];
        uint32_t &word = fragments[lane * count + matrix];
        if (stores)
          element = uint16_t(word >> 16 * half);
        else
          word = (word & ~(0xFFFFu << 16 * half)) | uint32_t(element)
                                                        << 16 * half;
      }
  expectSame("register", environment.download<uint32_t>(registers, 32 * count),
             fragments);
  expectSame("element", environment.download<uint16_t>(memory, 512), tile);
}

void addMoves(Suite &suite) {
  for (bool stores : {false, true})
    for (unsigned count : {1u, 2u, 4u})
      for (bool isTransposed : {false, true}) {
        std::string form = std::string(stores ? "stmatrix" : "ldmatrix") +
                           ".sync.aligned.m8n8.x" + std::to_string(count) +
                           (isTransposed ? ".trans" : "") + ".shared.b16";
        suite.add(form, stores ? "sm_90" : "sm_80", "exact",
                  [=](Environment &environment) {
                    runMatrixMove(environment, form, count, isTransposed,
                                  stores);
                  });
      }
}

struct Product {
  bool isBFloat = false;
  bool isHalfAccumulator = false;
  unsigned depth = 16;
  bool isInteger = false;

  std::string form() const {
    std::string input = isBFloat ? "bf16" : "f16";
    std::string sum = isHalfAccumulator ? "f16" : "f32";
    return "mma.sync.aligned.m16n8k" + std::to_string(depth) + ".row.col." +
           sum + "." + input + "." + input + "." + sum;
  }
  uint16_t bits(double value) const {
    return isBFloat ? roundTo<BFloat>(value).bits : roundTo<Half>(value).bits;
  }
  double value(uint16_t bits) const {
    return isBFloat ? toDouble(BFloat{bits}) : toDouble(Half{bits});
  }
};

double randomValue(Environment &environment, bool isInteger) {
  return isInteger ? double(environment.below(15)) - 7
                   : double(Uniform<-2, 2>(
                         Draw<Uniform<-2, 2>>::draw(environment.random)));
}

void runProduct(Environment &environment, const Product &product) {
  constexpr unsigned rows = 16, columns = 8;
  const unsigned depth = product.depth;
  std::vector<uint16_t> a(rows * depth), b(columns * depth);
  for (auto *matrix : {&a, &b})
    for (uint16_t &value : *matrix)
      value = product.bits(randomValue(environment, product.isInteger));
  std::vector<double> c(rows * columns);
  for (double &value : c) {
    value = randomValue(environment, product.isInteger);
    value = product.isHalfAccumulator ? toDouble(roundTo<Half>(value)) : value;
  }
  const unsigned aCount = depth / 4, bCount = depth / 8;
  const unsigned cCount = product.isHalfAccumulator ? 2 : 4;
  const unsigned count = aCount + bCount + cCount;
  Words registers(32 * count);
  // The place of an accumulator's element: lane, register and half of it.
  auto element = [&](Words &all, unsigned lane, unsigned index) -> uint32_t & {
    unsigned place = product.isHalfAccumulator ? index / 2 : index;
    return all[lane * count + aCount + bCount + place];
  };
  auto rowOf = [](unsigned lane, unsigned index) {
    return lane / 4 + index / 2 * 8;
  };
  auto columnOf = [](unsigned lane, unsigned index) {
    return lane % 4 * 2 + index % 2;
  };
  for (unsigned lane = 0; lane < 32; ++lane) {
    for (unsigned index = 0; index < aCount; ++index)
      for (unsigned half = 0; half < 2; ++half) {
        unsigned row = lane / 4 + index % 2 * 8;
        unsigned k = lane % 4 * 2 + index / 2 * 8 + half;
        registers[lane * count + index] |= uint32_t(a[row * depth + k])
                                           << 16 * half;
      }
    for (unsigned index = 0; index < bCount; ++index)
      for (unsigned half = 0; half < 2; ++half) {
        unsigned k = lane % 4 * 2 + index * 8 + half;
        registers[lane * count + aCount + index] |=
            uint32_t(b[lane / 4 * depth + k]) << 16 * half;
      }
    for (unsigned index = 0; index < 4; ++index) {
      double value = c[rowOf(lane, index) * columns + columnOf(lane, index)];
      if (product.isHalfAccumulator)
        element(registers, lane, index) |= uint32_t(roundTo<Half>(value).bits)
                                           << index % 2 * 16;
      else
        element(registers, lane, index) = bitCast<uint32_t>(float(value));
    }
  }
  std::string stride = std::to_string(4 * count);
  std::string ptx = ".visible .entry kernel(.param .u64 registers) {\n"
                    ".reg .b32 %r, %v<16>; .reg .b64 %y;\n"
                    "ld.param.u64 %y, [registers]; mov.u32 %r, %tid.x;\n"
                    "mad.wide.u32 %y, %r, " +
                    stride + ", %y;\n" +
                    move("ld.global.u32", "%v", count, "%y");
  auto part = [](unsigned first, unsigned size) {
    std::string text = "{";
    for (unsigned index = 0; index < size; ++index)
      text += (index ? ", %v" : "%v") + std::to_string(first + index);
    return text + "}";
  };
  ptx += product.form() + " " + part(aCount + bCount, cCount) + ", " +
         part(0, aCount) + ", " + part(aCount, bCount) + ", " +
         part(aCount + bCount, cCount) + ";\n" +
         move("st.global.u32", "%v", count, "%y") + "ret;\n}\n";
  DeviceAddress memory = environment.upload(registers);
  LaunchConfiguration configuration;
  configuration.block = {32, 1, 1};
  ParameterBuffer parameters;
  parameters.append(memory);
  environment.launch(ptx, configuration, parameters);
  Words results = environment.download<uint32_t>(memory, registers.size());
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned index = 0; index < 4; ++index) {
      unsigned row = rowOf(lane, index), column = columnOf(lane, index);
      double want = c[row * columns + column];
      double size = std::fabs(want);
      for (unsigned k = 0; k < depth; ++k) {
        double term = product.value(a[row * depth + k]) *
                      product.value(b[column * depth + k]);
        want += term;
        size += std::fabs(term);
      }
      uint32_t bits = element(results, lane, index);
      double got = product.isHalfAccumulator
                       ? toDouble(Half{uint16_t(bits >> index % 2 * 16)})
                       : double(bitCast<float>(bits));
      double bound = product.isInteger           ? 0
                     : product.isHalfAccumulator ? 0x1p-10 * size
                                                 : depth * 0x1p-23 * size;
      if (!(std::fabs(got - want) <= bound))
        throw Mismatch("row " + std::to_string(row) + " column " +
                       std::to_string(column) + ": got " + std::to_string(got) +
                       ", want " + std::to_string(want));
    }
}

void addProducts(Suite &suite) {
  for (bool isBFloat : {true, false})
    for (bool isHalfAccumulator : {false, true})
      for (unsigned depth : {8u, 16u})
        for (bool isInteger : {true, false}) {
          if (isBFloat && isHalfAccumulator)
            continue;
          Product product = {isBFloat, isHalfAccumulator, depth, isInteger};
          suite.add(product.form() + (isInteger ? " of integers" : ""), "sm_80",
                    isInteger           ? "exact"
                    : isHalfAccumulator ? "2^-10 * sum|a*b|"
                                        : "k * 2^-23 * sum|a*b|",
                    [=](Environment &environment) {
                      for (unsigned round = 0; round < 4; ++round)
                        runProduct(environment, product);
                    });
        }
}

} // namespace

void addMatrices(Suite &suite) {
  addMoves(suite);
  addProducts(suite);
}

} // namespace pbs::conformance
