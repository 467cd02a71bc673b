// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums of two vectors: a loop with the grid's stride, in any type, and one that
// reads and writes four floats at a time.

template <typename T>
__global__ void vectorSum(const T *a, const T *b, T *sums, int count) {
  for (int index = blockIdx.x * blockDim.x + threadIdx.x; index < count;
       index += gridDim.x * blockDim.x)
    sums[index] = a[index] + b[index];
}

template __global__ void vectorSum(const float *, const float *, float *, int);
template __global__ void vectorSum(const double *, const double *, double *,
                                   int);
template __global__ void vectorSum(const long long *, const long long *,
                                   long long *, int);
template __global__ void vectorSum(const signed char *, const signed char *,
                                   signed char *, int);

extern "C" __global__ void vectorSum4(const float *__restrict__ a,
                                      const float *__restrict__ b,
                                      float *__restrict__ sums, int count) {
  int thread = blockIdx.x * blockDim.x + threadIdx.x;
  int first = 4 * thread;
  if (first + 4 <= count) {
    float4 x = reinterpret_cast<const float4 *>(a)[thread];
    float4 y = __ldg(reinterpret_cast<const float4 *>(b) + thread);
    reinterpret_cast<float4 *>(sums)[thread] =
        make_float4(x.x + y.x, x.y + y.y, x.z + y.z, x.w + y.w);
    return;
  }
  for (int index = first; index < count; ++index)
    sums[index] = a[index] + b[index];
}
