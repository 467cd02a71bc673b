// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TensorBox.h"

#include <algorithm>

namespace pbs::conformance {

TensorBox makeTensorBox(Environment &environment, const BoxOptions &options) {
  TensorBox box;
  runtime::TensorMapDescription &map = box.map;
  map.elementBytes =
      options.elementBytes ? options.elementBytes : 1u << environment.below(4);
  map.swizzleBytes = options.swizzle;
  uint32_t row = options.rowBytes  ? options.rowBytes
                 : options.swizzle ? options.swizzle
                                   : 16 * (1 + environment.below(8));
  // Rows may take as much as the swizzle, should they be padded to it.
  uint32_t most = (tensorTileBytes - 1024) / std::max(row, options.swizzle);
  uint64_t pitch = 0;
  for (unsigned dimension = 0; dimension < options.rank; ++dimension) {
    uint32_t extent = row / map.elementBytes;
    if (dimension > 0) {
      uint32_t limit = std::min(most, options.rank > 3 ? 4u : 24u);
      extent = 1 + environment.below(limit);
      most /= extent;
    }
    map.box.push_back(extent);
    uint64_t shape = extent + environment.below(options.rank > 3 ? 4 : 20);
    if (options.exceeds && environment.below(2))
      shape = 1 + environment.below(extent);
    map.shape.push_back(shape);
    // Rows with a gap behind them, at multiples of 16 bytes; each stride is a
    // multiple of the one before.
    if (dimension == 0)
      pitch =
          (shape * map.elementBytes + 15) / 16 * 16 + 16 * environment.below(2);
    else
      pitch *= shape + environment.below(2);
    if (dimension + 1 < options.rank)
      map.strides.push_back(pitch);
    int32_t before = options.exceeds && options.isLoad ? int32_t(extent) : 0;
    uint32_t last =
        options.exceeds ? uint32_t(shape) + 1 : uint32_t(shape) - extent + 1;
    int32_t start =
        int32_t(environment.below(uint32_t(before) + last)) - before;
    // The first coordinate is a multiple of 16 bytes.
    if (dimension == 0)
      start -= start % (16 / int32_t(map.elementBytes));
    box.start.push_back(start);
  }
  box.contents = environment.randomBits<uint8_t>(pitch);
  map.base = environment.upload(box.contents);
  if (!options.isAligned)
    box.begin = 128 * (1 + environment.below(7));
  return box;
}

std::string coordinates(unsigned rank) {
  std::string text = "{";
  for (unsigned dimension = 0; dimension < rank; ++dimension)
    text += (dimension ? ", %c" : "%c") + std::to_string(dimension);
  return text + "}";
}

std::vector<uint8_t> runTensorKernel(Environment &environment,
                                     const TensorBox &box,
                                     const std::string &statements,
                                     const std::vector<uint8_t> &tile,
                                     bool isMapInGlobalMemory, uint32_t ctas) {
  std::string ptx =
      ".visible .entry kernel(.param .align 64 .b8 map[128], .param .u64 in,\n"
      "  .param .u64 out, .param .u64 global_map, .param .u32 begin,\n"
      "  .param .u32 bytes";
  const unsigned rank = unsigned(box.map.shape.size());
  for (unsigned dimension = 0; dimension < rank; ++dimension)
    ptx += ", .param .u32 c" + std::to_string(dimension);
  ptx += R"() {
.shared .align 8 .b64 bar;
.reg .b32 %r<16>, %c<6>; .reg .b64 %rd<8>; .reg .pred %p<8>;
ld.param.u64 %rd0, [in]; ld.param.u64 %rd1, [out];
ld.param.u32 %r8, [begin]; ld.param.u32 %r9, [bytes];
mov.u32 %r10, %cluster_ctarank; mad.wide.u32 %rd1, %r10, 8192, %rd1;
mov.u32 %r0, %tid.x; mov.u32 %r1, memory; shl.b32 %r2, %r0, 2;
add.u32 %r8, %r8, %r1;
FILL: add.u32 %r3, %r1, %r2; cvt.u64.u32 %rd3, %r2;
add.u64 %rd3, %rd0, %rd3; ld.global.u32 %r4, [%rd3];
st.shared.u32 [%r3], %r4; add.u32 %r2, %r2, 512;
setp.lt.u32 %p1, %r2, 8192; @%p1 bra FILL;
setp.eq.u32 %p0, %r0, 0;
@%p0 mbarrier.init.shared.b64 [bar], 1;
fence.mbarrier_init.release.cluster;
fence.proxy.async;
barrier.cluster.arrive.release; barrier.cluster.wait.acquire;
bar.sync 0;
)";
  ptx += isMapInGlobalMemory
             ? "ld.param.u64 %rd2, [global_map];\n"
             : "mov.b64 %rd2, map;\ncvta.param.u64 %rd2, %rd2;\n";
  for (unsigned dimension = 0; dimension < rank; ++dimension)
    ptx += "ld.param.u32 %c" + std::to_string(dimension) + ", [c" +
           std::to_string(dimension) + "];\n";
  ptx += "@!%p0 bra DONE;\n" + statements + R"(
DONE: bar.sync 0; barrier.cluster.arrive; barrier.cluster.wait;
shl.b32 %r2, %r0, 2;
OUT: add.u32 %r3, %r1, %r2; cvt.u64.u32 %rd3, %r2;
add.u64 %rd3, %rd1, %rd3; ld.shared.u32 %r4, [%r3];
st.global.u32 [%rd3], %r4; add.u32 %r2, %r2, 512;
setp.lt.u32 %p1, %r2, 8192; @%p1 bra OUT;
ret;
}
)";
  runtime::TensorMap map = environment.device.encodeTensorMap(box.map);
  DeviceAddress out = environment.allocate(ctas * tensorTileBytes);
  ParameterBuffer parameters;
  parameters.append(map);
  parameters.append(environment.upload(tile));
  parameters.append(out);
  parameters.append(environment.upload(
      std::vector<uint8_t>(map.bytes.begin(), map.bytes.end())));
  parameters.append(box.begin);
  parameters.append(box.boxBytes());
  for (int32_t coordinate : box.start)
    parameters.append(coordinate);
  LaunchConfiguration configuration;
  configuration.grid = configuration.cluster = {ctas, 1, 1};
  configuration.block = {128, 1, 1};
  configuration.dynamicSharedBytes = tensorTileBytes;
  environment.launch(ptx, configuration, parameters);
  return environment.download<uint8_t>(out, ctas * tensorTileBytes);
}

} // namespace pbs::conformance
