// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Instructions of a warpgroup: wgmma in its shapes, types and layouts, its
// groups, setmaxnreg.

#include "TileKernel.h"
#include "Warpgroup.h"

namespace pbs::conformance {
namespace {

const char *boundOf(const WarpgroupProduct &product) {
  return product.isInteger           ? "exact"
         : product.isHalfAccumulator ? "2^-10 * sum|a*b|"
                                     : "k * 2^-23 * sum|a*b|";
}

void add(Suite &suite, const WarpgroupProduct &product,
         const std::string &variant) {
  suite.add(product.opcode() + " " + variant, "sm_90a", boundOf(product),
            [=](Environment &environment) {
              WarpgroupProduct placed = product;
              placeOperands(placed, environment.random);
              runWarpgroupProduct(environment, placed);
            });
}

/// Both operands K-major with the widest swizzle.
WarpgroupProduct plainProduct(unsigned columns, bool isBFloat = true) {
  WarpgroupProduct product;
  product.columns = columns;
  product.isBFloat = isBFloat;
  product.a.swizzle = product.b.swizzle = 128;
  return product;
}

std::string describe(const MatrixLayout &layout) {
  return (layout.swizzle ? std::to_string(layout.swizzle) + "B"
                         : "unswizzled") +
         (layout.isTransposed ? " MN-major" : " K-major");
}

void addShapes(Suite &suite) {
  for (unsigned columns = 8; columns <= 256; columns += 8) {
    add(suite, plainProduct(columns), "of integers");
    add(suite, plainProduct(columns, false), "of integers");
  }
  for (unsigned columns : {8u, 64u, 128u, 256u}) {
    WarpgroupProduct product = plainProduct(columns);
    product.isInteger = false;
    add(suite, product, "of reals");
    product.isBFloat = false;
    add(suite, product, "of reals");
    product.isHalfAccumulator = true;
    add(suite, product, "of reals");
    product.isInteger = true;
    add(suite, product, "of integers");
  }
}

void addSpecials(Suite &suite) {
  for (bool isBFloat : {true, false})
    for (bool isAInRegisters : {false, true}) {
      WarpgroupProduct product = plainProduct(64, isBFloat);
      product.hasSpecials = true;
      product.isAInRegisters = isAInRegisters;
      std::string variant = "with infinities and NaNs";
      if (isAInRegisters)
        variant += ", A in registers";
      add(suite, product, variant);
      if (isBFloat)
        continue;
      product.isHalfAccumulator = true;
      add(suite, product, variant);
    }
}

void addLayouts(Suite &suite) {
  for (unsigned swizzle : {0u, 32u, 64u, 128u})
    for (bool isTransposed : {false, true}) {
      MatrixLayout layout;
      layout.swizzle = swizzle;
      layout.isTransposed = isTransposed;
      WarpgroupProduct product = plainProduct(96);
      product.a = layout;
      add(suite, product, "A " + describe(layout));
      product = plainProduct(96);
      product.b = layout;
      add(suite, product, "B " + describe(layout));
      product.isAInRegisters = true;
      add(suite, product, "A in registers, B " + describe(layout));
      product.isBFloat = false;
      product.isAInRegisters = false;
      product.a = layout;
      product.columns = 64;
      add(suite, product, "A and B " + describe(layout));
    }
}

void addSteps(Suite &suite) {
  for (bool isTransposed : {false, true}) {
    WarpgroupProduct product = plainProduct(128);
    product.depth = 64;
    product.a.isTransposed = product.b.isTransposed = isTransposed;
    std::string order = isTransposed ? "MN-major" : "K-major";
    add(suite, product, "four steps along K, " + order);
    product.isInteger = false;
    add(suite, product, "four steps along K, of reals, " + order);
    product.isInteger = true;
    product.hasGroups = true;
    add(suite, product, "four groups, " + order);
    product.hasGroups = false;
    product.isAInRegisters = true;
    add(suite, product, "four steps along K, A in registers, " + order);
  }
  WarpgroupProduct unswizzled = plainProduct(128);
  unswizzled.depth = 64;
  unswizzled.a.swizzle = unswizzled.b.swizzle = 0;
  add(suite, unswizzled, "four steps along K, unswizzled");
  for (unsigned swizzle : {64u, 32u}) {
    WarpgroupProduct product = plainProduct(128);
    product.depth = swizzle / 2;
    product.a.swizzle = product.b.swizzle = swizzle;
    add(suite, product,
        "a whole row of " + std::to_string(swizzle) + "B along K");
  }
}

void addImmediates(Suite &suite) {
  for (bool isHalfAccumulator : {false, true}) {
    WarpgroupProduct product = plainProduct(64, !isHalfAccumulator);
    product.isHalfAccumulator = isHalfAccumulator;
    product.signA = -1;
    add(suite, product, "A negated");
    product.signB = -1;
    add(suite, product, "A and B negated");
    product.signA = 1;
    add(suite, product, "B negated");
    product.isAInRegisters = true;
    add(suite, product, "A in registers, B negated");
    product.signA = -1;
    add(suite, product, "A in registers, both negated");
    product = plainProduct(64, !isHalfAccumulator);
    product.isHalfAccumulator = isHalfAccumulator;
    product.accumulates = false;
    add(suite, product, "without the accumulator");
    product.isAInRegisters = true;
    add(suite, product, "A in registers, without the accumulator");
  }
}

/// Matrices whose swizzle patterns do not begin at a multiple of 1024 bytes.
void addBaseOffsets(Suite &suite) {
  for (uint32_t baseOffset : {1u, 2u, 3u, 4u, 5u, 7u})
    for (bool isTransposed : {false, true}) {
      WarpgroupProduct product = plainProduct(64);
      product.b.baseOffset = baseOffset;
      product.b.isTransposed = isTransposed;
      add(suite, product,
          "base offset " + std::to_string(baseOffset) +
              (isTransposed ? ", MN-major" : ", K-major"));
    }
  WarpgroupProduct product = plainProduct(64);
  product.a.baseOffset = 3;
  add(suite, product, "base offset 3 of A");
}

/// Two warpgroups that exchange registers, and compute on.
void addRegisterCounts(Suite &suite) {
  for (const char *direction : {"dec", "inc"})
    suite.add(
        std::string("setmaxnreg.") + direction + ".sync.aligned.u32", "sm_90a",
        "exact", [=](Environment &environment) {
          // 96 registers for each of 256 threads at launch, so that what one
          // warpgroup gives the other takes.
          std::string ptx =
              ".visible .entry kernel(.param .u64 out) .maxntid 256, 1, 1 "
              ".maxnreg 96 {\n"
              ".reg .b32 %r<8>; .reg .b64 %y; .reg .pred %p;\n"
              "ld.param.u64 %y, [out]; mov.u32 %r0, %tid.x;\n"
              "mad.wide.u32 %y, %r0, 4, %y; setp.ge.u32 %p, %r0, 128;\n"
              "@%p bra SECOND;\n"
              "setmaxnreg.dec.sync.aligned.u32 40; mov.u32 %r1, 3;\n"
              "bra BOTH;\nSECOND:\n"
              "setmaxnreg.inc.sync.aligned.u32 152; mov.u32 %r1, 5;\nBOTH:\n"
              "mul.lo.u32 %r2, %r0, %r1; st.global.u32 [%y], %r2;\nret;\n}\n";
          DeviceAddress out = environment.allocate(1024);
          LaunchConfiguration configuration;
          configuration.block = {256, 1, 1};
          ParameterBuffer parameters;
          parameters.append(out);
          environment.launch(ptx, configuration, parameters);
          std::vector<uint32_t> want;
          for (uint32_t thread = 0; thread < 256; ++thread)
            want.push_back(thread * (thread < 128 ? 3 : 5));
          expectSame("thread", environment.download<uint32_t>(out, 256), want);
        });
}

void addGroups(Suite &suite) {
  for (const char *form :
       {"wgmma.fence.sync.aligned", "wgmma.commit_group.sync.aligned",
        "wgmma.wait_group.sync.aligned"})
    suite.add(form, "sm_90a", "exact", [](Environment &environment) {
      WarpgroupProduct product = plainProduct(32);
      product.depth = 64;
      product.hasGroups = true;
      placeOperands(product, environment.random);
      runWarpgroupProduct(environment, product);
    });
}

} // namespace

void addWarpgroups(Suite &suite) {
  addShapes(suite);
  addLayouts(suite);
  addSteps(suite);
  addImmediates(suite);
  addSpecials(suite);
  addBaseOffsets(suite);
  addGroups(suite);
  addRegisterCounts(suite);
}

} // namespace pbs::conformance
