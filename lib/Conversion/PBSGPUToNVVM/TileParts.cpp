// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TileParts.h"

using namespace mlir;

namespace pbs::nvvm {

Value swizzledOffset(ThreadBuilder &thread, pbsgpu::TileType type, Value row,
                     Value chunk) {
  Value panel;
  if (type.getColumns() > pbsgpu::panelColumns) {
    panel = thread.shiftRight(chunk, llvm::Log2_64(chunksPerPanel));
    chunk = thread.bitAnd(chunk, chunksPerPanel - 1);
  }
  Value swizzled =
      thread.bitXor(chunk, thread.bitAnd(row, pbsgpu::swizzleRows - 1));
  Value offset = thread.add(thread.mul(row, thread.constant(rowBytes)),
                            thread.mul(swizzled, thread.constant(chunkBytes)));
  if (panel)
    offset = thread.add(
        offset, thread.mul(panel, thread.constant(type.getRows() * rowBytes)));
  return offset;
}

TileParts::TileParts(ThreadBuilder &thread, pbsgpu::TileType type, Value tile,
                     MatrixOrder order, Value firstRow)
    : thread(thread), type(type), tile(tile) {
  Value lane = thread.lane();
  Value low = thread.bitAnd(lane, 7);
  Value middle = thread.bitAnd(thread.shiftRight(lane, 3), 1);
  Value high = thread.shiftRight(lane, 4);
  bool rowsFirst = order == MatrixOrder::RowsFirst;
  Value row = thread.add(low, thread.shiftLeft(rowsFirst ? middle : high, 3));
  if (firstRow)
    row = thread.add(row, firstRow);
  rowOffset = thread.mul(row, thread.constant(rowBytes));
  // The chunk of the part's first column pair; the parts begin at rows that
  // are multiples of 16, so row mod 8 is the lane's.
  chunk = thread.bitXor(rowsFirst ? high : middle, low);
}

Value TileParts::at(int64_t row, int64_t column) {
  int64_t firstChunk = column / chunkElements;
  int64_t panel = firstChunk / chunksPerPanel;
  Value &address = addresses[firstChunk % chunksPerPanel];
  if (!address) {
    // An even chunk number is added by an exclusive or, which commutes with
    // the swizzle.
    Value swizzled =
        thread.bitXor(chunk, thread.constant(firstChunk % chunksPerPanel));
    address = thread.offset(
        tile, thread.add(rowOffset,
                         thread.mul(swizzled, thread.constant(chunkBytes))));
  }
  return thread.offset(address,
                       panel * type.getRows() * rowBytes + row * rowBytes);
}

} // namespace pbs::nvvm
