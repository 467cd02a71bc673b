// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bits, shifts and bytes (PTX ISA, "Logic and Shift Instructions" and the bit
// instructions of "Integer Arithmetic Instructions").

#include "Elementwise.h"

#include <algorithm>
#include <cstring>

namespace pbs::conformance {
namespace {

template <typename U> void addWidth(Suite &suite, const std::string &bits) {
  constexpr unsigned width = sizeof(U) * 8;
  using S = std::make_signed_t<U>;
  using Amount = Within<0, 80>;
  exact(suite, "and.b" + bits + " %d, %a, %b;",
        [](U a, U b) { return U(a & b); });
  exact(suite, "or.b" + bits + " %d, %a, %b;",
        [](U a, U b) { return U(a | b); });
  exact(suite, "xor.b" + bits + " %d, %a, %b;",
        [](U a, U b) { return U(a ^ b); });
  exact(suite, "not.b" + bits + " %d, %a;", [](U a) { return U(~a); });
  exact(suite, "cnot.b" + bits + " %d, %a;", [](U a) { return U(a == 0); });
  exact(suite, "shl.b" + bits + " %d, %a, %b;",
        [](U a, Amount n) { return n >= width ? U(0) : U(a << n); });
  exact(suite, "shr.u" + bits + " %d, %a, %b;",
        [](U a, Amount n) { return n >= width ? U(0) : U(a >> n); });
  exact(suite, "shr.s" + bits + " %d, %a, %b;", [](U a, Amount n) {
    return U(S(a) >> std::min<uint32_t>(n, width - 1));
  });
}

template <typename U> U reversed(U value) {
  U result = 0;
  for (unsigned bit = 0; bit < sizeof(U) * 8; ++bit)
    result |= U(value >> bit & 1) << (sizeof(U) * 8 - 1 - bit);
  return result;
}

template <typename T> uint32_t highestBit(T value) {
  using U = std::make_unsigned_t<T>;
  U bits = value < 0 ? U(~value) : U(value);
  for (unsigned bit = sizeof(T) * 8; bit-- > 0;)
    if (bits >> bit & 1)
      return bit;
  return UINT32_MAX;
}

/// Bits from \p position on, \p length of them; beyond the highest there is the
/// sign, where there is one (PTX ISA, bfe).
template <typename T> T extracted(T value, uint32_t position, uint32_t length) {
  constexpr uint32_t highest = sizeof(T) * 8 - 1;
  position &= 0xFF;
  length &= 0xFF;
  bool sign = false;
  if (std::is_signed_v<T> && length != 0)
    sign = value >> std::min(position + length - 1, highest) & 1;
  std::make_unsigned_t<T> result = 0;
  for (uint32_t bit = 0; bit <= highest; ++bit) {
    bool isInside = bit < length && position + bit <= highest;
    bool set = isInside ? value >> (position + bit) & 1 : sign;
    result |= std::make_unsigned_t<T>(set) << bit;
  }
  return T(result);
}

template <typename U>
U inserted(U field, U base, uint32_t position, uint32_t length) {
  constexpr uint32_t width = sizeof(U) * 8;
  position &= 0xFF;
  length &= 0xFF;
  for (uint32_t bit = 0; bit < length && position + bit < width; ++bit) {
    U place = U(1) << (position + bit);
    base = field >> bit & 1 ? base | place : base & ~place;
  }
  return base;
}

template <typename T> void addFields(Suite &suite, const std::string &type) {
  using Amount = Within<0, 70>;
  exact(suite, "bfind." + type + " %d, %a;", [](T a) { return highestBit(a); });
  exact(suite, "bfind.shiftamt." + type + " %d, %a;", [](T a) {
    uint32_t bit = highestBit(a);
    return bit == UINT32_MAX ? bit : uint32_t(sizeof(T) * 8 - 1) - bit;
  });
  exact(suite, "bfe." + type + " %d, %a, %b, %c;",
        [](T a, Amount position, Amount length) {
          return extracted<T>(a, position, length);
        });
}

template <typename U> void addBits(Suite &suite, const std::string &bits) {
  exact(suite, "popc.b" + bits + " %d, %a;", [](U a) {
    uint32_t count = 0;
    for (; a; a &= a - 1)
      ++count;
    return count;
  });
  exact(suite, "clz.b" + bits + " %d, %a;", [](U a) {
    uint32_t count = 0;
    for (U bit = U(1) << (sizeof(U) * 8 - 1); bit && !(a & bit); bit >>= 1)
      ++count;
    return count;
  });
  exact(suite, "brev.b" + bits + " %d, %a;", [](U a) { return reversed(a); });
}

uint32_t funnel(uint32_t low, uint32_t high, uint32_t amount, bool isLeft) {
  uint64_t both = uint64_t(high) << 32 | low;
  return isLeft ? uint32_t(both << amount >> 32) : uint32_t(both >> amount);
}

void addFunnels(Suite &suite) {
  using U = uint32_t;
  using Amount = Within<0, 80>;
  for (bool isLeft : {true, false})
    for (bool wraps : {true, false})
      exact(suite,
            std::string("shf.") + (isLeft ? "l" : "r") +
                (wraps ? ".wrap" : ".clamp") + ".b32 %d, %a, %b, %c;",
            [=](U a, U b, Amount n) {
              return funnel(a, b, wraps ? n & 31 : std::min<U>(n, 32), isLeft);
            });
}

uint32_t lookUp(uint32_t a, uint32_t b, uint32_t c, unsigned table) {
  uint32_t result = 0;
  for (unsigned bit = 0; bit < 32; ++bit) {
    unsigned index = (a >> bit & 1) << 2 | (b >> bit & 1) << 1 | (c >> bit & 1);
    result |= (table >> index & 1) << bit;
  }
  return result;
}

void addLookups(Suite &suite) {
  using U = uint32_t;
  for (unsigned table : {0x00, 0x20, 0x35, 0x80, 0x96, 0xCA, 0xE8, 0xFE}) {
    std::string number = std::to_string(table);
    exact(
        suite, "lop3.b32 %d, %a, %b, %c, " + number + ";",
        [=](U a, U b, U c) { return lookUp(a, b, c, table); },
        " table " + number);
  }
  for (bool isAnd : {false, true}) {
    std::string form = std::string("lop3.") + (isAnd ? "and" : "or") + ".b32";
    auto expected = [=](U a, U b, U c) {
      U value = lookUp(a, b, c, 150);
      bool result = isAnd ? value != 0 && a > b : value != 0 || a > b;
      return value ^ U(result);
    };
    suite.add(form, "sm_80", "exact",
              Signature<decltype(&decltype(expected)::operator())>::exact(
                  "setp.gt.u32 %p1, %a, %b;\n" + form +
                      " %t0|%p0, %a, %b, %c, 150, %p1;\n"
                      "selp.u32 %t1, 1, 0, %p0; xor.b32 %d, %t0, %t1;",
                  expected));
  }
}

template <typename Select>
void addPermutation(Suite &suite, const std::string &mode, Select select) {
  using U = uint32_t;
  exact(suite, "prmt.b32" + mode + " %d, %a, %b, %c;",
        [=](U a, U b, U selector) {
          uint64_t bytes = uint64_t(b) << 32 | a;
          U result = 0;
          for (unsigned place = 0; place < 4; ++place) {
            unsigned choice = select(selector, place);
            auto byte = uint8_t(bytes >> (choice & 7) * 8);
            if (choice & 8)
              byte = byte & 0x80 ? 0xFF : 0;
            result |= U(byte) << place * 8;
          }
          return result;
        });
}

void addPermutations(Suite &suite) {
  using U = uint32_t;
  addPermutation(suite, "", [](U s, U i) { return s >> 4 * i & 15; });
  addPermutation(suite, ".f4e", [](U s, U i) { return ((s & 3) + i) & 7; });
  addPermutation(suite, ".b4e", [](U s, U i) { return ((s & 3) - i) & 7; });
  addPermutation(suite, ".rc8", [](U s, U) { return s & 3; });
  addPermutation(suite, ".ecl", [](U s, U i) { return std::max(s & 3, i); });
  addPermutation(suite, ".ecr", [](U s, U i) { return std::min(s & 3, i); });
  addPermutation(suite, ".rc16",
                 [](U s, U i) { return (s & 1) * 2 + (i & 1); });
}

void addMasks(Suite &suite) {
  using Amount = Within<0, 80>;
  for (bool wraps : {false, true})
    exact(suite,
          std::string("bmsk.") + (wraps ? "wrap" : "clamp") +
              ".b32 %d, %a, %b;",
          [=](Amount from, Amount width) {
            uint32_t start = wraps ? from & 31 : std::min<uint32_t>(from, 32);
            uint32_t count = wraps ? width & 31 : std::min<uint32_t>(width, 32);
            uint64_t ones = (uint64_t(1) << count) - 1;
            return uint32_t(ones << start);
          });
}

void addPredicates(Suite &suite) {
  using U = uint32_t;
  const std::string begin = "setp.lt.u32 %p0, %a, %b; setp.lt.u32 %p1, %b, "
                            "%c;\n";
  const std::string end = " selp.u32 %d, 1, 0, %p2;";
  auto predicate = [&](const std::string &form, const std::string &operands,
                       auto function) {
    auto values = [=](U a, U b, U c) { return U(function(a < b, b < c)); };
    suite.add(form, "sm_80", "exact",
              Signature<decltype(&decltype(values)::operator())>::exact(
                  begin + form + operands + end, values));
  };
  predicate("and.pred", " %p2, %p0, %p1;",
            [](bool a, bool b) { return a && b; });
  predicate("or.pred", " %p2, %p0, %p1;",
            [](bool a, bool b) { return a || b; });
  predicate("xor.pred", " %p2, %p0, %p1;",
            [](bool a, bool b) { return a != b; });
  predicate("not.pred", " %p2, %p1;", [](bool, bool b) { return !b; });
  predicate("mov.pred", " %p2, %p0;", [](bool a, bool) { return a; });
}

} // namespace

void addLogic(Suite &suite) {
  addWidth<uint16_t>(suite, "16");
  addWidth<uint32_t>(suite, "32");
  addWidth<uint64_t>(suite, "64");
  addBits<uint32_t>(suite, "32");
  addBits<uint64_t>(suite, "64");
  addFields<int32_t>(suite, "s32");
  addFields<uint32_t>(suite, "u32");
  addFields<int64_t>(suite, "s64");
  addFields<uint64_t>(suite, "u64");
  using Amount = Within<0, 70>;
  exact(
      suite, "bfi.b32 %d, %a, %b, %c, 5;",
      [](uint32_t a, uint32_t b, Amount position) {
        return inserted<uint32_t>(a, b, position, 5);
      },
      " of 5 bits");
  exact(
      suite, "bfi.b32 %d, %a, %b, 3, %c;",
      [](uint32_t a, uint32_t b, Amount length) {
        return inserted<uint32_t>(a, b, 3, length);
      },
      " from bit 3");
  exact(
      suite, "bfi.b64 %d, %a, %b, %c, 40;",
      [](uint64_t a, uint64_t b, Amount position) {
        return inserted<uint64_t>(a, b, position, 40);
      },
      " of 40 bits");
  addFunnels(suite);
  addLookups(suite);
  addPermutations(suite);
  addMasks(suite);
  addPredicates(suite);
}

} // namespace pbs::conformance
