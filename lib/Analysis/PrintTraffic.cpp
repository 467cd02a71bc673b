// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Prints the traffic of each function.

#include "pbs/Analysis/Passes.h"
#include "pbs/Analysis/Traffic.h"
#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"
#include "pbs/Target/PTX/ModuleTarget.h"

#include "llvm/Support/FormatVariadic.h"

namespace pbs {
#define GEN_PASS_DEF_PBSPRINTTRAFFIC
#include "pbs/Analysis/Passes.h.inc"
} // namespace pbs

using namespace mlir;
using namespace pbs;

namespace {
struct PrintTraffic : pbs::impl::PBSPrintTrafficBase<PrintTraffic> {
  using PBSPrintTrafficBase::PBSPrintTrafficBase;

  LogicalResult initialize(MLIRContext *context) override {
    auto refuse = [&](const Twine &what) {
      return emitError(UnknownLoc::get(context), "pbs-print-traffic: ") << what;
    };
    if (queryLength == 0)
      queryLength = keyLength.getValue();
    if (batch < 1 || keyLength < 1 || queryLength < 1)
      return refuse("batch and lengths must be at least 1");
    if (queryLength > keyLength)
      return refuse("there must be no more queries than keys");
    // What a plan refuses; sizes beyond it would only overflow.
    constexpr int64_t mostKeys = maxKeyBlocks * largestKeyBlock,
                      mostBatches = 65535;
    if (keyLength > mostKeys)
      return refuse("key-length must be at most " + Twine(mostKeys));
    if (batch > mostBatches)
      return refuse("batch must be at most " + Twine(mostBatches));
    if (!(density >= 0 && density <= 1))
      return refuse("density must be from 0 to 1");
    if (!(masked <= 1))
      return refuse("masked must be at most 1");
    return success();
  }

  void runOnOperation() override {
    Workload workload;
    workload.batch = batch;
    workload.queryLength = queryLength;
    workload.keyLength = keyLength;
    if (density > 0)
      workload.density = density;
    if (masked >= 0)
      workload.maskedShare = masked;
    FailureOr<Chip> chip = getChip(getOperation()->getParentOfType<ModuleOp>());
    if (failed(chip))
      return signalPassFailure();
    FailureOr<Traffic> traffic =
        analyzeTraffic(getOperation(), workload, *chip);
    if (failed(traffic))
      return signalPassFailure();
    print(*traffic, workload);
    markAllAnalysesPreserved();
  }

private:
  void print(const Traffic &traffic, const Workload &workload) {
    std::string text = llvm::formatv("@{0}: batch {1}, {2} queries, {3} keys\n",
                                     getOperation().getSymName(), batch,
                                     queryLength, keyLength);
    auto line = [&](StringRef name, auto... columns) {
      text += llvm::formatv("  {0,-22}", name);
      ((text += llvm::formatv("{0,15}", columns)), ...);
      text += "\n";
    };
    line("bytes", "loaded", "stored", "copied", "gathered", "microseconds");
    KernelTraffic sum;
    for (const KernelTraffic &kernel : traffic.kernels) {
      std::string time =
          kernel.seconds ? llvm::formatv("{0:F1}", *kernel.seconds * 1e6).str()
                         : "-";
      line(kernel.kernel, kernel.loaded, kernel.stored, kernel.copied,
           kernel.gathered, time);
      sum.loaded += kernel.loaded;
      sum.stored += kernel.stored;
      sum.copied += kernel.copied;
      sum.gathered += kernel.gathered;
      sum.tiles += kernel.tiles;
      sum.maskedTiles += kernel.maskedTiles;
    }
    line("all", sum.loaded, sum.stored, sum.copied, sum.gathered, "");
    StringRef trimmed = StringRef(text).rtrim();
    text = llvm::formatv("{0}\n  {1} launches, {2} bytes of workspace\n",
                         trimmed, traffic.kernels.size(), traffic.workspace);
    if (traffic.allBlocks)
      text += llvm::formatv(
          "  {0} of {1} blocks skipped; {2} tiles, {3} of them masked\n",
          traffic.skippedBlocks, traffic.allBlocks, sum.tiles, sum.maskedTiles);
    llvm::errs() << text;
  }
};
} // namespace
