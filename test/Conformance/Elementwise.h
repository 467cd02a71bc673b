// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Cases of instructions that work on each lane alone: statements, and a
// function of the host whose parameters say what the inputs are.

#ifndef PBS_TEST_CONFORMANCE_ELEMENTWISE_H
#define PBS_TEST_CONFORMANCE_ELEMENTWISE_H

#include "Conformance.h"
#include "Numbers.h"

#include <cmath>
#include <tuple>
#include <type_traits>

namespace pbs::conformance {

/// A u32 from low to high.
template <uint32_t low, uint32_t high> struct Within {
  uint32_t value;
  operator uint32_t() const { return value; }
};
/// An integer that is not zero.
template <typename T> struct NonZero {
  T value;
  operator T() const { return value; }
};
/// An f32, uniform between two integers.
template <int low, int high> struct Uniform {
  float value;
  operator float() const { return value; }
};
/// An f32 with an exponent between two integers.
template <int low, int high> struct Positive {
  float value;
  operator float() const { return value; }
};

/// Draws an input of the type, with edge cases among them.
template <typename T> struct Draw {
  static_assert(std::is_integral_v<T>);
  static T draw(Random &random) {
    uint64_t bits = random();
    switch (random() % 8) {
    case 0:
      return 0;
    case 1:
      return T(UINT64_MAX);
    case 2:
      return T(uint64_t(1) << (sizeof(T) * 8 - 1));
    case 3:
      return T(bits & 0x3F);
    default:
      return T(bits);
    }
  }
};

template <uint32_t low, uint32_t high> struct Draw<Within<low, high>> {
  static Within<low, high> draw(Random &random) {
    return {uint32_t(low + random() % (uint64_t(high) - low + 1))};
  }
};

template <typename T> struct Draw<NonZero<T>> {
  static NonZero<T> draw(Random &random) {
    T value = Draw<T>::draw(random);
    return {value == 0 ? T(7) : value};
  }
};

template <> struct Draw<float> {
  static float draw(Random &random) {
    static constexpr uint32_t edges[] = {0,          0x80000000, 0x7F800000,
                                         0xFF800000, 0x7FC00000, 0x3F800000,
                                         0x7F7FFFFF, 0x00800000};
    uint64_t bits = random();
    switch (random() % 8) {
    case 0:
      return bitCast<float>(edges[bits % 8]);
    case 1:
      return bitCast<float>(uint32_t(bits) & 0x807FFFFF); // denormals
    case 2:
    case 3:
      return float(int(bits % 2000) - 1000) / 16;
    case 4:
    case 5:
      // Close to each other, so that sums are rounded.
      return bitCast<float>(
          uint32_t((bits & 0x807FFFFF) | (120 + (bits >> 32) % 16) << 23));
    default:
      return bitCast<float>(uint32_t(bits));
    }
  }
};

template <> struct Draw<double> {
  static double draw(Random &random) {
    uint64_t bits = random();
    switch (random() % 8) {
    case 0:
      return double(Draw<float>::draw(random));
    case 1:
    case 2:
      return bitCast<double>((bits & 0x800FFFFFFFFFFFFF) |
                             (1015 + random() % 16) << 52);
    default:
      return bitCast<double>(bits);
    }
  }
};

template <int low, int high> struct Draw<Uniform<low, high>> {
  static Uniform<low, high> draw(Random &random) {
    return {std::uniform_real_distribution<float>(low, high)(random)};
  }
};

template <int low, int high> struct Draw<Positive<low, high>> {
  static Positive<low, high> draw(Random &random) {
    float mantissa = 1 + float(random() & 0x7FFFFF) / 0x1p23f;
    return {
        std::ldexp(mantissa, low + int(random() % unsigned(high - low + 1)))};
  }
};

template <> struct Draw<Half> {
  static Half draw(Random &random) {
    return {uint16_t(random() % 8 ? random() : Draw<int16_t>::draw(random))};
  }
};
template <> struct Draw<BFloat> {
  static BFloat draw(Random &random) {
    float value = Draw<float>::draw(random);
    return {uint16_t(bitCast<uint32_t>(value) >> 16)};
  }
};
template <typename T> struct Draw<Pair<T>> {
  static Pair<T> draw(Random &random) {
    return makePair(Draw<T>::draw(random), Draw<T>::draw(random));
  }
};

/// Whether two results are the same: bits, but any NaN for any other.
template <typename T> bool isSame(T a, T b) {
  if constexpr (!std::is_integral_v<T>)
    if (isNan(a) && isNan(b))
      return true;
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}
template <typename T> bool isSame(Pair<T> a, Pair<T> b) {
  return isSame(a.low(), b.low()) && isSame(a.high(), b.high());
}

/// A value's bits, for messages.
template <typename T> std::string show(T value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  char text[40];
  std::snprintf(text, sizeof(text), "0x%0*llx", int(sizeof(T) * 2),
                static_cast<unsigned long long>(bits));
  return text;
}

constexpr unsigned elementCount = 1024;

/// The kernel: %a, %b and %c of each thread from the inputs, \p statements, %d
/// to the output. Registers %t0 to %t7 (32 bits), %u0 to %u3 (64), %h0 to %h3
/// (16) and %p0 to %p3 are free to use.
std::string elementwiseKernel(const std::string &statements, size_t resultBytes,
                              const std::vector<size_t> &inputBytes);

/// The opcode that \p statements begin with.
std::string firstOpcode(const std::string &statements);

template <typename... S>
std::tuple<std::vector<S>...> drawInputs(Random &random) {
  std::tuple<std::vector<S>...> inputs;
  auto fill = [&](auto &values) {
    using T = typename std::decay_t<decltype(values)>::value_type;
    for (unsigned index = 0; index < elementCount; ++index)
      values.push_back(Draw<T>::draw(random));
  };
  std::apply([&](auto &...values) { (fill(values), ...); }, inputs);
  return inputs;
}

/// Runs the statements, and check(result, inputs...) for each element, which
/// returns what it wants or an empty text.
template <typename D, typename... S, typename Check>
void runElementwise(Environment &environment, const std::string &statements,
                    Check check) {
  auto inputs = drawInputs<S...>(environment.random);
  DeviceAddress out = environment.allocate(elementCount * sizeof(D));
  ParameterBuffer parameters;
  parameters.append(out);
  std::apply(
      [&](auto &...values) {
        (parameters.append(environment.upload(values)), ...);
      },
      inputs);
  LaunchConfiguration configuration;
  configuration.grid = {elementCount / 128, 1, 1};
  configuration.block = {128, 1, 1};
  environment.launch(elementwiseKernel(statements, sizeof(D), {sizeof(S)...}),
                     configuration, parameters);
  auto results = environment.download<D>(out, elementCount);
  for (unsigned index = 0; index < elementCount; ++index)
    std::apply(
        [&](auto &...values) {
          std::string want = check(results[index], values[index]...);
          if (want.empty())
            return;
          std::string text =
              "got " + show(results[index]) + ", want " + want + " of";
          ((text += " " + show(values[index])), ...);
          throw Mismatch(text);
        },
        inputs);
}

template <typename Function> struct Signature;
template <typename Class, typename D, typename... S>
struct Signature<D (Class::*)(S...) const> {
  template <typename Function>
  static auto exact(std::string statements, Function function) {
    return [=](Environment &environment) {
      runElementwise<D, S...>(environment, statements,
                              [=](D result, S... inputs) {
                                D want = function(inputs...);
                                return isSame(result, want) ? "" : show(want);
                              });
    };
  }

  template <typename Result, typename Function, typename Bound>
  static auto within(std::string statements, Function function, Bound bound) {
    return [=](Environment &environment) {
      runElementwise<Result, S...>(
          environment, statements, [=](Result result, S... inputs) {
            double want = function(inputs...);
            double got = toDouble(result);
            bool isGood = std::isnan(want) ? std::isnan(got)
                          : std::isinf(want)
                              ? got == want
                              : std::fabs(got - want) <= bound(want);
            return isGood ? std::string() : std::to_string(want);
          });
    };
  }
};

/// A case whose results are those of \p function to the bit, but for what NaN
/// it is. Its form is the first opcode, and \p variant.
template <typename Function>
void exact(Suite &suite, const std::string &statements, Function function,
           const std::string &variant = "",
           const std::string &target = "sm_80") {
  suite.add(
      firstOpcode(statements) + variant, target, "exact",
      Signature<decltype(&Function::operator())>::exact(statements, function));
}

/// A case whose results are within bound(y) of y = \p function, both in double;
/// \p comparison is the bound in words. Infinite where that is, and NaN.
template <typename Result, typename Function, typename Bound>
void within(Suite &suite, const std::string &statements, Function function,
            const std::string &comparison, Bound bound,
            const std::string &variant = "",
            const std::string &target = "sm_80") {
  suite.add(firstOpcode(statements) + variant, target, comparison,
            Signature<decltype(&Function::operator())>::template within<Result>(
                statements, function, bound));
}

} // namespace pbs::conformance

#endif // PBS_TEST_CONFORMANCE_ELEMENTWISE_H
