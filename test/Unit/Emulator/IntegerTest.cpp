// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "EmulatorTest.h"

#include <algorithm>

using namespace pbs::runtime::test;

namespace {

using IntegerTest = EmulatorTest;

template <typename T> constexpr unsigned bits = sizeof(T) * 8;

template <typename T> std::string typed(const char *name, const char *kind) {
  return std::string(name) + "." + kind + std::to_string(bits<T>);
}

} // namespace

TEST_F(IntegerTest, addsSubtractsAndMultiplies) {
  auto check = [&](auto zero, const char *kind) {
    using T = decltype(zero);
    using U = std::make_unsigned_t<T>;
    auto a = randomBits<T>(threads), b = randomBits<T>(threads);
    auto wide = [](T x) {
      return static_cast<unsigned __int128>(static_cast<__int128>(x));
    };
    expectExact<T>(
        typed<T>("add", kind) + " %d, %a, %b;",
        [&](T x, T y) { return T(U(wide(x) + wide(y))); }, a, b);
    expectExact<T>(
        typed<T>("sub", kind) + " %d, %a, %b;",
        [&](T x, T y) { return T(U(wide(x) - wide(y))); }, a, b);
    expectExact<T>(
        typed<T>("mul.lo", kind) + " %d, %a, %b;",
        [&](T x, T y) { return T(U(wide(x) * wide(y))); }, a, b);
    expectExact<T>(
        typed<T>("mul.hi", kind) + " %d, %a, %b;",
        [&](T x, T y) {
          __int128 product = static_cast<__int128>(wide(x) * wide(y));
          return T(product >> bits<T>);
        },
        a, b);
    auto c = randomBits<T>(threads);
    expectExact<T>(
        typed<T>("mad.lo", kind) + " %d, %a, %b, %c;",
        [&](T x, T y, T z) { return T(U(wide(x) * wide(y) + wide(z))); }, a, b,
        c);
  };
  check(int16_t(), "s");
  check(uint16_t(), "u");
  check(int32_t(), "s");
  check(uint32_t(), "u");
  check(int64_t(), "s");
  check(uint64_t(), "u");
}

TEST_F(IntegerTest, multipliesWide) {
  auto a = randomBits<int32_t>(threads), b = randomBits<int32_t>(threads);
  auto c = randomBits<int64_t>(threads);
  expectExact<int64_t>(
      "mul.wide.s32 %d, %a, %b;",
      [](int32_t x, int32_t y) { return int64_t(x) * y; }, a, b);
  expectExact<int64_t>(
      "mad.wide.s32 %d, %a, %b, %c;",
      [](int32_t x, int32_t y, int64_t z) {
        return int64_t(uint64_t(int64_t(x) * y) + uint64_t(z));
      },
      a, b, c);
  auto s = randomBits<uint16_t>(threads), t = randomBits<uint16_t>(threads);
  expectExact<uint32_t>(
      "mul.wide.u16 %d, %a, %b;",
      [](uint16_t x, uint16_t y) { return uint32_t(x) * y; }, s, t);
}

TEST_F(IntegerTest, dividesWithoutCrashing) {
  auto a = randomBits<int32_t>(threads), b = randomBits<int32_t>(threads);
  for (size_t i = 0; i < threads; ++i)
    if (b[i] == 0)
      b[i] = 7;
  auto quotient = [](int32_t x, int32_t y) {
    return int32_t(uint32_t(int64_t(x) / y));
  };
  expectExact<int32_t>("div.s32 %d, %a, %b;", quotient, a, b);
  expectExact<int32_t>(
      "rem.s32 %d, %a, %b;",
      [](int32_t x, int32_t y) { return int32_t(int64_t(x) % y); }, a, b);
  auto c = randomBits<uint64_t>(threads), d = randomBits<uint64_t>(threads);
  for (uint64_t &value : d)
    value |= 1;
  expectExact<uint64_t>("div.u64 %d, %a, %b;", std::divides<uint64_t>(), c, d);
  expectExact<uint64_t>("rem.u64 %d, %a, %b;", std::modulus<uint64_t>(), c, d);
  // PTX leaves the value open; the program goes on.
  evaluate<int32_t>("div.s32 %d, %a, 0;", a);
}

TEST_F(IntegerTest, minimumMaximumAbsoluteNegate) {
  auto a = randomBits<int32_t>(threads), b = randomBits<int32_t>(threads);
  auto c = randomBits<uint16_t>(threads), d = randomBits<uint16_t>(threads);
  expectExact<int32_t>(
      "min.s32 %d, %a, %b;",
      [](int32_t x, int32_t y) { return std::min(x, y); }, a, b);
  expectExact<int32_t>(
      "max.s32 %d, %a, %b;",
      [](int32_t x, int32_t y) { return std::max(x, y); }, a, b);
  expectExact<uint16_t>(
      "max.u16 %d, %a, %b;",
      [](uint16_t x, uint16_t y) { return std::max(x, y); }, c, d);
  expectExact<int32_t>(
      "abs.s32 %d, %a;",
      [](int32_t x) { return int32_t(x < 0 ? -uint32_t(x) : uint32_t(x)); }, a);
  expectExact<int32_t>(
      "neg.s32 %d, %a;", [](int32_t x) { return int32_t(-uint32_t(x)); }, a);
  expectExact<uint32_t>(
      "max.s16x2 %d, %a, %b;",
      [](int32_t x, int32_t y) {
        auto half = [](int32_t v, int i) { return int16_t(v >> 16 * i); };
        return uint32_t(uint16_t(std::max(half(x, 0), half(y, 0)))) |
               uint32_t(uint16_t(std::max(half(x, 1), half(y, 1)))) << 16;
      },
      a, b);
}

TEST_F(IntegerTest, carriesAcrossWords) {
  auto a = randomBits<uint64_t>(threads), b = randomBits<uint64_t>(threads);
  const std::string split = "mov.b64 {%t0, %t1}, %a;\n"
                            "mov.b64 {%t2, %t3}, %b;\n";
  expectExact<uint64_t>(split + "add.cc.u32 %t4, %t0, %t2;\n"
                                "addc.u32 %t5, %t1, %t3;\n"
                                "mov.b64 %d, {%t4, %t5};",
                        std::plus<uint64_t>(), a, b);
  expectExact<uint64_t>(split + "sub.cc.u32 %t4, %t0, %t2;\n"
                                "subc.u32 %t5, %t1, %t3;\n"
                                "mov.b64 %d, {%t4, %t5};",
                        std::minus<uint64_t>(), a, b);
  expectExact<uint64_t>(split + "mul.lo.u32 %t4, %t0, %t2;\n"
                                "mul.hi.u32 %t5, %t0, %t2;\n"
                                "mad.lo.u32 %t5, %t0, %t3, %t5;\n"
                                "mad.lo.u32 %t5, %t1, %t2, %t5;\n"
                                "mov.b64 %d, {%t4, %t5};",
                        std::multiplies<uint64_t>(), a, b);
}

TEST_F(IntegerTest, logicAndShifts) {
  auto a = randomBits<uint32_t>(threads), b = randomBits<uint32_t>(threads);
  auto c = randomBits<uint32_t>(threads);
  expectExact<uint32_t>("and.b32 %d, %a, %b;", std::bit_and<uint32_t>(), a, b);
  expectExact<uint32_t>("or.b32 %d, %a, %b;", std::bit_or<uint32_t>(), a, b);
  expectExact<uint32_t>("xor.b32 %d, %a, %b;", std::bit_xor<uint32_t>(), a, b);
  expectExact<uint32_t>("not.b32 %d, %a;", std::bit_not<uint32_t>(), a);
  expectExact<uint32_t>(
      "cnot.b32 %d, %a;", [](uint32_t x) { return uint32_t(x == 0); }, a);
  std::vector<uint32_t> amount(threads);
  for (uint32_t &value : amount)
    value = random() % 70;
  expectExact<uint32_t>(
      "shl.b32 %d, %a, %b;",
      [](uint32_t x, uint32_t n) { return n > 31 ? 0 : x << n; }, a, amount);
  expectExact<uint32_t>(
      "shr.u32 %d, %a, %b;",
      [](uint32_t x, uint32_t n) { return n > 31 ? 0 : x >> n; }, a, amount);
  expectExact<int32_t>(
      "shr.s32 %d, %a, %b;",
      [](uint32_t x, uint32_t n) { return int32_t(x) >> std::min(n, 31u); }, a,
      amount);
  auto wide = randomBits<uint64_t>(threads);
  expectExact<uint64_t>(
      "shl.b64 %d, %a, %b;",
      [](uint64_t x, uint32_t n) { return n > 63 ? 0 : x << n; }, wide, amount);
  expectExact<int64_t>(
      "shr.s64 %d, %a, %b;",
      [](uint64_t x, uint32_t n) { return int64_t(x) >> std::min(n, 63u); },
      wide, amount);
  expectExact<uint32_t>(
      "shf.l.wrap.b32 %d, %a, %b, %c;",
      [](uint32_t x, uint32_t y, uint32_t n) {
        n &= 31;
        return n ? y << n | x >> (32 - n) : y;
      },
      a, b, amount);
  expectExact<uint32_t>(
      "shf.r.clamp.b32 %d, %a, %b, %c;",
      [](uint32_t x, uint32_t y, uint32_t n) {
        n = std::min(n, 32u);
        return n == 0 ? x : n == 32 ? y : x >> n | y << (32 - n);
      },
      a, b, amount);
  // 0xE8 is the majority, 0x96 the parity.
  expectExact<uint32_t>(
      "lop3.b32 %d, %a, %b, %c, 0xE8;",
      [](uint32_t x, uint32_t y, uint32_t z) {
        return (x & y) | (x & z) | (y & z);
      },
      a, b, c);
  expectExact<uint32_t>(
      "lop3.b32 %d, %a, %b, %c, 0x96;",
      [](uint32_t x, uint32_t y, uint32_t z) { return x ^ y ^ z; }, a, b, c);
  // Order of the inputs: only a, not b, c.
  expectExact<uint32_t>(
      "lop3.b32 %d, %a, %b, %c, 0x20;",
      [](uint32_t x, uint32_t y, uint32_t z) { return x & ~y & z; }, a, b, c);
}

TEST_F(IntegerTest, countsAndReversesBits) {
  auto a = randomBits<uint32_t>(threads);
  auto w = randomBits<uint64_t>(threads);
  expectExact<uint32_t>(
      "popc.b32 %d, %a;",
      [](uint32_t x) { return uint32_t(__builtin_popcount(x)); }, a);
  expectExact<uint32_t>(
      "popc.b64 %d, %a;",
      [](uint64_t x) { return uint32_t(__builtin_popcountll(x)); }, w);
  expectExact<uint32_t>(
      "clz.b32 %d, %a;",
      [](uint32_t x) { return x ? uint32_t(__builtin_clz(x)) : 32u; }, a);
  expectExact<uint32_t>(
      "clz.b64 %d, %a;",
      [](uint64_t x) { return x ? uint32_t(__builtin_clzll(x)) : 64u; }, w);
  expectExact<uint32_t>(
      "brev.b32 %d, %a;",
      [](uint32_t x) {
        uint32_t result = 0;
        for (int bit = 0; bit < 32; ++bit)
          result |= (x >> bit & 1) << (31 - bit);
        return result;
      },
      a);
  expectExact<uint32_t>(
      "bfind.s32 %d, %a;",
      [](uint32_t x) {
        uint32_t y = int32_t(x) < 0 ? ~x : x;
        return y ? uint32_t(31 - __builtin_clz(y)) : UINT32_MAX;
      },
      a);
}

TEST_F(IntegerTest, bitFields) {
  auto a = randomBits<uint32_t>(threads), b = randomBits<uint32_t>(threads);
  std::vector<uint32_t> position(threads);
  for (uint32_t &value : position)
    value = random() % 40;
  expectExact<uint32_t>(
      "bfe.u32 %d, %a, %b, 7;",
      [](uint32_t x, uint32_t p) { return p > 31 ? 0 : x >> p & 127; }, a,
      position);
  expectExact<int32_t>(
      "bfe.s32 %d, %a, %b, 7;",
      [](uint32_t x, uint32_t p) {
        // Bits beyond the highest are the sign's.
        int64_t wide = int64_t(int32_t(x)) >> std::min(p, 63u);
        return int32_t(int64_t(uint64_t(wide) << 57) >> 57);
      },
      a, position);
  expectExact<uint32_t>(
      "bfi.b32 %d, %a, %b, %c, 5;",
      [](uint32_t x, uint32_t y, uint32_t p) {
        if (p > 31)
          return y;
        uint32_t mask = 31u << p;
        return (y & ~mask) | (x << p & mask);
      },
      a, b, position);
}

TEST_F(IntegerTest, masksOfBits) {
  std::vector<uint32_t> from(threads), count(threads);
  for (size_t index = 0; index < threads; ++index) {
    from[index] = random() % 70;
    count[index] = random() % 70;
  }
  auto mask = [](uint64_t position, uint64_t length) {
    return uint32_t(((uint64_t(1) << length) - 1) << position);
  };
  expectExact<uint32_t>(
      "bmsk.clamp.b32 %d, %a, %b;",
      [&](uint32_t position, uint32_t length) {
        return mask(std::min(position, 32u), std::min(length, 32u));
      },
      from, count);
  expectExact<uint32_t>(
      "bmsk.wrap.b32 %d, %a, %b;",
      [&](uint32_t position, uint32_t length) {
        return mask(position & 31, length & 31);
      },
      from, count);
}

TEST_F(IntegerTest, permutesBytes) {
  auto a = randomBits<uint32_t>(threads), b = randomBits<uint32_t>(threads);
  auto selector = randomBits<uint32_t>(threads);
  expectExact<uint32_t>(
      "prmt.b32 %d, %a, %b, %c;",
      [](uint32_t x, uint32_t y, uint32_t s) {
        uint8_t bytes[8];
        std::memcpy(bytes, &x, 4);
        std::memcpy(bytes + 4, &y, 4);
        uint32_t result = 0;
        for (int i = 0; i < 4; ++i) {
          unsigned choice = s >> 4 * i & 15;
          uint8_t byte = bytes[choice & 7];
          if (choice & 8)
            byte = byte & 0x80 ? 0xFF : 0;
          result |= uint32_t(byte) << 8 * i;
        }
        return result;
      },
      a, b, selector);
}

TEST_F(IntegerTest, comparesAndSelects) {
  auto a = randomBits<int32_t>(threads), b = randomBits<int32_t>(threads);
  for (size_t i = 0; i < threads; i += 3)
    b[i] = a[i];
  const std::string select = "\nselp.b32 %d, 1, 0, %p0;";
  auto check = [&](const char *relation, auto expected) {
    expectExact<uint32_t>(
        std::string("setp.") + relation + " %p0, %a, %b;" + select,
        [&](int32_t x, int32_t y) { return uint32_t(expected(x, y)); }, a, b);
  };
  check("eq.s32", std::equal_to<int32_t>());
  check("ne.b32", std::not_equal_to<int32_t>());
  check("lt.s32", std::less<int32_t>());
  check("le.s32", std::less_equal<int32_t>());
  check("gt.s32", std::greater<int32_t>());
  check("ge.s32", std::greater_equal<int32_t>());
  check("lt.u32", std::less<uint32_t>());
  check("hi.u32", std::greater<uint32_t>());
  expectExact<uint32_t>(
      "setp.gt.s32 %p1, %a, 0;\nsetp.lt.and.s32 %p0|%p2, %a, %b, !%p1;\n"
      "selp.u32 %t0, 2, 0, %p2;\nselp.u32 %d, 1, %t0, %p0;",
      [](int32_t x, int32_t y) {
        bool third = !(x > 0);
        return x < y && third ? 1u : !(x < y) && third ? 2u : 0u;
      },
      a, b);
  expectExact<uint32_t>(
      "setp.gt.s32 %p1, %a, 0;\nsetp.gt.s32 %p2, %b, 0;\n"
      "xor.pred %p3, %p1, %p2;\nnot.pred %p0, %p3;" +
          select,
      [](int32_t x, int32_t y) { return uint32_t((x > 0) == (y > 0)); }, a, b);
  expectExact<uint32_t>(
      "set.lt.u32.s32 %d, %a, %b;",
      [](int32_t x, int32_t y) { return x < y ? UINT32_MAX : 0; }, a, b);
  auto c = randomBits<int32_t>(threads);
  expectExact<int32_t>(
      "slct.s32.s32 %d, %a, %b, %c;",
      [](int32_t x, int32_t y, int32_t z) { return z >= 0 ? x : y; }, a, b, c);
}

TEST_F(IntegerTest, evaluatesConstantExpressions) {
  auto a = randomBits<uint32_t>(threads);
  expectExact<uint32_t>(
      "add.u32 %d, %a, (3 + 4) * 2 - (0x10 >> 1) | (1 << 8);",
      [](uint32_t x) { return x + ((14 - 8) | 256); }, a);
  expectExact<uint32_t>(
      "add.u32 %d, %a, -WARP_SZ;", [](uint32_t x) { return x - 32; }, a);
}
