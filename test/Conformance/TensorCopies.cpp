// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies and reductions of boxes of tensors (PTX ISA, "cp.async.bulk.tensor",
// "cp.reduce.async.bulk.tensor", "cp.async.bulk.prefetch.tensor").

#include "Elementwise.h"
#include "TensorBox.h"
#include "TileKernel.h"
#include "pbs/Runtime/Error.h"

#include <algorithm>

namespace pbs::conformance {
namespace {

using Bytes = std::vector<uint8_t>;

std::string rankName(unsigned rank) { return std::to_string(rank) + "d"; }

const std::string awaitBox =
    "mbarrier.arrive.expect_tx.shared.b64 _, [bar], %r9;\n" + waitFor();
const std::string finishGroup = "cp.async.bulk.commit_group;\n"
                                "cp.async.bulk.wait_group 0;\n";

std::string loadOpcode(unsigned rank, const std::string &more = "") {
  return "cp.async.bulk.tensor." + rankName(rank) +
         ".shared::cluster.global.tile.mbarrier::complete_tx::bytes" + more;
}
std::string storeOpcode(unsigned rank) {
  return "cp.async.bulk.tensor." + rankName(rank) +
         ".global.shared::cta.tile.bulk_group";
}

std::string describe(const BoxOptions &options) {
  std::string text =
      options.swizzle ? std::to_string(options.swizzle) + "B" : "unswizzled";
  if (options.rowBytes)
    text += ", rows of " + std::to_string(options.rowBytes) + "B";
  if (options.exceeds)
    text += ", beyond the ends";
  if (!options.isAligned)
    text += ", off the pattern";
  return text;
}

void checkLoad(Environment &environment, const BoxOptions &options,
               const std::string &opcode, const std::string &operands = "",
               bool isMapInGlobalMemory = false) {
  TensorBox box = makeTensorBox(environment, options);
  Bytes tile = environment.randomBits<uint8_t>(tensorTileBytes);
  Bytes got =
      runTensorKernel(environment, box,
                      opcode + " [%r8], [%rd2, " + coordinates(options.rank) +
                          "], [bar]" + operands + ";\n" + awaitBox,
                      tile, isMapInGlobalMemory);
  Bytes want = tile, gotBox, wantBox;
  for (uint32_t offset = 0; offset < box.boxBytes(); ++offset) {
    int64_t byte = box.tensorByte(offset);
    wantBox.push_back(byte < 0 ? 0 : box.contents[size_t(byte)]);
    gotBox.push_back(got[box.tileByte(offset)]);
    want[box.tileByte(offset)] = wantBox.back();
  }
  expectSame("byte of the box", gotBox, wantBox);
  // What is left is around it, or between rows narrower than their swizzle.
  expectSame("byte outside the box", got, want);
}

void checkStore(Environment &environment, BoxOptions options,
                const std::string &hint = "",
                const std::string &operands = "") {
  options.isLoad = false;
  TensorBox box = makeTensorBox(environment, options);
  Bytes tile = environment.randomBits<uint8_t>(tensorTileBytes);
  runTensorKernel(environment, box,
                  storeOpcode(options.rank) + hint + " [%rd2, " +
                      coordinates(options.rank) + "], [%r8]" + operands +
                      ";\n" + finishGroup,
                  tile);
  Bytes want = box.contents;
  for (uint32_t offset = 0; offset < box.boxBytes(); ++offset)
    if (int64_t byte = box.storedByte(offset); byte >= 0)
      want[size_t(byte)] = tile[box.tileByte(offset)];
  expectSame("byte", environment.download<uint8_t>(box.map.base, want.size()),
             want);
}

void addCopies(Suite &suite, const BoxOptions &options, unsigned rounds = 3) {
  suite.add(loadOpcode(options.rank) + " " + describe(options), "sm_90",
            "exact", [=](Environment &environment) {
              for (unsigned round = 0; round < rounds; ++round)
                checkLoad(environment, options, loadOpcode(options.rank));
            });
  suite.add(storeOpcode(options.rank) + " " + describe(options), "sm_90",
            "exact", [=](Environment &environment) {
              for (unsigned round = 0; round < rounds; ++round)
                checkStore(environment, options);
            });
}

void addShapes(Suite &suite) {
  for (unsigned rank = 1; rank <= 5; ++rank)
    for (uint32_t swizzle : {0u, 32u, 64u, 128u})
      for (bool exceeds : {false, true}) {
        BoxOptions options;
        options.rank = rank;
        options.swizzle = swizzle;
        options.exceeds = exceeds;
        addCopies(suite, options);
      }
  BoxOptions options;
  options.isAligned = false;
  for (uint32_t swizzle : {0u, 32u, 64u, 128u}) {
    options.swizzle = swizzle;
    addCopies(suite, options, 6);
  }
}

/// Boxes narrower than their swizzle.
void addNarrow(Suite &suite) {
  for (uint32_t swizzle : {32u, 64u, 128u})
    for (uint32_t row = 16; row < swizzle; row += row < 64 ? row : 16) {
      BoxOptions options;
      options.swizzle = swizzle;
      options.rowBytes = row;
      addCopies(suite, options);
    }
}

BoxOptions reductionBox(unsigned rank = 2, uint32_t swizzle = 64) {
  BoxOptions options;
  options.rank = rank;
  options.swizzle = swizzle;
  options.exceeds = true;
  options.isLoad = false;
  return options;
}

template <typename T, typename Combine>
void addReduction(Suite &suite, const std::string &operation,
                  runtime::TensorMapDescription::Format format,
                  const std::string &type, Combine combine,
                  const BoxOptions &options = reductionBox()) {
  std::string opcode = "cp.reduce.async.bulk.tensor." + rankName(options.rank) +
                       ".global.shared::cta." + operation + ".tile.bulk_group";
  suite.add(
      opcode + " of " + type + ", " + describe(options), "sm_90", "exact",
      [=](Environment &environment) {
        BoxOptions sized = options;
        sized.elementBytes = sizeof(T);
        TensorBox box = makeTensorBox(environment, sized);
        box.map.format = format;
        auto value = [&] {
          if constexpr (std::is_integral_v<T>)
            return environment.below(4) ? T(environment.random())
                                        : T(environment.below(16));
          else
            // Sums of these are exact in all formats.
            return roundTo<T>(int(environment.below(201)) - 100);
        };
        std::vector<T> old(box.contents.size() / sizeof(T));
        std::vector<T> values(tensorTileBytes / sizeof(T));
        for (auto *list : {&old, &values})
          for (T &element : *list)
            element = value();
        std::memcpy(box.contents.data(), old.data(), old.size() * sizeof(T));
        environment.device.copyToDevice(box.map.base, box.contents.data(),
                                        box.contents.size());
        Bytes tile(tensorTileBytes);
        std::memcpy(tile.data(), values.data(), tile.size());
        runTensorKernel(environment, box,
                        opcode + " [%rd2, " + coordinates(options.rank) +
                            "], [%r8];\n" + finishGroup,
                        tile);
        for (uint32_t offset = 0; offset < box.boxBytes(); offset += sizeof(T))
          if (int64_t byte = box.storedByte(offset); byte >= 0) {
            T &element = old[size_t(byte) / sizeof(T)];
            element =
                combine(element, values[box.tileByte(offset) / sizeof(T)]);
          }
        std::memcpy(box.contents.data(), old.data(), old.size() * sizeof(T));
        expectSame(
            "byte",
            environment.download<uint8_t>(box.map.base, box.contents.size()),
            box.contents);
      });
}

/// What all integers have.
template <typename T>
void addIntegerReductions(Suite &suite,
                          runtime::TensorMapDescription::Format format,
                          const std::string &type) {
  addReduction<T>(suite, "min", format, type,
                  [](T a, T b) { return std::min(a, b); });
  addReduction<T>(suite, "max", format, type,
                  [](T a, T b) { return std::max(a, b); });
  if (sizeof(T) == 4 || std::is_unsigned_v<T>)
    addReduction<T>(suite, "add", format, type,
                    [](T a, T b) { return T(uint64_t(a) + uint64_t(b)); });
  if (std::is_signed_v<T>)
    return;
  addReduction<T>(suite, "and", format, type,
                  [](T a, T b) { return T(a & b); });
  addReduction<T>(suite, "or", format, type, [](T a, T b) { return T(a | b); });
  addReduction<T>(suite, "xor", format, type,
                  [](T a, T b) { return T(a ^ b); });
}

template <typename T>
void addFloatReductions(Suite &suite,
                        runtime::TensorMapDescription::Format format,
                        const std::string &type) {
  addReduction<T>(suite, "add", format, type, [](T a, T b) {
    return roundTo<T>(toDouble(a) + toDouble(b));
  });
  if (sizeof(T) != 2)
    return;
  addReduction<T>(suite, "min", format, type,
                  [](T a, T b) { return toDouble(b) < toDouble(a) ? b : a; });
  addReduction<T>(suite, "max", format, type,
                  [](T a, T b) { return toDouble(b) > toDouble(a) ? b : a; });
}

void addReductions(Suite &suite) {
  using Format = runtime::TensorMapDescription::Format;
  addIntegerReductions<uint32_t>(suite, Format::Unsigned, "u32");
  addIntegerReductions<int32_t>(suite, Format::Signed, "s32");
  addIntegerReductions<uint64_t>(suite, Format::Unsigned, "u64");
  addIntegerReductions<int64_t>(suite, Format::Signed, "s64");
  addReduction<uint32_t>(
      suite, "inc", Format::Unsigned, "u32",
      [](uint32_t a, uint32_t b) { return a >= b ? 0 : a + 1; });
  addReduction<uint32_t>(
      suite, "dec", Format::Unsigned, "u32",
      [](uint32_t a, uint32_t b) { return a == 0 || a > b ? b : a - 1; });
  addFloatReductions<Half>(suite, Format::Float, "f16");
  addFloatReductions<BFloat>(suite, Format::BFloat, "bf16");
  addFloatReductions<float>(suite, Format::Float, "f32");
  auto sum = [](float a, float b) { return a + b; };
  for (uint32_t swizzle : {0u, 32u, 128u})
    addReduction<float>(suite, "add", Format::Float, "f32", sum,
                        reductionBox(2, swizzle));
  for (unsigned rank : {1u, 3u, 4u, 5u})
    addReduction<float>(suite, "add", Format::Float, "f32", sum,
                        reductionBox(rank, 128));
}

/// The first of two CTAs loads for those in \p mask.
void checkMulticast(Environment &environment, uint32_t mask,
                    const std::string &hint, const std::string &operands) {
  BoxOptions options;
  options.swizzle = 128;
  TensorBox box = makeTensorBox(environment, options);
  Bytes tile = environment.randomBits<uint8_t>(tensorTileBytes);
  std::string number = std::to_string(mask);
  Bytes got = runTensorKernel(
      environment, box,
      "{\n.reg .b16 %mask; .reg .pred %loads, %takes;\nmov.u16 %mask, " +
          number + ";\nsetp.eq.u32 %loads, %r10, 0;\n@%loads " +
          loadOpcode(2, ".multicast::cluster" + hint) +
          " [%r8], [%rd2, {%c0, %c1}], [bar], %mask" + operands +
          ";\nmov.u32 %r11, " + number +
          ";\nshr.u32 %r11, %r11, %r10; and.b32 %r11, %r11, 1;\n"
          "setp.eq.u32 %takes, %r11, 1;\n@!%takes bra DONE;\n" +
          awaitBox + "}\n",
      tile, false, 2);
  Bytes loaded = tile;
  for (uint32_t offset = 0; offset < box.boxBytes(); ++offset)
    loaded[box.tileByte(offset)] = box.contents[size_t(box.tensorByte(offset))];
  Bytes want;
  for (uint32_t rank : {0u, 1u}) {
    const Bytes &own = mask >> rank & 1 ? loaded : tile;
    want.insert(want.end(), own.begin(), own.end());
  }
  expectSame("byte", got, want);
}

/// Coordinates that are refused: a first one that is no multiple of 16 bytes,
/// and negative ones where something is written.
void addRefused(Suite &suite) {
  auto add = [&](const std::string &opcode, bool isLoad,
                 std::vector<int32_t> start, const std::string &what) {
    suite.add(
        opcode + " " + what, "sm_90", "failure", [=](Environment &environment) {
          BoxOptions options;
          options.elementBytes = 4;
          TensorBox box = makeTensorBox(environment, options);
          box.start = start;
          const std::string place = "[%rd2, " + coordinates(2) + "]";
          Bytes tile(tensorTileBytes);
          try {
            runTensorKernel(
                environment, box,
                isLoad ? opcode + " [%r8], " + place + ", [bar];\n" + awaitBox
                       : opcode + " " + place + ", [%r8];\n" + finishGroup,
                tile);
          } catch (const runtime::Error &) {
            throw RightFailure();
          }
          throw Mismatch("it ends without a failure");
        });
  };
  const std::string sum = "cp.reduce.async.bulk.tensor.2d.global.shared::cta."
                          "add.tile.bulk_group";
  const std::string ragged = "from a column at 4 bytes";
  const std::string negative = "from a negative row";
  const std::string before = "from a negative column";
  add(loadOpcode(2), true, {1, 0}, ragged);
  add(storeOpcode(2), false, {1, 0}, ragged);
  add(sum, false, {1, 0}, ragged);
  add(storeOpcode(2), false, {-4, 0}, before);
  add(storeOpcode(2), false, {0, -1}, negative);
  add(sum, false, {0, -1}, negative);
}

void addOthers(Suite &suite) {
  BoxOptions options;
  options.swizzle = 128;
  suite.add(loadOpcode(2) + " of a map in global memory", "sm_90", "exact",
            [=](Environment &environment) {
              checkLoad(environment, options, loadOpcode(2), "", true);
            });
  suite.add(loadOpcode(2, ".L2::cache_hint"), "sm_90", "exact",
            [=](Environment &environment) {
              // A policy that evicts first, as compilers write it.
              checkLoad(environment, options, loadOpcode(2, ".L2::cache_hint"),
                        ", 0x12F0000000000000");
            });
  suite.add(storeOpcode(2) + ".L2::cache_hint", "sm_90", "exact",
            [=](Environment &environment) {
              checkStore(environment, options, ".L2::cache_hint",
                         ", 0x12F0000000000000");
            });
  auto multicast = [&](uint32_t mask, const std::string &hint,
                       const std::string &operands,
                       const std::string &variant) {
    suite.add(loadOpcode(2, ".multicast::cluster" + hint) + variant, "sm_90",
              "exact", [=](Environment &environment) {
                checkMulticast(environment, mask, hint, operands);
              });
  };
  multicast(3, "", "", "");
  multicast(2, "", "", " to the other CTA");
  multicast(1, "", "", " to the own CTA");
  multicast(3, ".L2::cache_hint", ", 0x12F0000000000000", "");
  // Whatever these do, they change nothing.
  struct Hint {
    std::string form, statement;
  };
  for (const Hint &hint :
       {Hint{"prefetch.tensormap", "prefetch.tensormap [%rd2];\n"},
        Hint{"cp.async.bulk.prefetch.tensor.3d.L2.global.tile",
             "cp.async.bulk.prefetch.tensor.3d.L2.global.tile [%rd2, {%c0, "
             "%c1, %c2}];\n"},
        Hint{"fence.proxy.tensormap::generic.acquire.gpu",
             "fence.proxy.tensormap::generic.acquire.gpu [%rd2], 128;\n"}})
    suite.add(hint.form, "sm_90", "exact", [=](Environment &environment) {
      BoxOptions three = options;
      three.rank = 3;
      bool isFence = hint.form[0] == 'f';
      TensorBox box = makeTensorBox(environment, three);
      Bytes tile = environment.randomBits<uint8_t>(tensorTileBytes);
      Bytes got = runTensorKernel(environment, box,
                                  hint.statement + loadOpcode(3) +
                                      " [%r8], [%rd2, {%c0, %c1, %c2}], "
                                      "[bar];\n" +
                                      awaitBox,
                                  tile, isFence);
      for (uint32_t offset = 0; offset < box.boxBytes(); ++offset)
        tile[box.tileByte(offset)] =
            box.contents[size_t(box.tensorByte(offset))];
      expectSame("byte", got, tile);
    });
}

} // namespace

void addTensorCopies(Suite &suite) {
  addShapes(suite);
  addNarrow(suite);
  addReductions(suite);
  addOthers(suite);
  addRefused(suite);
}

} // namespace pbs::conformance
