// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pbsgpu dialect: its types, attributes and operations.

#ifndef PBS_DIALECT_PBSGPU_IR_PBSGPU_H
#define PBS_DIALECT_PBSGPU_IR_PBSGPU_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPUDialect.h.inc"

#include "pbs/Dialect/PBSGPU/IR/PBSGPUEnums.h.inc"

#define GET_TYPEDEF_CLASSES
#include "pbs/Dialect/PBSGPU/IR/PBSGPUTypes.h.inc"

#define GET_ATTRDEF_CLASSES
#include "pbs/Dialect/PBSGPU/IR/PBSGPUAttributes.h.inc"

namespace pbsgpu {
/// The syntax of pbsgpu.roles.
mlir::ParseResult
parseRoles(mlir::OpAsmParser &parser, mlir::ArrayAttr &names,
           mlir::DenseI64ArrayAttr &warps, mlir::DenseI64ArrayAttr &registers,
           llvm::SmallVectorImpl<std::unique_ptr<mlir::Region>> &bodies);
void printRoles(mlir::OpAsmPrinter &printer, mlir::Operation *op,
                mlir::ArrayAttr names, mlir::DenseI64ArrayAttr warps,
                mlir::DenseI64ArrayAttr registers, mlir::RegionRange bodies);

/// The tiles of a CTA.
struct SharedMemory : public mlir::SideEffects::Resource::Base<SharedMemory> {
  llvm::StringRef getName() final { return "SharedMemory"; }
};

/// Which copies have begun, and their groups.
struct Copies : public mlir::SideEffects::Resource::Base<Copies> {
  llvm::StringRef getName() final { return "Copies"; }
};

} // namespace pbsgpu

#define GET_OP_CLASSES
#include "pbs/Dialect/PBSGPU/IR/PBSGPUOps.h.inc"

namespace pbsgpu {

/// Threads of a warp.
constexpr int64_t warpSize = 32;
/// Warps of a CTA, at most.
constexpr int64_t maxWarps = 32;
/// Rows of a matrix instruction's A operand (mma.sync m16n8k16).
constexpr int64_t mmaRows = 16;
/// Columns of its B operand.
constexpr int64_t mmaColumns = 8;
/// Lanes of a warp that share a row of an accumulator.
constexpr int64_t lanesOfRow = 4;
/// Columns of its A operand.
constexpr int64_t mmaDepth = 16;
/// Warps that run a matrix instruction of a warp group (PTX ISA, "wgmma").
constexpr int64_t warpsOfGroup = 4;
/// Rows after which the swizzle of a tile repeats.
constexpr int64_t swizzleRows = 8;
/// Tiles of a ring that a schedule may ask for, at most.
constexpr int64_t maxStages = 8;
/// Columns of a tile's panel: 128 bytes.
constexpr int64_t panelColumns = 64;
/// Rows that one copy through a tensor map moves, at most.
constexpr int64_t maxBoxRows = 256;
/// Bytes that a tensor map's address and strides are multiples of.
constexpr int64_t tensorMapAlignment = 16;

/// The last product of a key loop's body, which a deferred loop runs in the
/// next visit.
struct LastProduct {
  /// The product behind which it runs there.
  MmaOp first;
  MmaOp product;
  /// Of the tile that is its B. Nothing else reads the tile.
  AwaitOp await;
  ReleaseOp release;
  /// Which of the carried values it yields.
  unsigned carried = 0;

  /// Whether `op` runs with the product.
  bool holds(mlir::Operation *op) {
    return op == product.getOperation() || op == await.getOperation() ||
           op == release.getOperation();
  }
};

/// Fails where the last product of `body` cannot run in the next visit, and
/// says in `reason` why.
mlir::FailureOr<LastProduct> findLastProduct(KeyLoopOp loop, mlir::Region &body,
                                             llvm::StringRef &reason);

} // namespace pbsgpu

#endif // PBS_DIALECT_PBSGPU_IR_PBSGPU_H
