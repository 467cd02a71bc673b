// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer arithmetic (PTX ISA, "Integer Arithmetic Instructions" and "Extended-
// Precision Integer Arithmetic Instructions").

#include "Elementwise.h"

#include <algorithm>
#include <cstdlib>

namespace pbs::conformance {
namespace {

template <typename T>
using Wide =
    std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;

/// What all widths and signs have.
template <typename T> void addWidth(Suite &suite, const std::string &type) {
  using W = Wide<T>;
  using U = std::make_unsigned_t<T>;
  constexpr unsigned bits = sizeof(T) * 8;
  auto two = [&](const char *name) { return name + type + " %d, %a, %b;"; };
  auto three = [&](const char *name) {
    return name + type + " %d, %a, %b, %c;";
  };
  exact(suite, two("add."), [](T a, T b) { return T(W(a) + W(b)); });
  exact(suite, two("sub."), [](T a, T b) { return T(W(a) - W(b)); });
  exact(suite, two("mul.lo."), [](T a, T b) { return T(W(a) * W(b)); });
  exact(suite, two("mul.hi."), [](T a, T b) { return T(W(a) * W(b) >> bits); });
  exact(suite, three("mad.lo."),
        [](T a, T b, T c) { return T(W(a) * W(b) + W(c)); });
  exact(suite, three("mad.hi."),
        [](T a, T b, T c) { return T((W(a) * W(b) >> bits) + W(c)); });
  exact(suite, two("div."), [](T a, NonZero<T> b) { return T(W(a) / W(b)); });
  exact(suite, two("rem."), [](T a, NonZero<T> b) { return T(W(a) % W(b)); });
  exact(suite, two("min."), [](T a, T b) { return std::min(a, b); });
  exact(suite, two("max."), [](T a, T b) { return std::max(a, b); });
  exact(suite, three("sad."), [](T a, T b, U c) {
    return U(c + U(a < b ? W(b) - W(a) : W(a) - W(b)));
  });
}

template <typename T, typename Twice>
void addWidening(Suite &suite, const std::string &type) {
  exact(suite, "mul.wide." + type + " %d, %a, %b;",
        [](T a, T b) { return Twice(Wide<T>(a) * Wide<T>(b)); });
  exact(suite, "mad.wide." + type + " %d, %a, %b, %c;", [](T a, T b, Twice c) {
    return Twice(Wide<T>(a) * Wide<T>(b) + Wide<T>(c));
  });
}

template <typename T> void addSigned(Suite &suite, const std::string &type) {
  using W = Wide<T>;
  exact(suite, "abs." + type + " %d, %a;",
        [](T a) { return T(a < 0 ? -W(a) : W(a)); });
  exact(suite, "neg." + type + " %d, %a;", [](T a) { return T(-W(a)); });
}

/// function on both 16-bit halves.
template <typename T, typename Function>
uint32_t onHalves(uint32_t a, uint32_t b, Function function) {
  auto half = [&](unsigned shift) {
    return uint32_t(uint16_t(function(T(a >> shift), T(b >> shift)))) << shift;
  };
  return half(0) | half(16);
}

template <typename T> void addPacked(Suite &suite, const std::string &type) {
  exact(
      suite, "min." + type + " %d, %a, %b;",
      [](uint32_t a, uint32_t b) {
        return onHalves<T>(a, b, [](T x, T y) { return std::min(x, y); });
      },
      "", "sm_90");
  exact(
      suite, "max." + type + " %d, %a, %b;",
      [](uint32_t a, uint32_t b) {
        return onHalves<T>(a, b, [](T x, T y) { return std::max(x, y); });
      },
      "", "sm_90");
}

int32_t signed24(uint32_t a) { return int32_t(a << 8) >> 8; }

void add24(Suite &suite) {
  exact(suite, "mul24.lo.u32 %d, %a, %b;", [](uint32_t a, uint32_t b) {
    return uint32_t(uint64_t(a & 0xFFFFFF) * (b & 0xFFFFFF));
  });
  exact(suite, "mul24.lo.s32 %d, %a, %b;", [](uint32_t a, uint32_t b) {
    return uint32_t(int64_t(signed24(a)) * signed24(b));
  });
  exact(suite, "mad24.lo.u32 %d, %a, %b, %c;",
        [](uint32_t a, uint32_t b, uint32_t c) {
          return uint32_t(uint64_t(a & 0xFFFFFF) * (b & 0xFFFFFF)) + c;
        });
  exact(suite, "mad24.lo.s32 %d, %a, %b, %c;",
        [](uint32_t a, uint32_t b, uint32_t c) {
          return uint32_t(int64_t(signed24(a)) * signed24(b)) + c;
        });
}

int32_t saturated(int64_t value) {
  return int32_t(std::clamp<int64_t>(value, INT32_MIN, INT32_MAX));
}

/// Numbers of twice the width, computed with carries from one half to the
/// other; the second opcode is the case's.
void addExtended(Suite &suite) {
  auto chain = [&](const std::string &form, const std::string &statements,
                   auto function) {
    suite.add(form, "sm_80", "exact",
              Signature<decltype(&decltype(function)::operator())>::exact(
                  statements, function));
  };
  const std::string split = "mov.b64 {%t0, %t1}, %a; mov.b64 {%t2, %t3}, %b;\n";
  const std::string join = "\nmov.b64 %d, {%t4, %t5};";
  using U = uint64_t;
  chain("add.cc.u32",
        split +
            "add.cc.u32 %t4, %t0, %t2;\n"
            "addc.u32 %t5, %t1, %t3;" +
            join,
        [](U a, U b) { return a + b; });
  chain("sub.cc.u32",
        split +
            "sub.cc.u32 %t4, %t0, %t2;\n"
            "subc.u32 %t5, %t1, %t3;" +
            join,
        [](U a, U b) { return a - b; });
  chain("addc.cc.u32",
        split +
            "add.cc.u32 %t4, %t0, %t2;\n"
            "addc.cc.u32 %t5, %t1, %t3;\n"
            "addc.u32 %t4, %t4, 0;" +
            join,
        [](U a, U b) {
          U sum = a + b;
          return (sum & 0xFFFFFFFF00000000) |
                 uint32_t(uint32_t(sum) + (sum < a));
        });
  chain("subc.cc.u32",
        split +
            "sub.cc.u32 %t4, %t0, %t2;\n"
            "subc.cc.u32 %t5, %t1, %t3;\n"
            "subc.u32 %t4, %t4, 0;" +
            join,
        [](U a, U b) {
          U difference = a - b;
          return (difference & 0xFFFFFFFF00000000) |
                 uint32_t(uint32_t(difference) - (a < b));
        });
  // The product of two 64-bit numbers, its lower 64 bits.
  chain("mad.lo.cc.u32",
        split +
            "mul.lo.u32 %t4, %t0, %t2; mul.hi.u32 %t6, %t0, %t2;\n"
            "mad.lo.u32 %t6, %t0, %t3, %t6;\n"
            "mad.lo.cc.u32 %t5, %t1, %t2, %t6;\naddc.u32 %t4, %t4, 0;" +
            join,
        [](U a, U b) {
          U low = U(uint32_t(a)) * uint32_t(b);
          U sum = uint32_t((low >> 32) + (a & 0xFFFFFFFF) * (b >> 32));
          sum += uint32_t((a >> 32) * (b & 0xFFFFFFFF));
          return U(uint32_t(low + (sum >> 32))) | sum << 32;
        });
  chain("madc.hi.u32",
        split +
            "mad.lo.cc.u32 %t4, %t0, %t2, %t1;\n"
            "madc.hi.u32 %t5, %t0, %t2, 0;" +
            join,
        [](U a, U b) { return U(uint32_t(a)) * uint32_t(b) + (a >> 32); });
  chain("madc.lo.cc.u32",
        split +
            "add.cc.u32 %t6, %t0, %t2;\n"
            "madc.lo.cc.u32 %t4, %t1, %t3, %t6;\n"
            "addc.u32 %t5, 0, 0;" +
            join,
        [](U a, U b) {
          U sum = U(uint32_t(a)) + uint32_t(b);
          return U(uint32_t((a >> 32) * (b >> 32))) + uint32_t(sum) +
                 (sum >> 32);
        });
  chain("mad.hi.cc.u32",
        split +
            "mad.hi.cc.u32 %t4, %t0, %t2, %t1;\n"
            "addc.u32 %t5, 0, 0;" +
            join,
        [](U a, U b) {
          return (U(uint32_t(a)) * uint32_t(b) >> 32) + (a >> 32);
        });
  chain("add.cc.u64", "add.cc.u64 %u0, %a, %b;\naddc.u64 %d, 0, 0;",
        [](U a, U b) { return U(a + b < a); });
  chain("subc.u64", "sub.cc.u64 %u0, %a, %b;\nsubc.u64 %d, 5, 0;",
        [](U a, U b) { return U(5 - (a < b)); });
}

} // namespace

void addIntegers(Suite &suite) {
  addWidth<int16_t>(suite, "s16");
  addWidth<uint16_t>(suite, "u16");
  addWidth<int32_t>(suite, "s32");
  addWidth<uint32_t>(suite, "u32");
  addWidth<int64_t>(suite, "s64");
  addWidth<uint64_t>(suite, "u64");
  addWidening<int16_t, int32_t>(suite, "s16");
  addWidening<uint16_t, uint32_t>(suite, "u16");
  addWidening<int32_t, int64_t>(suite, "s32");
  addWidening<uint32_t, uint64_t>(suite, "u32");
  addSigned<int16_t>(suite, "s16");
  addSigned<int32_t>(suite, "s32");
  addSigned<int64_t>(suite, "s64");
  addPacked<int16_t>(suite, "s16x2");
  addPacked<uint16_t>(suite, "u16x2");
  add24(suite);
  addExtended(suite);
  exact(suite, "add.sat.s32 %d, %a, %b;",
        [](int32_t a, int32_t b) { return saturated(int64_t(a) + b); });
  exact(suite, "sub.sat.s32 %d, %a, %b;",
        [](int32_t a, int32_t b) { return saturated(int64_t(a) - b); });
  exact(
      suite, "min.relu.s32 %d, %a, %b;",
      [](int32_t a, int32_t b) { return std::max(std::min(a, b), 0); }, "",
      "sm_90");
  exact(
      suite, "max.relu.s32 %d, %a, %b;",
      [](int32_t a, int32_t b) { return std::max(std::max(a, b), 0); }, "",
      "sm_90");
  exact(suite, "dp4a.s32.s32 %d, %a, %b, %c;",
        [](uint32_t a, uint32_t b, uint32_t c) {
          for (unsigned shift = 0; shift < 32; shift += 8)
            c += uint32_t(int8_t(a >> shift) * int8_t(b >> shift));
          return c;
        });
  exact(suite, "dp4a.u32.u32 %d, %a, %b, %c;",
        [](uint32_t a, uint32_t b, uint32_t c) {
          for (unsigned shift = 0; shift < 32; shift += 8)
            c += uint32_t(uint8_t(a >> shift)) * uint8_t(b >> shift);
          return c;
        });
  exact(suite, "dp4a.u32.s32 %d, %a, %b, %c;",
        [](uint32_t a, uint32_t b, uint32_t c) {
          for (unsigned shift = 0; shift < 32; shift += 8)
            c += uint32_t(int32_t(uint8_t(a >> shift)) * int8_t(b >> shift));
          return c;
        });
}

} // namespace pbs::conformance
