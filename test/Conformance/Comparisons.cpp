// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Comparisons and selections (PTX ISA, "Comparison and Selection
// Instructions", and testp).

#include "Elementwise.h"

#include <cmath>

namespace pbs::conformance {
namespace {

/// Equal ones are among the inputs more often than chance has it.
template <typename T> T mixed(T a, T b, uint32_t chooser) {
  return chooser % 4 == 0 ? a : b;
}
const std::string mix = "and.b32 %t0, %c, 3; setp.eq.u32 %p1, %t0, 0;\n";

template <typename T> std::string select() {
  std::string bits = std::to_string(sizeof(T) * 8);
  return "selp.b" + bits + " %b, %a, %b, %p1;\n";
}

const std::string end = "\nselp.u32 %d, 1, 0, %p0;";

template <typename T, typename Relation>
void addRelation(Suite &suite, const std::string &opcode, Relation relation) {
  auto expected = [=](T a, T b, uint32_t chooser) {
    return uint32_t(relation(a, mixed(a, b, chooser)));
  };
  suite.add(opcode, "sm_80", "exact",
            Signature<decltype(&decltype(expected)::operator())>::exact(
                mix + select<T>() + opcode + " %p0, %a, %b;" + end, expected));
}

template <typename T> void addIntegers(Suite &suite, const std::string &type) {
  addRelation<T>(suite, "setp.eq." + type, [](T a, T b) { return a == b; });
  addRelation<T>(suite, "setp.ne." + type, [](T a, T b) { return a != b; });
  addRelation<T>(suite, "setp.lt." + type, [](T a, T b) { return a < b; });
  addRelation<T>(suite, "setp.le." + type, [](T a, T b) { return a <= b; });
  addRelation<T>(suite, "setp.gt." + type, [](T a, T b) { return a > b; });
  addRelation<T>(suite, "setp.ge." + type, [](T a, T b) { return a >= b; });
}

template <typename T> void addUnsigned(Suite &suite, const std::string &type) {
  addRelation<T>(suite, "setp.lo." + type, [](T a, T b) { return a < b; });
  addRelation<T>(suite, "setp.ls." + type, [](T a, T b) { return a <= b; });
  addRelation<T>(suite, "setp.hi." + type, [](T a, T b) { return a > b; });
  addRelation<T>(suite, "setp.hs." + type, [](T a, T b) { return a >= b; });
}

template <typename T, typename Read>
void addFloats(Suite &suite, const std::string &type, Read read) {
  auto relation = [&](const std::string &name, auto function) {
    addRelation<T>(suite, "setp." + name + "." + type,
                   [=](T a, T b) { return function(read(a), read(b)); });
  };
  using F = double;
  auto unordered = [](F a, F b) { return std::isnan(a) || std::isnan(b); };
  relation("eq", [](F a, F b) { return a == b; });
  relation("ne", [=](F a, F b) { return a != b && !unordered(a, b); });
  relation("lt", [](F a, F b) { return a < b; });
  relation("le", [](F a, F b) { return a <= b; });
  relation("gt", [](F a, F b) { return a > b; });
  relation("ge", [](F a, F b) { return a >= b; });
  relation("equ", [=](F a, F b) { return a == b || unordered(a, b); });
  relation("neu", [](F a, F b) { return !(a == b); });
  relation("ltu", [](F a, F b) { return !(a >= b); });
  relation("leu", [](F a, F b) { return !(a > b); });
  relation("gtu", [](F a, F b) { return !(a <= b); });
  relation("geu", [](F a, F b) { return !(a < b); });
  relation("num", [=](F a, F b) { return !unordered(a, b); });
  relation("nan", [=](F a, F b) { return unordered(a, b); });
}

/// Both halves of a pair, each with a predicate.
template <typename T> void addPairs(Suite &suite, const std::string &type) {
  exact(
      suite,
      "setp.lt." + type +
          " %p0|%p2, %a, %b;\n"
          "selp.u32 %t1, 1, 0, %p0; selp.u32 %t2, 2, 0, %p2;\n"
          "or.b32 %d, %t1, %t2;",
      [](Pair<T> a, Pair<T> b) {
        return uint32_t(toDouble(a.low()) < toDouble(b.low())) |
               uint32_t(toDouble(a.high()) < toDouble(b.high())) << 1;
      },
      "", type[0] == 'b' ? "sm_90" : "sm_80");
}

/// The second destination, and a third predicate.
void addCombined(Suite &suite) {
  auto combined = [&](const std::string &name, auto combine) {
    std::string opcode = "setp.lt." + name + ".s32";
    auto expected = [=](int32_t a, int32_t b, int32_t c) {
      bool third = c > 0;
      return uint32_t(combine(a < b, !third)) |
             uint32_t(combine(!(a < b), !third)) << 1;
    };
    suite.add(opcode, "sm_80", "exact",
              Signature<decltype(&decltype(expected)::operator())>::exact(
                  "setp.gt.s32 %p1, %c, 0;\n" + opcode +
                      " %p0|%p2, %a, %b, !%p1;\nselp.u32 %t0, 2, 0, %p2;\n"
                      "selp.u32 %t1, 1, 0, %p0;\nor.b32 %d, %t0, %t1;",
                  expected));
  };
  combined("and", [](bool a, bool b) { return a && b; });
  combined("or", [](bool a, bool b) { return a || b; });
  combined("xor", [](bool a, bool b) { return a != b; });
}

template <typename T> void addSelection(Suite &suite, const char *type) {
  std::string opcode = std::string("selp.") + type;
  auto expected = [](T a, T b, uint32_t c) { return c & 1 ? a : b; };
  suite.add(opcode, "sm_80", "exact",
            Signature<decltype(&decltype(expected)::operator())>::exact(
                "and.b32 %t0, %c, 1; setp.eq.u32 %p0, %t0, 1;\n" + opcode +
                    " %d, %a, %b, %p0;",
                expected));
}

void addSelections(Suite &suite) {
  addSelection<uint16_t>(suite, "b16");
  addSelection<uint16_t>(suite, "u16");
  addSelection<int16_t>(suite, "s16");
  addSelection<uint32_t>(suite, "b32");
  addSelection<uint32_t>(suite, "u32");
  addSelection<int32_t>(suite, "s32");
  addSelection<float>(suite, "f32");
  addSelection<uint64_t>(suite, "b64");
  addSelection<int64_t>(suite, "s64");
  addSelection<double>(suite, "f64");
}

void addProperties(Suite &suite) {
  auto property = [&](const std::string &name, auto function) {
    exact(suite, "testp." + name + ".f32 %p0, %a;" + end,
          [=](float a) { return uint32_t(function(a)); });
    exact(suite, "testp." + name + ".f64 %p0, %a;" + end,
          [=](double a) { return uint32_t(function(a)); });
  };
  property("finite", [](auto a) { return std::isfinite(a); });
  property("infinite", [](auto a) { return std::isinf(a); });
  property("number", [](auto a) { return !std::isnan(a); });
  property("notanumber", [](auto a) { return std::isnan(a); });
  // Zeros count as normal.
  property("normal", [](auto a) { return std::isnormal(a) || a == 0; });
  property("subnormal",
           [](auto a) { return std::fpclassify(a) == FP_SUBNORMAL; });
}

} // namespace

void addComparisons(Suite &suite) {
  addIntegers<int16_t>(suite, "s16");
  addIntegers<uint16_t>(suite, "u16");
  addIntegers<int32_t>(suite, "s32");
  addIntegers<uint32_t>(suite, "u32");
  addIntegers<int64_t>(suite, "s64");
  addIntegers<uint64_t>(suite, "u64");
  addUnsigned<uint32_t>(suite, "u32");
  addUnsigned<uint64_t>(suite, "u64");
  addRelation<uint32_t>(suite, "setp.eq.b32",
                        [](uint32_t a, uint32_t b) { return a == b; });
  addFloats<float>(suite, "f32", [](float a) { return double(a); });
  addFloats<double>(suite, "f64", [](double a) { return a; });
  addFloats<Half>(suite, "f16", [](Half a) { return toDouble(a); });
  addRelation<float>(suite, "setp.eq.ftz.f32",
                     [](float a, float b) { return flushed(a) == flushed(b); });
  addPairs<Half>(suite, "f16x2");
  addPairs<BFloat>(suite, "bf16x2");
  addCombined(suite);
  addProperties(suite);
  using U = uint32_t;
  exact(suite, "set.lt.u32.s32 %d, %a, %b;",
        [](int32_t a, int32_t b) { return a < b ? UINT32_MAX : 0; });
  exact(suite, "set.geu.f32.f32 %d, %a, %b;",
        [](float a, float b) { return !(a < b) ? 1.0f : 0.0f; });
  exact(suite, "set.eq.u32.u32 %d, %a, %b;",
        [](U a, U b) { return a == b ? UINT32_MAX : 0; });
  exact(suite, "set.gt.f16.f16 %d, %a, %b;", [](Half a, Half b) {
    return Half{uint16_t(toDouble(a) > toDouble(b) ? 0x3C00 : 0)};
  });
  exact(suite, "set.gt.f16x2.f16x2 %d, %a, %b;", [](Half2 a, Half2 b) {
    auto one = [](Half x, Half y) {
      return Half{uint16_t(toDouble(x) > toDouble(y) ? 0x3C00 : 0)};
    };
    return makePair(one(a.low(), b.low()), one(a.high(), b.high()));
  });
  exact(suite, "slct.u32.s32 %d, %a, %b, %c;",
        [](U a, U b, int32_t c) { return c >= 0 ? a : b; });
  exact(suite, "slct.b64.s32 %d, %a, %b, %c;",
        [](uint64_t a, uint64_t b, int32_t c) { return c >= 0 ? a : b; });
  // Negative zero counts as not negative, and NaN as negative.
  exact(suite, "slct.b32.f32 %d, %a, %b, %c;",
        [](U a, U b, float c) { return c >= 0 ? a : b; });
  exact(suite, "slct.ftz.b32.f32 %d, %a, %b, %c;",
        [](U a, U b, float c) { return flushed(c) >= 0 ? a : b; });
  addSelections(suite);
}

} // namespace pbs::conformance
