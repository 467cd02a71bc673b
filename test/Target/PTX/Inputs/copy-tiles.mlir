// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies a tensor tile by tile through tensor maps: to a buffer, and from there
// to an output. On the way every tile is written out in row-major order, rows
// past the last one too.

module attributes {pbs.target = #nvvm.target<O = 3, chip = "sm_90a", features = "+ptx86">} {
  gpu.module @kernels [#nvvm.target<O = 3, chip = "sm_90a", features = "+ptx86">] {
    llvm.mlir.global external @dynamic_shared_memory() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>

    llvm.func @copy(%from: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>, llvm.align = 64 : i64, nvvm.grid_constant},
                    %to: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>, llvm.align = 64 : i64, nvvm.grid_constant},
                    %tiles: !llvm.ptr<1>)
        attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
      %c0 = llvm.mlir.constant(0 : i32) : i32
      %c1 = llvm.mlir.constant(1 : i32) : i32
      %c3 = llvm.mlir.constant(3 : i32) : i32
      %c4 = llvm.mlir.constant(4 : i32) : i32
      %c7 = llvm.mlir.constant(7 : i32) : i32
      %c64 = llvm.mlir.constant(64 : i32) : i32
      %c128 = llvm.mlir.constant(128 : i32) : i32
      %chunks = llvm.mlir.constant(1024 : i32) : i32
      %panel_bytes = llvm.mlir.constant(8192 : i32) : i32
      %tile_bytes = llvm.mlir.constant(16384 : i32) : i32
      %ticks = llvm.mlir.constant(10000000 : i32) : i32
      %thread = nvvm.read.ptx.sreg.tid.x : i32
      %block = nvvm.read.ptx.sreg.ctaid.x : i32
      %head = nvvm.read.ptx.sreg.ctaid.y : i32
      %batch = nvvm.read.ptx.sreg.ctaid.z : i32
      %heads = nvvm.read.ptx.sreg.nctaid.y : i32
      %blocks = nvvm.read.ptx.sreg.nctaid.x : i32
      %row = llvm.mul %block, %c64 : i32
      %tile = llvm.mlir.addressof @dynamic_shared_memory : !llvm.ptr<3>
      %second = llvm.getelementptr %tile[%panel_bytes] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
      %barrier = llvm.getelementptr %tile[%tile_bytes] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
      %first = llvm.icmp "eq" %thread, %c0 : i32
      llvm.cond_br %first, ^load, ^loaded
    ^load:
      nvvm.mbarrier.init %barrier, %c1 : !llvm.ptr<3>, i32
      nvvm.fence.mbarrier.init
      nvvm.mbarrier.arrive.expect_tx %barrier, %tile_bytes : !llvm.ptr<3>, i32
      nvvm.cp.async.bulk.tensor.shared.cluster.global %tile, %from, %barrier, box[%c0, %row, %head, %batch]
        {isCTAOnly = true} : !llvm.ptr<3>, !llvm.ptr
      nvvm.cp.async.bulk.tensor.shared.cluster.global %second, %from, %barrier, box[%c64, %row, %head, %batch]
        {isCTAOnly = true} : !llvm.ptr<3>, !llvm.ptr
      llvm.br ^loaded
    ^loaded:
      nvvm.barrier
      nvvm.mbarrier.try_wait.parity %barrier, %c0, %ticks : !llvm.ptr<3>, i32, i32
      %rows = llvm.mul %batch, %heads : i32
      %head_row = llvm.add %rows, %head : i32
      %head_block = llvm.mul %head_row, %blocks : i32
      %number = llvm.add %head_block, %block : i32
      %bytes = llvm.mul %number, %tile_bytes : i32
      %wide = llvm.zext %bytes : i32 to i64
      %out = llvm.getelementptr %tiles[%wide] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
      llvm.br ^loop(%thread : i32)
    // Chunk c of the row-major tile is chunk c mod 16 of its row c / 16.
    ^loop(%c: i32):
      %tile_row = llvm.lshr %c, %c4 : i32
      %in_panel = llvm.and %c, %c7 : i32
      %in_row = llvm.and %tile_row, %c7 : i32
      %swizzled = llvm.xor %in_panel, %in_row : i32
      %panel_bit = llvm.lshr %c, %c1 : i32
      %panel_chunk = llvm.and %panel_bit, %c4 : i32
      %panel = llvm.shl %panel_chunk, %c7 : i32
      %row_begin = llvm.shl %tile_row, %c3 : i32
      %place0 = llvm.add %panel, %row_begin : i32
      %place = llvm.add %place0, %swizzled : i32
      %place_bytes = llvm.shl %place, %c4 : i32
      %source = llvm.getelementptr %tile[%place_bytes] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
      %value = llvm.load %source {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xi32>
      %offset = llvm.shl %c, %c4 : i32
      %destination = llvm.getelementptr %out[%offset] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i8
      llvm.store %value, %destination {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<1>
      %next = llvm.add %c, %c128 : i32
      %more = llvm.icmp "ult" %next, %chunks : i32
      llvm.cond_br %more, ^loop(%next : i32), ^store
    ^store:
      llvm.cond_br %first, ^copy_out, ^end
    ^copy_out:
      nvvm.cp.async.bulk.tensor.global.shared.cta %to, %tile, box[%c0, %row, %head, %batch] : !llvm.ptr, !llvm.ptr<3>
      nvvm.cp.async.bulk.tensor.global.shared.cta %to, %second, box[%c64, %row, %head, %batch] : !llvm.ptr, !llvm.ptr<3>
      nvvm.cp.async.bulk.commit.group
      nvvm.cp.async.bulk.wait_group 0
      llvm.br ^end
    ^end:
      llvm.return
    }
  }

  pbsgpu.plan @prefill {
    %B = pbsgpu.size "B"
    %H = pbsgpu.size "H"
    %N = pbsgpu.size "N"
    %c64 = arith.constant 64 : index
    %blocks = arith.ceildivsi %N, %c64 : index
    %x = pbsgpu.argument "x" input [%B, %H, %N, 128] align 16 : memref<?x?x?x128xbf16, strided<[?, ?, ?, 1]>>
    %first = pbsgpu.argument "first" output [%B, %H, %blocks, 64, 128] align 16 : memref<?x?x?x64x128xbf16>
    %second = pbsgpu.argument "second" output [%B, %H, %blocks, 64, 128] align 16 : memref<?x?x?x64x128xbf16>
    %copy = pbsgpu.argument "copy" output [%B, %H, %N, 128] align 16 : memref<?x?x?x128xbf16, strided<[?, ?, ?, 1]>>
    %buffer = pbsgpu.buffer "buffer" [%B, %H, %N, 128] align 128 : memref<?x?x?x128xbf16>
    %x_map = pbsgpu.tensor_map %x
      : memref<?x?x?x128xbf16, strided<[?, ?, ?, 1]>> -> !pbsgpu.tensor_map<64x128xbf16, dimensions = 4>
    %buffer_map = pbsgpu.tensor_map %buffer : memref<?x?x?x128xbf16> -> !pbsgpu.tensor_map<64x128xbf16, dimensions = 4>
    %copy_map = pbsgpu.tensor_map %copy
      : memref<?x?x?x128xbf16, strided<[?, ?, ?, 1]>> -> !pbsgpu.tensor_map<64x128xbf16, dimensions = 4>
    pbsgpu.launch @kernels::@copy grid(%blocks, %H, %B) shared_bytes = 16392
      arguments(%x_map, %buffer_map, %first : !pbsgpu.tensor_map<64x128xbf16, dimensions = 4>,
                !pbsgpu.tensor_map<64x128xbf16, dimensions = 4>, memref<?x?x?x64x128xbf16>)
    pbsgpu.launch @kernels::@copy grid(%blocks, %H, %B) shared_bytes = 16392
      arguments(%buffer_map, %copy_map, %second : !pbsgpu.tensor_map<64x128xbf16, dimensions = 4>,
                !pbsgpu.tensor_map<64x128xbf16, dimensions = 4>, memref<?x?x?x64x128xbf16>)
  }
}
