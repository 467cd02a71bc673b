// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_DIALECT_PBSGPU_IR_PBSGPUTYPES_TD
#define PBS_DIALECT_PBSGPU_IR_PBSGPUTYPES_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "pbs/Dialect/PBSGPU/IR/PBSGPUDialect.td"

def PBSGPU_FragmentLayout : I32EnumAttr<"FragmentLayout", "which lane holds which element", [
    I32EnumAttrCase<"Accumulator", 0, "accumulator">,
    I32EnumAttrCase<"OperandA", 1, "operand_a">
  ]> {
  let cppNamespace = "::pbsgpu";
  let genSpecializedAttr = 0;
}

def PBSGPU_Walk : I32EnumAttr<"Walk", "how the key loop finds the selected blocks", [
    I32EnumAttrCase<"Test", 0, "test">,
    I32EnumAttrCase<"List", 1, "list">,
    I32EnumAttrCase<"ListFromEnd", 2, "list_from_end">
  ]> {
  let cppNamespace = "::pbsgpu";
  let genSpecializedAttr = 0;
}
def PBSGPU_WalkAttr : EnumAttr<PBSGPU_Dialect, PBSGPU_Walk, "walk">;

def PBSGPU_Reduction : I32EnumAttr<"Reduction", "how the elements of a row become one", [
    I32EnumAttrCase<"Sum", 0, "sum">,
    I32EnumAttrCase<"Max", 1, "max">
  ]> {
  let cppNamespace = "::pbsgpu";
  let genSpecializedAttr = 0;
}
def PBSGPU_ReductionAttr : EnumAttr<PBSGPU_Dialect, PBSGPU_Reduction, "reduction">;

def PBSGPU_Role : I32EnumAttr<"Role", "what an argument is to the entry", [
    I32EnumAttrCase<"Input", 0, "input">,
    I32EnumAttrCase<"Output", 1, "output">
  ]> {
  let cppNamespace = "::pbsgpu";
  let genSpecializedAttr = 0;
}
def PBSGPU_RoleAttr : EnumAttr<PBSGPU_Dialect, PBSGPU_Role, "role">;

class PBSGPU_Type<string name, string typeMnemonic> : TypeDef<PBSGPU_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def PBSGPU_FragmentType : PBSGPU_Type<"Fragment", "fragment"> {
  let summary = "a matrix in the registers of warps";
  let description = [{
    `warps` warps, all those of a role or else of the kernel, hold equal shares
    of consecutive rows. Inside a warp's share the layout is that of mma.sync
    m16n8k16 (PTX ISA, "Matrix Fragments for mma.m16n8k16"), stacked over 16-row
    and 8- or 16-column steps. Where each warp has 16 rows, wgmma's accumulator
    and register operand are the same:

    - `accumulator`: f32; lane l holds rows l / 4 and l / 4 + 8 and columns
      2 (l % 4) and 2 (l % 4) + 1 of each 16 x 8 step.
    - `operand_a`: bf16 or f16; the same of each 16 x 16 step, columns + 8 too.

    A fragment of one column (accumulator only) holds a value for each row, the
    same in the four lanes that share the row; one of four columns a value for
    each of these lanes.

    ```mlir
    !pbsgpu.fragment<128x64xf32, accumulator, warps = 8>
    !pbsgpu.fragment<128x1xf32, accumulator, warps = 8>
    !pbsgpu.fragment<128x64xbf16, operand_a, warps = 8>
    ```
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, "::mlir::Type":$elementType,
                        "::pbsgpu::FragmentLayout":$layout, "int64_t":$warps);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def PBSGPU_TileType : PBSGPU_Type<"Tile", "tile"> {
  let summary = "rows of a matrix in shared memory";
  let description = [{
    bf16 or f16, in the order that the tensor cores read without bank conflicts:
    columns in panels of 64 (128 bytes), panel after panel; inside a panel row r
    is 128 bytes, and its 16-byte chunk c stands at chunk c xor (r mod 8). This
    is TMA's 128-byte swizzle.

    ```mlir
    !pbsgpu.tile<64x128xbf16>
    ```
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, "::mlir::Type":$elementType);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bytes in shared memory.
    int64_t getSizeInBytes() const;
  }];
}

def PBSGPU_RingType : PBSGPU_Type<"Ring", "ring"> {
  let summary = "tiles that are filled and emptied in turn";
  let description = [{
    `stages` tiles in shared memory, one after the other.

    ```mlir
    !pbsgpu.ring<64x128xbf16, stages = 2>
    ```
  }];
  let parameters = (ins "::pbsgpu::TileType":$tile, "int64_t":$stages);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bytes of all tiles in shared memory.
    int64_t getSizeInBytes() const;
  }];
}

def PBSGPU_TensorMapType : PBSGPU_Type<"TensorMap", "tensor_map"> {
  let summary = "how TMA copies tiles out of a tensor in global memory, or into it";
  let description = [{
    Tiles are `rows` x `columns` elements (bf16 or f16) of the last two of the
    tensor's `dimensions`, 2 to 5, in the layout of `!pbsgpu.tile`. What one
    instruction copies, the map's box, has at most 256 rows and 64 columns, the
    width of a panel: a tile of 128 columns is two boxes. Elements outside the
    tensor read as zero and are not written.

    ```mlir
    !pbsgpu.tensor_map<128x128xbf16, dimensions = 4>
    ```
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, "::mlir::Type":$elementType,
                        "int64_t":$dimensions);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def PBSGPU_ItemRingType : PBSGPU_Type<"ItemRing", "item_ring"> {
  let summary = "descriptions of work items that one role hands to all";
  let description = [{
    `stages` places in shared memory, each for four i32, of which the first one
    is not negative.

    ```mlir
    !pbsgpu.item_ring<stages = 2>
    ```
  }];
  let parameters = (ins "int64_t":$stages);
  let assemblyFormat = "`<` `stages` `=` $stages `>`";
  let genVerifyDecl = 1;
}

def PBSGPU_PendingType : PBSGPU_Type<"Pending", "pending"> {
  let summary = "a fragment that a product has begun to fill";
  let description = [{
    The registers belong to the tensor cores until `pbsgpu.await_mma` gives them
    back as a fragment: nothing else takes the value.

    ```mlir
    !pbsgpu.pending<128x128xf32, accumulator, warps = 8>
    ```
  }];
  let parameters = (ins "::pbsgpu::FragmentType":$fragment);
  let hasCustomAssemblyFormat = 1;
}

#endif // PBS_DIALECT_PBSGPU_IR_PBSGPUTYPES_TD
