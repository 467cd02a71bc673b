/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Arrays in NumPy's .npy files (numpy.lib.format), for trying things out; a
 * runtime has its tensors elsewhere. Little-endian hosts only. */

#ifndef DRIVER_API_NPY_H
#define DRIVER_API_NPY_H

#include <stddef.h>
#include <stdint.h>

struct npy {
  char type[4]; /* "<f4", "<f2", "<i4", "<u2" or "|b1" */
  size_t rank;
  int64_t shape[16];
  unsigned char *data; /* row-major, for free() */
};

/* These give null, or what is wrong with the file. */
const char *read_npy(const char *path, struct npy *array);
const char *write_npy(const char *path, const char *type, const char *npy_type,
                      const unsigned char *data, const int64_t *shape,
                      size_t rank);

/* Rounds `count` f32 numbers to "bf16" or "f16" in their place, to nearest with
 * ties to even; leaves them for any other type. */
void narrow_f32(unsigned char *data, size_t count, const char *type);

#endif
