// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Time from the text of a pbs module to PTX and plan.

#include "pbs/InitAllDialects.h"
#include "pbs/Pipelines/Pipelines.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <benchmark/benchmark.h>

using namespace mlir;

/// Parses and compiles `attention.mlir` for a chip, in a fresh context as the
/// tools do.
static void compileAttention(benchmark::State &state, const char *chip) {
  for (auto _ : state) {
    DialectRegistry registry;
    pbs::registerAllDialects(registry);
    MLIRContext context(registry, MLIRContext::Threading::DISABLED);
    OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(
        PBS_BENCH_SOURCE_DIR "/attention.mlir", &context);
    if (!module) {
      state.SkipWithError("attention.mlir does not parse");
      return;
    }
    pbs::CompileOptions options;
    options.chip = chip;
    FailureOr<pbs::CompiledModule> compiled =
        pbs::compileToPTX(*module, options);
    if (failed(compiled)) {
      state.SkipWithError("attention.mlir does not compile");
      return;
    }
    state.counters["PTX bytes"] = static_cast<double>(compiled->ptx.size());
  }
}

BENCHMARK_CAPTURE(compileAttention, sm_80, "sm_80")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(compileAttention, sm_90a, "sm_90a")
    ->Unit(benchmark::kMillisecond);

BENCHMARK_MAIN();
