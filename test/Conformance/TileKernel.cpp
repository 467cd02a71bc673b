// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TileKernel.h"

namespace pbs::conformance {

std::string waitFor(const std::string &barrier, const std::string &parity) {
  return "{\n.reg .pred %done; .reg .b32 %turns;\nmov.u32 %turns, 0;\n"
         "TURN: mbarrier.try_wait.parity.shared::cta.b64 %done, [" +
         barrier + "], " + parity +
         ";\n@%done bra ON;\nadd.u32 %turns, %turns, 1;\n"
         "setp.lt.u32 %done, %turns, 100000; @%done bra TURN;\ntrap;\nON:\n}\n";
}

std::string tileKernel(const std::string &statements,
                       const std::string &arrivals) {
  return R"(.visible .entry kernel(.param .u64 in, .param .u64 out) {
.shared .align 1024 .b8 tile[4096];
.shared .align 8 .b64 bar; .shared .align 8 .b64 other;
.reg .b16 %h<8>; .reg .b32 %r<32>; .reg .b64 %rd<16>; .reg .pred %p<8>;
.reg .f32 %f<4>;
ld.param.u64 %rd0, [in]; ld.param.u64 %rd1, [out];
mov.u32 %r0, %tid.x; mov.u32 %r31, %r0; mov.u32 %r29, %ntid.x;
mov.u32 %r27, %cluster_ctarank;
FILL: setp.ge.u32 %p7, %r31, 1024; @%p7 bra FILLED;
mov.u32 %r30, tile; mad.lo.u32 %r30, %r31, 4, %r30;
mad.lo.u32 %r28, %r27, 1024, %r31; st.shared.u32 [%r30], %r28;
add.u32 %r31, %r31, %r29; bra FILL;
FILLED: setp.eq.u32 %p7, %r0, 0;
@%p7 mbarrier.init.shared.b64 [bar], )" +
         arrivals + R"(;
@%p7 mbarrier.init.shared.b64 [other], 1;
fence.mbarrier_init.release.cluster;
fence.proxy.async;
barrier.cluster.arrive.release; barrier.cluster.wait.acquire;
bar.sync 0;
)" + statements +
         "\nret;\n}\n";
}

std::string copyTileOut() {
  return "mov.u32 %r31, %r0;\nCOPY: setp.ge.u32 %p7, %r31, 1024;\n"
         "@%p7 bra COPIED;\nmov.u32 %r30, tile;\n"
         "mad.lo.u32 %r30, %r31, 4, %r30;\nld.shared.u32 %r28, [%r30];\n"
         "mad.wide.u32 %rd15, %r31, 4, %rd1;\nst.global.u32 [%rd15], %r28;\n"
         "add.u32 %r31, %r31, %r29;\nbra COPY;\nCOPIED:\n";
}

std::vector<uint32_t> filledTile(uint32_t rank) {
  std::vector<uint32_t> words(tileWords);
  for (uint32_t index = 0; index < tileWords; ++index)
    words[index] = rank * tileWords + index;
  return words;
}

void launchTile(Environment &environment, const TileRun &run, DeviceAddress in,
                DeviceAddress out) {
  LaunchConfiguration configuration;
  configuration.block = {run.threads, 1, 1};
  configuration.grid = {run.ctas, 1, 1};
  configuration.cluster = {run.clusterCtas, 1, 1};
  ParameterBuffer parameters;
  parameters.append(in);
  parameters.append(out);
  environment.launch(tileKernel(run.statements, run.arrivals), configuration,
                     parameters);
}

std::vector<uint32_t> resultsOfThread0(Environment &environment,
                                       const std::string &statements,
                                       const std::string &arrivals,
                                       uint32_t threads) {
  DeviceAddress out = environment.allocate(4096);
  TileRun run;
  run.statements = "setp.ne.u32 %p0, %r0, 0;\n@%p0 bra END;\n";
  for (unsigned index = 8; index < 16; ++index)
    run.statements += "mov.u32 %r" + std::to_string(index) + ", 0;\n";
  run.statements += statements;
  for (unsigned index = 0; index < 8; ++index)
    run.statements += "st.global.u32 [%rd1+" + std::to_string(4 * index) +
                      "], %r" + std::to_string(8 + index) + ";\n";
  run.statements += "END:";
  run.arrivals = arrivals;
  run.threads = threads;
  launchTile(environment, run, out, out);
  return environment.download<uint32_t>(out, 8);
}

std::vector<uint32_t> tileAfter(Environment &environment, const TileRun &run,
                                const std::vector<uint32_t> &values) {
  DeviceAddress out = environment.allocate(4096);
  TileRun whole = run;
  whole.statements += "bar.sync 0;\n" + copyTileOut();
  launchTile(environment, whole, environment.upload(values), out);
  return environment.download<uint32_t>(out, tileWords);
}

std::vector<uint32_t> globalAfter(Environment &environment, const TileRun &run,
                                  const std::vector<uint32_t> &values) {
  DeviceAddress out = environment.upload(std::vector<uint32_t>(tileWords));
  launchTile(environment, run, environment.upload(values), out);
  return environment.download<uint32_t>(out, tileWords);
}

} // namespace pbs::conformance
