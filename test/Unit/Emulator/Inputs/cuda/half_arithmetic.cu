// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arithmetic of f16 and bf16, two at a time.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

/// Everything that rounds once.
extern "C" __global__ void halfArithmetic(const __half2 *a, const __half2 *b,
                                          const __half2 *c, __half2 *results,
                                          int count) {
  int index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count)
    return;
  __half2 x = a[index], y = b[index], z = c[index];
  __half2 *result = results + 8 * index;
  result[0] = __hadd2(x, y);
  result[1] = __hsub2(x, y);
  result[2] = __hmul2(x, y);
  result[3] = __hfma2(x, y, z);
  result[4] = __hmax2(__hneg2(x), __habs2(y));
  result[5] = __hlt2(x, y);
  result[6] = __lowhigh2highlow(x);
  result[7] =
      __halves2half2(__float2half_rn(__half2float(__low2half(x)) +
                                     __half2float(__high2half(y))),
                     __hlt(__low2half(z), __high2half(z))
                         ? __low2half(z)
                         : __int2half_rn(__half2int_rz(__high2half(z))));
}

/// y = relu(a x + y) of bf16, which rounds once as well.
extern "C" __global__ void reluOfProduct(const __nv_bfloat162 *x,
                                         __nv_bfloat162 *y, __nv_bfloat16 a,
                                         int count) {
  int index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= count)
    return;
  __nv_bfloat162 factor = __bfloat162bfloat162(a);
  y[index] = __hfma2_relu(factor, x[index], y[index]);
}

/// The dot product of each row of 2 * \p pairs elements, in f32, by a warp.
extern "C" __global__ void rowDots(const __half2 *a, const __half2 *b,
                                   float *dots, int pairs) {
  int row = blockIdx.x;
  float sum = 0;
  for (int pair = threadIdx.x; pair < pairs; pair += 32) {
    float2 x = __half22float2(a[row * pairs + pair]);
    float2 y = __half22float2(b[row * pairs + pair]);
    sum = fmaf(x.x, y.x, fmaf(x.y, y.y, sum));
  }
  for (int offset = 16; offset != 0; offset /= 2)
    sum += __shfl_xor_sync(0xFFFFFFFF, sum, offset);
  if (threadIdx.x == 0)
    dots[row] = sum;
}
