// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the targets that read MLIR share: parsing with our dialects and what
// these depend on, and no other.

#ifndef PBS_TEST_FUZZ_MLIR_H
#define PBS_TEST_FUZZ_MLIR_H

#include "Fuzz.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/SourceMgr.h"

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbs::fuzz {

/// A context that renders every diagnostic and counts the errors.
class Context {
public:
  Context() : context(registry(), mlir::MLIRContext::Threading::DISABLED) {
    context.getDiagEngine().registerHandler([this](mlir::Diagnostic &given) {
      std::string text = given.str();
      for (mlir::Diagnostic &note : given.getNotes())
        text += note.str();
      errors += given.getSeverity() == mlir::DiagnosticSeverity::Error;
    });
  }

  /// Null, after an error was reported, if \p text is no valid module.
  mlir::OwningOpRef<mlir::ModuleOp> parse(llvm::StringRef text) {
    auto sources = std::make_shared<llvm::SourceMgr>();
    sources->AddNewSourceBuffer(
        llvm::MemoryBuffer::getMemBufferCopy(text, "fuzz.mlir"), llvm::SMLoc());
    unsigned before = errors;
    auto module = mlir::parseSourceFile<mlir::ModuleOp>(sources, &context);
    if (!module && errors == before)
      fail("refused without a word");
    return module;
  }

  mlir::MLIRContext *operator&() { return &context; }
  unsigned errorCount() const { return errors; }

private:
  static mlir::DialectRegistry registry() {
    mlir::DialectRegistry registry;
    registry.insert<pbs::PBSDialect, pbsgpu::PBSGPUDialect,
                    mlir::func::FuncDialect>();
    return registry;
  }

  mlir::MLIRContext context;
  unsigned errors = 0;
};

/// Whether a crash over \p text could be ours. Bytecode has a reader of its own
/// upstream, and none of ours; and what crashes MLIR's own parser too often
/// would hide the rest. docs/fuzzing.md lists these.
inline bool isWorthReading(llvm::StringRef text) {
  static const llvm::Regex crashesUpstream(
      "array[[:space:]]*<[[:space:]]*index");
  return !text.starts_with("ML\xefR") && !crashesUpstream.match(text);
}

} // namespace pbs::fuzz

#endif // PBS_TEST_FUZZ_MLIR_H
