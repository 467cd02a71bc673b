// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions of the mathematical library, with their slow paths and tables, and
// a softmax as one writes it with them.

extern "C" __global__ void singleFunctions(const float *x, const float *y,
                                           float *results, int count) {
  int index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count)
    return;
  float a = x[index], b = y[index];
  float *result = results + 12 * index;
  result[0] = sinf(a);
  result[1] = cosf(a);
  result[2] = expf(b);
  result[3] = logf(fabsf(a));
  result[4] = powf(fabsf(a), b / 16);
  result[5] = tanhf(b);
  result[6] = erff(b);
  result[7] = rsqrtf(fabsf(a));
  result[8] = a / b;
  result[9] = sqrtf(fabsf(a));
  result[10] = fmodf(a, b);
  result[11] = rintf(a) + floorf(b) + truncf(b);
}

extern "C" __global__ void doubleFunctions(const double *x, const double *y,
                                           double *results, int count) {
  int index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count)
    return;
  double a = x[index], b = y[index];
  double *result = results + 6 * index;
  result[0] = sin(a);
  result[1] = exp(b);
  result[2] = log(fabs(a));
  result[3] = a / b;
  result[4] = sqrt(fabs(a));
  result[5] = atan2(a, b);
}

/// The softmax of each row, by a block of up to 1024 threads.
extern "C" __global__ void softmax(const float *values, float *results,
                                   int columns) {
  __shared__ float ofWarp[32];
  const float *row = values + size_t(blockIdx.x) * columns;
  auto reduce = [&](float value, auto combine, float neutral) {
    for (int offset = 16; offset != 0; offset /= 2)
      value = combine(value, __shfl_xor_sync(0xFFFFFFFF, value, offset));
    __syncthreads();
    if (threadIdx.x % 32 == 0)
      ofWarp[threadIdx.x / 32] = value;
    __syncthreads();
    value = neutral;
    for (int warp = 0; warp < blockDim.x / 32; ++warp)
      value = combine(value, ofWarp[warp]);
    return value;
  };
  float maximum = -__int_as_float(0x7F800000);
  for (int column = threadIdx.x; column < columns; column += blockDim.x)
    maximum = fmaxf(maximum, row[column]);
  maximum =
      reduce(maximum, [](float a, float b) { return fmaxf(a, b); }, maximum);
  float sum = 0;
  for (int column = threadIdx.x; column < columns; column += blockDim.x)
    sum += __expf(row[column] - maximum);
  sum = reduce(sum, [](float a, float b) { return a + b; }, 0.0f);
  for (int column = threadIdx.x; column < columns; column += blockDim.x)
    results[size_t(blockIdx.x) * columns + column] =
        __fdividef(__expf(row[column] - maximum), sum);
}
