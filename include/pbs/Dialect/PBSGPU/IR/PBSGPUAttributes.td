// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_DIALECT_PBSGPU_IR_PBSGPUATTRIBUTES_TD
#define PBS_DIALECT_PBSGPU_IR_PBSGPUATTRIBUTES_TD

include "mlir/IR/AttrTypeBase.td"
include "pbs/Dialect/PBSGPU/IR/PBSGPUDialect.td"

def PBSGPU_ScheduleAttr : AttrDef<PBSGPU_Dialect, "Schedule"> {
  let mnemonic = "schedule";
  let summary = "how attention is cut into tiles, and which optional passes leave it alone";
  let description = [{
    Stands as `pbsgpu.schedule` on `pbs.attention` and on the kernel that it
    becomes. `--pbs-choose-schedule` writes it; the passes after it obey.

    - `key_tile`: keys that a CTA computes at once, 16, 32, 64 or 128;
    - `warps`: warps of a CTA, 1, 2, 4, 8 or 12;
    - `stages`: tiles of keys, and of values, in shared memory, 1 to 8;
    - `off`: names of kernel passes that do nothing, such as `"walk-list"`.

    ```mlir
    #pbsgpu.schedule<key_tile = 128, warps = 8, stages = 2>
    #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 2, off = ["walk-list"]>
    ```
  }];
  let parameters = (ins "int64_t":$keyTile, "int64_t":$warps, "int64_t":$stages,
                        OptionalParameter<"::mlir::ArrayAttr">:$off);
  let assemblyFormat = [{
    `<` `key_tile` `=` $keyTile `,` `warps` `=` $warps `,` `stages` `=` $stages
    (`,` `off` `=` $off^)? `>`
  }];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The name of the attribute on operations.
    static constexpr llvm::StringLiteral getAttrName() { return "pbsgpu.schedule"; }
    /// Passes that `off` may name: their flags without "pbsgpu-".
    static llvm::ArrayRef<llvm::StringLiteral> getOptionalPasses();
    /// The numbers of warps that a schedule may have, in rising order.
    static ::llvm::ArrayRef<int64_t> getPossibleWarps();
    /// Whether `off` names the pass.
    bool isOff(llvm::StringRef pass) const;
    /// Whether the schedule of `op`, if it has one, turns the pass off.
    static bool isOff(::mlir::Operation *op, llvm::StringRef pass);
  }];
}

#endif // PBS_DIALECT_PBSGPU_IR_PBSGPUATTRIBUTES_TD
