// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Reference/Values.h"

#include <algorithm>
#include <functional>
#include <numeric>

using namespace pbs::reference;

Tensor::Tensor(std::vector<int64_t> shape, double fill)
    : shape(std::move(shape)) {
  values.assign(std::accumulate(this->shape.begin(), this->shape.end(),
                                size_t(1), std::multiplies<>()),
                fill);
}

size_t Tensor::offset(std::initializer_list<int64_t> indices) const {
  size_t result = 0;
  const auto *index = indices.begin();
  for (int64_t extent : shape)
    result = result * extent + (index == indices.end() ? 0 : *index++);
  return result;
}

int64_t Grid::queryBlocks() const {
  return (queryLength + queryBlock - 1) / queryBlock;
}

int64_t Grid::keyBlocks() const {
  return (keyLength + keyBlock - 1) / keyBlock;
}

int64_t Grid::position(int64_t row) const {
  return row + keyLength - queryLength;
}

int64_t Grid::firstPosition(int64_t queryBlockIndex) const {
  return position(queryBlockIndex * queryBlock);
}

int64_t Grid::lastPosition(int64_t queryBlockIndex) const {
  return position(std::min((queryBlockIndex + 1) * queryBlock, queryLength) -
                  1);
}

bool Grid::attends(int64_t position, int64_t keyPosition) const {
  return (!causal || keyPosition <= position) &&
         (!window || keyPosition > position - *window);
}
