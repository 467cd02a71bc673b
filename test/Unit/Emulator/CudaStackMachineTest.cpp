// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inputs/cuda/stack_machine.cu: calls, a stack in local memory, and control
// that every lane has its own of.

#include "CudaTest.h"

#include <algorithm>
#include <bitset>
#include <functional>
#include <numeric>

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

/// What Inputs/cuda/stack_machine.cu interprets, with the program of one
/// thread.
struct StackMachine {
  std::vector<int64_t> stack;
  bool halted = false;

  int64_t pop() {
    int64_t value = stack.back();
    stack.pop_back();
    return value;
  }

  /// Replaces \p count values on top by what \p function makes of them.
  template <typename Function> void replace(size_t count, Function function) {
    std::vector<int64_t> values(stack.end() - ptrdiff_t(count), stack.end());
    stack.resize(stack.size() - count);
    for (int64_t value : function(values))
      stack.push_back(value);
  }

  void execute(unsigned operation, uint64_t at) {
    using Values = std::vector<int64_t>;
    static constexpr int64_t primes[] = {2, 3, 5, 7, 11, 13, 17, 19};
    auto binary = [&](auto function) {
      replace(2, [&](const Values &v) -> Values {
        return {int64_t(function(uint64_t(v[0]), uint64_t(v[1])))};
      });
    };
    auto signedBinary = [&](auto function) {
      replace(2, [&](const Values &v) -> Values {
        return {v[1] == 0 || v[1] == -1 ? 0 : function(v[0], v[1])};
      });
    };
    auto unary = [&](auto function) {
      replace(1, [&](const Values &v) -> Values {
        return {int64_t(function(uint64_t(v[0])))};
      });
    };
    switch (operation) {
    case 0:
      return stack.push_back(int64_t(at) * 1000003 - 77);
    case 1:
      return binary([](uint64_t a, uint64_t b) { return a + b; });
    case 2:
      return binary([](uint64_t a, uint64_t b) { return a - b; });
    case 3:
      return binary([](uint64_t a, uint64_t b) { return a * b; });
    case 4:
      return signedBinary([](int64_t a, int64_t b) { return a / b; });
    case 5:
      return signedBinary([](int64_t a, int64_t b) { return a % b; });
    case 6:
      return std::swap(stack.back(), stack[stack.size() - 2]);
    case 7:
      return stack.push_back(stack.back());
    case 8:
      return unary([](uint64_t a) {
        std::bitset<64> bits(a);
        unsigned lowest = 64, highest = 0;
        for (unsigned bit = 64; bit-- > 0;)
          if (bits[bit])
            lowest = bit;
        for (unsigned bit = 0; bit < 64; ++bit)
          if (bits[bit])
            highest = bit + 1;
        return bits.count() * 64 + (64 - highest) + (a ? lowest + 1 : 0);
      });
    case 9:
      return unary([](uint64_t a) {
        uint64_t result = 0;
        for (unsigned bit = 0; bit < 64; ++bit)
          result |= (a >> bit & 1) << (63 - bit);
        return result;
      });
    case 10:
      return replace(2, [](const Values &v) -> Values {
        int64_t divisor = std::gcd(v[0] >> 2, v[1] >> 2);
        if (divisor == 0)
          return {0, 0};
        return {(v[0] >> 2) / divisor, (v[1] >> 2) / divisor};
      });
    case 11:
      return replace(2, [&](const Values &v) -> Values {
        using Wide = unsigned __int128;
        Wide result =
            Wide(uint64_t(v[0])) * uint64_t(v[1]) + Wide(uint64_t(v[1])) * at;
        return {int64_t(uint64_t(result >> 64)), int64_t(uint64_t(result))};
      });
    case 12:
      return unary([](uint64_t a) { return primes[a & 7]; });
    case 13:
      return unary([](uint64_t a) {
        uint32_t index = uint32_t(a);
        return a + uint64_t(index == 0   ? 3
                            : index == 1 ? 1
                            : index == 2 ? 4
                                         : -1);
      });
    case 14:
      return std::sort(stack.end() - 4, stack.end(), std::greater<int64_t>());
    case 15:
      halted = true;
      return;
    default:
      return unary([](uint64_t a) { return ~a; });
    }
  }
};

class CudaStackMachineTest : public CudaTest {};

} // namespace

INSTANTIATE_TEST_SUITE_P(, CudaStackMachineTest, modes(), modeName);

TEST_P(CudaStackMachineTest, interprets) {
  uint64_t halts = 0;
  for (size_t count : sizes()) {
    uint32_t length = uint32_t(random() % 40);
    auto programs = randomValues<uint8_t>(size_t(count) * length + 1);
    // Halting is rarer than the others, as is what is no operation.
    for (uint8_t &operation : programs)
      operation = random() % 16 == 0 ? operation : operation % 15;
    DeviceAddress results = upload(randomValues<int64_t>(count));
    DeviceAddress heights = upload(randomValues<int32_t>(count));
    DeviceAddress letters = upload(randomValues<char>(count));
    uint32_t block = anyBlock();
    launch("stack_machine", "interpret", {blocks(count, block), 1, 1},
           {block, 1, 1},
           Parameters()
               .add(upload(programs))
               .add(int(length))
               .add(results)
               .add(heights)
               .add(letters)
               .add(int(count)));
    std::vector<int64_t> expected;
    std::vector<int32_t> expectedHeights;
    std::vector<char> expectedLetters;
    for (size_t thread = 0; thread < count; ++thread) {
      StackMachine machine;
      for (size_t index = 0; index < 4; ++index)
        machine.stack.push_back(thread + index);
      for (uint32_t at = 0; at < length && !machine.halted; ++at) {
        if (machine.stack.size() < 4)
          machine.stack.push_back(at);
        if (machine.stack.size() == 16)
          machine.stack.resize(8);
        machine.execute(programs[size_t(thread) * length + at], at);
      }
      halts += machine.halted;
      expected.push_back(machine.stack.back());
      expectedHeights.push_back(int32_t(machine.stack.size()));
      expectedLetters.push_back(machine.stack.back() & 1 ? 'o' : 'e');
    }
    ASSERT_EQ(download<int64_t>(results, count), expected)
        << count << ", " << seedText;
    ASSERT_EQ(download<int32_t>(heights, count), expectedHeights) << seedText;
    ASSERT_EQ(download<char>(letters, count), expectedLetters) << seedText;
  }
  DeviceAddress halted = upload(std::vector<uint32_t>{0});
  launch("stack_machine", "readHaltCount", {1, 1, 1}, {1, 1, 1},
         Parameters().add(halted));
  EXPECT_EQ(download<uint32_t>(halted, 1)[0], halts) << seedText;
}
