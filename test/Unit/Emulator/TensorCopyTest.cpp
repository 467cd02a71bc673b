// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensor maps, and the boxes that tensor copies move.

#include "../../Oracles/TensorBox.h"
#include "AsyncWorkTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::HasSubstr;

namespace {

class TensorCopyTest : public AsyncWorkTest {
protected:
  /// A random tensor, and a box of it.
  struct Case : pbs::oracle::TensorBox {
    std::vector<uint8_t> contents;
    /// Bytes of the encoded map to overwrite.
    std::vector<std::pair<size_t, uint8_t>> damage;

    uint64_t rank() const { return map.shape.size(); }
  };

  /// Stores have no negative coordinates.
  Case randomCase(unsigned rank, uint32_t swizzle, bool isStore = false) {
    Case test;
    TensorMapDescription &map = test.map;
    map.elementBytes = 1u << random() % 4;
    map.swizzleBytes = swizzle;
    uint32_t most = swizzle == 0 ? 128 : swizzle;
    uint32_t inner = 16 * uint32_t(random() % (most / 16) + 1);
    uint64_t bytes = std::max(inner, swizzle);
    uint64_t pitch = map.elementBytes;
    for (unsigned dimension = 0; dimension < rank; ++dimension) {
      uint32_t extent = inner / map.elementBytes;
      if (dimension > 0) {
        extent = uint32_t(random() % std::min<uint64_t>(3072 / bytes, 24)) + 1;
        bytes *= extent;
        // Ragged rows with a gap behind them.
        pitch = (pitch + 15) / 16 * 16 + 16 * (random() % 2);
        map.strides.push_back(pitch);
      }
      map.box.push_back(extent);
      uint64_t shape = random() % (rank > 3 ? 6 : 40) + 1;
      map.shape.push_back(shape);
      pitch *= shape;
      int64_t low = isStore ? 0 : -int64_t(extent) - 1;
      int64_t start = low + int64_t(random() % (shape + uint64_t(-low) + 2));
      // The first coordinate is a multiple of 16 bytes.
      if (dimension == 0)
        start -= start % (16 / int64_t(map.elementBytes));
      test.start.push_back(random() % 3 == 0 ? 0 : int32_t(start));
    }
    test.contents.resize((pitch + 15) / 16 * 16);
    for (uint8_t &byte : test.contents)
      byte = uint8_t(random());
    map.base = upload(test.contents);
    return test;
  }

  static std::string coordinates(const Case &test) {
    std::string text = "{";
    for (size_t dimension = 0; dimension < test.rank(); ++dimension)
      text += (dimension ? ", " : "") + std::string("%c") +
              std::to_string(dimension);
    return text + "}";
  }

  /// Runs \p statements in thread 0 of a kernel with the map at %rd2, the
  /// coordinates in %c0 on, the contents of \p tile in shared memory, the
  /// box's place there in %r8 and its bytes in %r9, and an mbarrier "bar".
  /// Returns the tile.
  std::vector<uint8_t> runTensor(const Case &test,
                                 const std::string &statements,
                                 const std::vector<uint8_t> &tile,
                                 uint64_t begin, unsigned how = 0) {
    std::string ptx =
        R"(.visible .entry kernel(.param .align 64 .b8 map[128], .param .u64 in,
          .param .u64 out, .param .u64 global_map, .param .u32 begin,
          .param .u32 bytes)";
    for (unsigned dimension = 0; dimension < test.rank(); ++dimension)
      ptx += ", .param .u32 c" + std::to_string(dimension);
    ptx += R"() {
      .shared .align 8 .b64 bar;
      .reg .b32 %r<16>, %c<6>; .reg .b64 %rd<8>; .reg .pred %p<8>;
      ld.param.u64 %rd0, [in]; ld.param.u64 %rd1, [out];
      ld.param.u32 %r8, [begin]; ld.param.u32 %r9, [bytes];
      mov.u32 %r0, %tid.x; mov.u32 %r1, tile; mov.u32 %r2, %r0;
      add.u32 %r8, %r8, %r1;
      FILL: add.u32 %r3, %r1, %r2; cvt.u64.u32 %rd3, %r2;
      add.u64 %rd3, %rd0, %rd3; ld.global.u8 %r4, [%rd3];
      st.shared.u8 [%r3], %r4; add.u32 %r2, %r2, 128;
      setp.lt.u32 %p1, %r2, 4096; @%p1 bra FILL;
      setp.eq.u32 %p0, %r0, 0;
      @%p0 mbarrier.init.shared.b64 [bar], 1;
      fence.proxy.async;
      bar.sync 0;
)";
    // By its generic address, its address as a parameter, or in global memory.
    static const char *const ways[] = {
        "mov.b64 %rd2, map;\ncvta.param.u64 %rd2, %rd2;\n",
        "mov.b64 %rd2, map;\n", "ld.param.u64 %rd2, [global_map];\n"};
    ptx += ways[how];
    for (unsigned dimension = 0; dimension < test.rank(); ++dimension)
      ptx += "ld.param.u32 %c" + std::to_string(dimension) + ", [c" +
             std::to_string(dimension) + "];\n";
    ptx += "@!%p0 bra DONE;\n" + statements + R"(
      DONE: bar.sync 0; mov.u32 %r2, %r0;
      OUT: add.u32 %r3, %r1, %r2; cvt.u64.u32 %rd3, %r2;
      add.u64 %rd3, %rd1, %rd3; ld.shared.u8 %r4, [%r3];
      st.global.u8 [%rd3], %r4; add.u32 %r2, %r2, 128;
      setp.lt.u32 %p1, %r2, 4096; @%p1 bra OUT;
      ret;
    })";
    const std::string shared = ".extern .shared .align 1024 .b8 tile[];\n";
    expectAssembles(shared + ptx);
    DeviceAddress out = device->allocate(4096);
    TensorMap map = device->encodeTensorMap(test.map);
    for (auto [index, byte] : test.damage)
      map.bytes[index] = byte;
    Parameters parameters;
    parameters.add(map).add(upload(tile)).add(out);
    parameters.add(
        upload(std::vector<uint8_t>(map.bytes.begin(), map.bytes.end())));
    parameters.add(uint32_t(begin)).add(uint32_t(test.boxBytes()));
    for (int32_t coordinate : test.start)
      parameters.add(coordinate);
    LaunchConfiguration configuration;
    configuration.block = {128, 1, 1};
    configuration.dynamicSharedBytes = 4096;
    run(shared + ptx, configuration, parameters);
    return download<uint8_t>(out, 4096);
  }

  uint64_t randomBegin(const Case &test) {
    uint64_t lines = (test.sharedBytes() + 127) / 128;
    return 128 * (random() % (32 - lines + 1));
  }

  std::vector<uint8_t> randomTile() {
    std::vector<uint8_t> tile(4096);
    for (uint8_t &byte : tile)
      byte = uint8_t(random());
    return tile;
  }

  static constexpr uint32_t swizzles[] = {0, 32, 64, 128};
};

std::string dimensions(uint64_t rank) { return std::to_string(rank) + "d"; }

const std::string awaitBar =
    "mbarrier.arrive.expect_tx.shared.b64 _, [bar], %r9;\n"
    "WAIT: mbarrier.try_wait.parity.shared.b64 %p1, [bar], 0;\n"
    "@!%p1 bra WAIT;\n";
const std::string finishGroup = "cp.async.bulk.commit_group;\n"
                                "cp.async.bulk.wait_group 0;\n";

} // namespace

TEST_F(TensorCopyTest, loads) {
  forEachTiming(2, [&] {
    for (unsigned rank = 1; rank <= 5; ++rank)
      for (uint32_t swizzle : swizzles)
        for (unsigned round = 0; round < 6; ++round) {
          Case test = randomCase(rank, swizzle);
          uint64_t begin = randomBegin(test);
          auto tile = randomTile();
          auto results = runTensor(
              test,
              "cp.async.bulk.tensor." + dimensions(rank) +
                  ".shared::cluster.global" + (round % 2 ? ".tile" : "") +
                  ".mbarrier::complete_tx::bytes [%r8], [%rd2, " +
                  coordinates(test) + "], [bar];\n" + awaitBar,
              tile, begin, round % 3);
          auto expected = tile;
          for (uint64_t offset = 0; offset < test.boxBytes(); ++offset) {
            int64_t byte = test.tensorByte(offset);
            expected[test.sharedByte(offset, begin)] =
                byte < 0 ? 0 : test.contents[size_t(byte)];
          }
          ASSERT_EQ(results, expected)
              << "rank " << rank << ", swizzle " << swizzle;
        }
  });
}

TEST_F(TensorCopyTest, stores) {
  forEachTiming(2, [&] {
    for (unsigned rank = 1; rank <= 5; ++rank)
      for (uint32_t swizzle : swizzles)
        for (unsigned round = 0; round < 6; ++round) {
          Case test = randomCase(rank, swizzle, /*isStore=*/true);
          uint64_t begin = randomBegin(test);
          auto tile = randomTile();
          runTensor(test,
                    "cp.async.bulk.tensor." + dimensions(rank) +
                        ".global.shared::cta" + (round % 2 ? ".tile" : "") +
                        ".bulk_group [%rd2, " + coordinates(test) +
                        "], [%r8];\n" + finishGroup,
                    tile, begin, round % 3);
          auto expected = test.contents;
          for (uint64_t offset = 0; offset < test.boxBytes(); ++offset)
            if (int64_t byte = test.storedByte(offset); byte >= 0)
              expected[size_t(byte)] = tile[test.sharedByte(offset, begin)];
          ASSERT_EQ(download<uint8_t>(test.map.base, expected.size()), expected)
              << "rank " << rank << ", swizzle " << swizzle;
        }
  });
}

TEST_F(TensorCopyTest, reductions) {
  using Format = TensorMapDescription::Format;
  auto check = [&](const std::string &operation, Format format, auto combine) {
    using T = decltype(combine({}, {}));
    Case test;
    test.map.elementBytes = sizeof(T);
    test.map.format = format;
    test.map.shape = {13, 7};
    test.map.strides = {128};
    test.map.box = {32 / sizeof(T), 4};
    test.map.swizzleBytes = 32;
    test.start = {int32_t(random() % 4 * 16 / sizeof(T)),
                  int32_t(random() % 8)};
    std::vector<T> contents(7 * 128 / sizeof(T)), values(4096 / sizeof(T));
    for (auto *list : {&contents, &values})
      for (T &value : *list)
        value = T(int64_t(random() % 4001) - 2000);
    test.map.base = upload(contents);
    std::vector<uint8_t> tile(4096);
    std::memcpy(tile.data(), values.data(), 4096);
    runTensor(test,
              "cp.reduce.async.bulk.tensor.2d.global.shared::cta." + operation +
                  ".tile.bulk_group [%rd2, {%c0, %c1}], [%r8];\n" + finishGroup,
              tile, 256);
    auto expected = contents;
    for (uint64_t offset = 0; offset < test.boxBytes(); offset += sizeof(T))
      if (int64_t byte = test.storedByte(offset); byte >= 0) {
        T &element = expected[size_t(byte) / sizeof(T)];
        element =
            combine(element, values[test.sharedByte(offset, 256) / sizeof(T)]);
      }
    ASSERT_EQ(download<T>(test.map.base, expected.size()), expected)
        << operation << ", " << seedText;
  };
  forEachTiming(1, [&] {
    check("add", Format::Float, [](float a, float b) { return a + b; });
    check("add", Format::Unsigned,
          [](uint64_t a, uint64_t b) { return a + b; });
    check("min", Format::Signed,
          [](int32_t a, int32_t b) { return b < a ? b : a; });
    check("max", Format::Unsigned,
          [](uint32_t a, uint32_t b) { return a < b ? b : a; });
    check("inc", Format::Unsigned,
          [](uint32_t a, uint32_t b) { return a >= b ? 0 : a + 1; });
    check("xor", Format::Unsigned,
          [](uint32_t a, uint32_t b) { return a ^ b; });
    check("and", Format::Unsigned,
          [](uint64_t a, uint64_t b) { return a & b; });
  });
}

// A piece of 16 bytes that is partly inside its row is written as a whole, one
// that is outside is not.
TEST_F(TensorCopyTest, storesWriteWholePieces) {
  auto written = [&](Case test, const std::string &opcode) {
    test.contents.assign(test.contents.size(), 0);
    test.map.base = upload(test.contents);
    runTensor(test,
              opcode + " [%rd2, " + coordinates(test) + "], [%r8];\n" +
                  finishGroup,
              std::vector<uint8_t>(4096, 1), 0);
    auto after = download<uint8_t>(test.map.base, test.contents.size());
    std::vector<uint64_t> bytes;
    for (uint64_t index = 0; index < after.size(); ++index)
      if (after[index] != 0)
        bytes.push_back(index);
    return bytes;
  };
  auto range = [](std::vector<uint64_t> &bytes, uint64_t begin, uint64_t end) {
    for (; begin < end; ++begin)
      bytes.push_back(begin);
  };
  Case line;
  line.map.elementBytes = 8;
  line.map.shape = {25};
  line.map.box = {16};
  line.start = {20};
  line.contents.resize(320);
  Case rows;
  rows.map.elementBytes = 4;
  rows.map.shape = {22, 3};
  rows.map.strides = {112};
  rows.map.box = {8, 4};
  rows.start = {20, 1};
  rows.contents.resize(336);
  Case outside = line;
  outside.start = {26};
  std::vector<uint64_t> ofLine, ofRows;
  range(ofLine, 160, 208);
  range(ofRows, 112 + 80, 112 + 96);
  range(ofRows, 224 + 80, 224 + 96);
  forEachTiming(1, [&] {
    for (const std::string instruction :
         {"cp.async.bulk.tensor.", "cp.reduce.async.bulk.tensor."}) {
      bool isSum = instruction[3] == 'r';
      auto opcode = [&](unsigned rank) {
        return instruction + dimensions(rank) + ".global.shared::cta" +
               (isSum ? ".add" : "") + ".tile.bulk_group";
      };
      EXPECT_EQ(written(line, opcode(1)), ofLine) << instruction;
      EXPECT_EQ(written(rows, opcode(2)), ofRows) << instruction;
      EXPECT_EQ(written(outside, opcode(1)), std::vector<uint64_t>());
    }
  });
}

TEST_F(TensorCopyTest, prefetchesChangeNothing) {
  Case test = randomCase(3, 64);
  auto tile = randomTile();
  EXPECT_EQ(
      runTensor(test,
                "prefetch.tensormap [%rd2];\n"
                "cp.async.bulk.prefetch.tensor.3d.L2.global.tile [%rd2, "
                "{%c0, %c1, %c2}];\n"
                "fence.proxy.tensormap::generic.acquire.gpu [%rd2], 128;\n",
                tile, 0),
      tile);
}

TEST_F(TensorCopyTest, misuse) {
  Case test = randomCase(2, 128);
  auto fault = [&](const std::string &statements, uint64_t begin = 0) {
    return errorOf([&] { runTensor(test, statements, randomTile(), begin); });
  };
  const std::string load = "cp.async.bulk.tensor.2d.shared::cluster.global."
                           "mbarrier::complete_tx::bytes ";
  EXPECT_THAT(fault(load + "[%r8], [%rd2, {%c0, %c1}], [bar];", 64),
              HasSubstr("not aligned to 128 bytes"));
  EXPECT_THAT(fault("add.u64 %rd2, %rd2, 64;\n" + load +
                    "[%r8], [%rd2, {%c0, %c1}], [bar];"),
              HasSubstr("finds no tensor map at 0x"));
  EXPECT_THAT(fault("add.u64 %rd2, %rd2, 4;\n" + load +
                    "[%r8], [%rd2, {%c0, %c1}], [bar];"),
              HasSubstr("not aligned to 64 bytes"));
  EXPECT_THAT(fault(load + "[%r8+65536], [%rd2, {%c0, %c1}], [bar];"),
              HasSubstr("of shared memory"));
  EXPECT_THAT(
      fault("cp.async.bulk.tensor.1d.shared::cluster.global.mbarrier::complete_"
            "tx::bytes [%r8], [%rd2, {%c0}], [bar];"),
      HasSubstr("has a tensor map of rank 2 for a copy of 1 dimensions"));
  // A box beyond the memory that the map's base is in.
  test.start = {0, 0};
  test.map.strides = {1 << 20};
  test.map.shape = {test.map.shape[0], 256};
  test.map.box[1] = 3;
  EXPECT_THAT(fault(load + "[%r8], [%rd2, {%c0, %c1}], [bar];"),
              HasSubstr("which is beyond the end of an allocation"));
  auto refused = [&](const std::string &statement) {
    return errorOf([&] {
      device->loadModule(header +
                             ".visible .entry k() {\n.reg .b32 %r<4>; .reg "
                             ".b64 %rd<4>; .reg .b16 %h;\n" +
                             statement + "\nret;\n}\n",
                         "m.ptx");
    });
  };
  EXPECT_EQ(refused("cp.async.bulk.tensor.3d.shared::cluster.global.im2col."
                    "mbarrier::complete_tx::bytes [%r0], [%rd0, {%r1, %r1, "
                    "%r1}], [%r2], {%h};"),
            "m.ptx:6: '.im2col' is not supported: tensor maps are tiled");
  EXPECT_THAT(refused("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group "
                      "[%rd0, {%r1, %r1}], [%r0];"),
              HasSubstr("unsupported form"));
  EXPECT_THAT(refused("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group "
                      "[%rd0], [%r0];"),
              HasSubstr("unsupported form"));
}

TEST_F(TensorCopyTest, coordinatesAreChecked) {
  Case test;
  test.map.elementBytes = 4;
  test.map.shape = {40, 10};
  test.map.strides = {160};
  test.map.box = {8, 4};
  test.map.base = device->allocate(1600);
  device->fill(test.map.base, 0, 1600);
  auto at = [&](int32_t column, int32_t row, const std::string &statements) {
    test.start = {column, row};
    return errorOf([&] { runTensor(test, statements, randomTile(), 0); });
  };
  const std::string place = "[%rd2, {%c0, %c1}]";
  const std::string load = "cp.async.bulk.tensor.2d.shared::cluster.global."
                           "mbarrier::complete_tx::bytes [%r8], " +
                           place + ", [bar];\n" + awaitBar;
  EXPECT_THAT(at(1, 0, load),
              HasSubstr("reads a box whose first coordinate, 1, is 4 bytes, "
                        "which is no multiple of 16"));
  EXPECT_THAT(at(-6, 0, load), HasSubstr("-6, is -24 bytes"));
  EXPECT_EQ(at(-4, -3, load), "no error");
  EXPECT_EQ(
      at(1, 0,
         "cp.async.bulk.prefetch.tensor.2d.L2.global.tile " + place + ";\n"),
      "no error");
  for (const std::string opcode :
       {"cp.async.bulk.tensor.2d.global.shared::cta.bulk_group ",
        "cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.bulk_group "}) {
    const std::string store = opcode + place + ", [%r8];\n" + finishGroup;
    EXPECT_THAT(at(2, 0, store),
                HasSubstr("writes a box whose first coordinate, 2, is 8 bytes, "
                          "which is no multiple of 16"));
    EXPECT_THAT(at(0, -1, store),
                HasSubstr("writes a box with the negative coordinate -1, which "
                          "only loads may have"));
    EXPECT_THAT(at(-4, 0, store), HasSubstr("the negative coordinate -4"));
    EXPECT_EQ(at(44, 10, store), "no error");
  }
}

TEST_F(TensorCopyTest, boundsCoverWhatIsTouched) {
  const std::string load = "cp.async.bulk.tensor.2d.shared::cluster.global."
                           "mbarrier::complete_tx::bytes [%r8], [%rd2, {%c0, "
                           "%c1}], [bar];\n" +
                           awaitBar;
  const std::string store = "cp.async.bulk.tensor.2d.global.shared::cta.bulk_"
                            "group [%rd2, {%c0, %c1}], [%r8];\n" +
                            finishGroup;
  auto message = [&](const Case &test, const std::string &statements,
                     uint64_t begin = 0) {
    return errorOf([&] { runTensor(test, statements, randomTile(), begin); });
  };
  // 32 rows of 16 bytes, padded to 128.
  Case padded;
  padded.map.elementBytes = 2;
  padded.map.shape = {8, 32};
  padded.map.strides = {16};
  padded.map.box = {8, 32};
  padded.map.swizzleBytes = 128;
  padded.map.base = device->allocate(512);
  padded.start = {0, 0};
  for (const std::string &statements : {load, store}) {
    EXPECT_EQ(message(padded, statements), "no error");
    EXPECT_THAT(message(padded, statements, 128), HasSubstr("4096 bytes at"));
    EXPECT_THAT(message(padded, statements, 128),
                HasSubstr("of shared memory"));
  }
  // The piece at the end of the last row lies partly behind the allocation.
  Case ragged;
  ragged.map.elementBytes = 4;
  ragged.map.shape = {22, 3};
  ragged.map.strides = {112};
  ragged.map.box = {8, 3};
  ragged.map.base = device->allocate(2 * 112 + 88);
  ragged.start = {20, 0};
  EXPECT_EQ(message(ragged, load), "no error");
  EXPECT_THAT(message(ragged, store),
              HasSubstr("which is beyond the end of an allocation"));
  ragged.map.base = device->allocate(2 * 112 + 96);
  EXPECT_EQ(message(ragged, store), "no error");
}

// What encodeTensorMap would not have made could reach beyond what is checked.
TEST_F(TensorCopyTest, damagedMapsAreRefused) {
  Case test = randomCase(2, 64);
  // The base's lowest byte, the stride's, and the inner extent of the box.
  for (auto [index, byte] :
       {std::pair<size_t, uint8_t>(8, 8), std::pair<size_t, uint8_t>(56, 8),
        std::pair<size_t, uint8_t>(88, 255)}) {
    test.damage = {{index, byte}};
    EXPECT_THAT(errorOf([&] {
                  runTensor(test,
                            "prefetch.tensormap [%rd2];\n"
                            "cp.async.bulk.prefetch.tensor.2d.L2.global.tile "
                            "[%rd2, {%c0, %c1}];\n",
                            randomTile(), 0);
                }),
                HasSubstr("finds no tensor map at"))
        << index;
  }
}

TEST_F(TensorCopyTest, mapsAreChecked) {
  TensorMapDescription good;
  good.elementBytes = 2;
  good.base = 0x7f0000001000;
  good.shape = {100, 50};
  good.strides = {208};
  good.box = {32, 16};
  good.swizzleBytes = 64;
  auto error = [&](auto change) {
    TensorMapDescription map = good;
    change(map);
    return errorOf([&] { device->encodeTensorMap(map); });
  };
  using Map = TensorMapDescription;
  EXPECT_EQ(error([](Map &) {}), "no error");
  EXPECT_EQ(error([](Map &map) { map.base += 8; }),
            "tensor map: the base address is not aligned to 16 bytes");
  EXPECT_EQ(error([](Map &map) { map.strides[0] = 200; }),
            "tensor map: stride 200 is no multiple of 16");
  EXPECT_THAT(error([](Map &map) { map.strides[0] = uint64_t(1) << 40; }),
              HasSubstr("is not below 2^40"));
  EXPECT_THAT(error([](Map &map) { map.box[1] = 257; }),
              HasSubstr("box extent 257 is outside 1 to 256"));
  EXPECT_THAT(error([](Map &map) { map.box[1] = 0; }),
              HasSubstr("box extent 0 is outside"));
  EXPECT_THAT(error([](Map &map) { map.box[0] = 12; }),
              HasSubstr("inner 24 bytes are no multiple of 16"));
  EXPECT_THAT(error([](Map &map) { map.box[0] = 40; }),
              HasSubstr("inner 80 bytes are more than the swizzle's 64"));
  EXPECT_THAT(error([](Map &map) { map.shape[0] = 0; }),
              HasSubstr("extent 0 is outside 1 to 2^32"));
  EXPECT_THAT(error([](Map &map) { map.shape.assign(6, 1); }),
              HasSubstr("rank 6 is outside 1 to 5"));
  EXPECT_THAT(error([](Map &map) { map.shape.clear(); }),
              HasSubstr("rank 0 is outside"));
  EXPECT_THAT(error([](Map &map) { map.strides.clear(); }),
              HasSubstr("does not go with 0 strides"));
  EXPECT_THAT(error([](Map &map) { map.elementBytes = 3; }),
              HasSubstr("elements of 3 bytes"));
  EXPECT_THAT(error([](Map &map) { map.swizzleBytes = 16; }),
              HasSubstr("swizzle of 16 bytes"));
}
