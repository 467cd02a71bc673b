// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of wgmma: layouts, shapes, types, signs, rounding.

#include "WarpgroupTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

/// Both operands at the start of shared memory, K-major, 128-byte swizzle.
Product plainProduct(unsigned columns) {
  Product product;
  product.columns = columns;
  product.a.swizzle = product.b.swizzle = 128;
  product.a.stride = product.b.stride = 1024;
  product.b.start = 8 * 1024;
  return product;
}

} // namespace

TEST_F(WarpgroupTest, readsEveryLayout) {
  for (unsigned swizzleA : {0, 32, 64, 128})
    for (unsigned swizzleB : {0, 32, 64, 128})
      for (unsigned form = 0; form < 6; ++form) {
        Product product;
        product.columns = 8 + random() % 32 * 8;
        product.isBFloat = random() % 2;
        product.isAInRegisters = form / 2 == 2;
        uint32_t end = 0;
        product.a = randomLayout(swizzleA, form / 2 == 1, 64, end);
        product.b = randomLayout(swizzleB, form % 2 == 1, product.columns, end);
        Inputs inputs = randomInputs(product);
        EXPECT_EQ(execute(product, inputs), expected(product, inputs))
            << product.statement() << "A swizzle " << swizzleA << ", B swizzle "
            << swizzleB << ", " << seedText;
      }
}

TEST_F(WarpgroupTest, multipliesEveryShape) {
  for (unsigned columns = 8; columns <= 256; columns += 8)
    for (unsigned types = 0; types < 3; ++types) {
      Product product = plainProduct(columns);
      product.isBFloat = types == 0;
      product.isHalfAccumulator = types == 2;
      product.isAInRegisters = random() % 2;
      Inputs inputs = randomInputs(product);
      EXPECT_EQ(execute(product, inputs), expected(product, inputs))
          << product.statement() << seedText;
    }
}

TEST_F(WarpgroupTest, scalesInputsAndAccumulator) {
  for (int signA : {1, -1})
    for (int signB : {1, -1})
      for (const char *scale : {"%p0", "!%p0", "0", "1"})
        for (uint32_t value : {0, 1}) {
          Product product = plainProduct(16);
          product.signA = signA;
          product.signB = signB;
          product.scale = scale;
          product.isAInRegisters = random() % 2;
          Inputs inputs = randomInputs(product);
          inputs.scale = value;
          bool accumulates = scale[0] == '1' || (scale[0] == '%' && value) ||
                             (scale[0] == '!' && !value);
          // What is not added is not looked at.
          if (!accumulates)
            inputs.c.assign(inputs.c.size(), NAN);
          EXPECT_EQ(execute(product, inputs),
                    expected(product, inputs, accumulates))
              << product.statement() << value << ", " << seedText;
        }
}

TEST_F(WarpgroupTest, roundsSumsInTheOrderOfK) {
  for (bool isBFloat : {true, false})
    for (bool isPortable : {true, false}) {
      EmulatorOptions options;
      options.hostThreads = 1;
      options.portable = isPortable;
      device = createEmulator(options);
      Product product = plainProduct(24);
      product.isBFloat = isBFloat;
      Inputs inputs = randomInputs(product);
      // Eight bits that sums do not keep.
      for (Matrix *matrix : {&inputs.a, &inputs.b})
        for (float &value : matrix->values)
          value = std::ldexp(float(int(random() % 255) - 127),
                             int(random() % 12) - 6);
      inputs.c = randomFloats(inputs.c.size(), -4, 4);
      place(inputs.image, product, product.a, inputs.a);
      place(inputs.image, product, product.b, inputs.b);
      std::vector<float> want = inputs.c;
      for (unsigned index = 0; index < want.size(); ++index)
        for (unsigned k = 0; k < 16; ++k) {
          float exact = inputs.a.at(index / 24, k) * inputs.b.at(index % 24, k);
          want[index] += exact;
        }
      EXPECT_EQ(execute(product, inputs), want) << seedText;
    }
}

TEST_F(WarpgroupTest, roundsHalfAccumulatorsOnce) {
  Product product = plainProduct(32);
  product.isBFloat = false;
  product.isHalfAccumulator = true;
  Inputs inputs = randomInputs(product);
  // Odd multiples of 1/8 up to 2000: a half rounded in between would be off.
  for (float &value : inputs.a.values)
    value = float(int(random() % 100) - 50) + 0.125f;
  place(inputs.image, product, product.a, inputs.a);
  std::vector<float> exact = expected(product, inputs);
  std::vector<float> results = execute(product, inputs);
  for (unsigned index = 0; index < results.size(); ++index) {
    int exponent = exact[index] == 0 ? 0 : std::ilogb(exact[index]);
    EXPECT_LE(std::fabs(results[index] - exact[index]),
              std::ldexp(1.0f, exponent - 11))
        << exact[index] << ", " << seedText;
  }
}

TEST_F(WarpgroupTest, treatsSpecialValuesAsMmaDoes) {
  Product product = plainProduct(8);
  Inputs inputs = randomInputs(product);
  auto fillRow = [&](unsigned row, float value) {
    for (unsigned k = 0; k < 16; ++k)
      inputs.a.at(row, k) = value;
  };
  fillRow(0, 0.0f);
  fillRow(1, 0.0f);
  fillRow(2, INFINITY);
  fillRow(3, 1.0f);
  inputs.a.at(3, 5) = NAN;
  for (float &value : inputs.b.values)
    value = -1;
  for (unsigned column = 0; column < 8; ++column) {
    inputs.c[column] = -0.0f;
    inputs.c[8 + column] = 0.0f;
  }
  place(inputs.image, product, product.a, inputs.a);
  place(inputs.image, product, product.b, inputs.b);
  std::vector<float> results = execute(product, inputs);
  for (unsigned column = 0; column < 8; ++column) {
    EXPECT_TRUE(results[column] == 0 && std::signbit(results[column]));
    EXPECT_TRUE(results[8 + column] == 0 && !std::signbit(results[8 + column]));
    EXPECT_EQ(results[16 + column], -INFINITY);
    uint32_t bits;
    std::memcpy(&bits, &results[24 + column], 4);
    EXPECT_EQ(bits, 0x7FFFFFFFu);
  }
  // Without the accumulator sums begin with +0.
  inputs.scale = 0;
  results = execute(product, inputs);
  EXPECT_FALSE(std::signbit(results[0]));
}

// Of a tile of 64 along k, the operands of each product are 32 bytes further
// in their rows; a transposed B of 128 columns is two halves of 64 columns.
TEST_F(WarpgroupTest, advancesThroughATile) {
  Product product = plainProduct(128);
  product.b.isTransposed = true;
  product.b.leading = 16384;
  std::vector<float> want;
  Inputs inputs;
  std::string statements = fenceWarpgroup;
  for (unsigned step = 0; step < 4; ++step) {
    Product part = product;
    part.a.start += 32 * step;
    part.b.start += 2048 * step;
    Inputs more = randomInputs(part);
    if (step == 0)
      want = inputs.c = more.c;
    inputs.a = more.a;
    place(inputs.image, part, part.a, more.a);
    place(inputs.image, part, part.b, more.b);
    more.c = want;
    want = expected(part, more);
    statements += product.statement() + "add.u64 %da, %da, 2;\n" +
                  "add.u64 %db, %db, 128;\n";
  }
  EXPECT_EQ(execute(product, inputs, statements + commitGroup + waitForAll),
            want)
      << seedText;
}
