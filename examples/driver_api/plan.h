/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A launch plan (docs/plan-format.md) as structures. */

#ifndef DRIVER_API_PLAN_H
#define DRIVER_API_PLAN_H

#ifdef __has_include
#if !__has_include(<cuda.h>)
#error "cuda.h is missing: install the CUDA toolkit, or name its folder with -I"
#endif
#endif

#include <cuda.h>
#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { max_rank = 16, max_text = 256 };

struct element_type {
  const char *name;
  size_t bytes;
  const char *npy; /* bf16 has no name there and travels as f32 */
  CUtensorMapDataType tensor_map;
};

/* What pointers refer to: an argument or a buffer. */
struct memory {
  const char *name;
  int64_t alignment;
  int64_t bytes;
  CUdeviceptr allocation; /* as cuMemAlloc gave it */
  CUdeviceptr address;    /* aligned */
};

enum contents { NONE, PERMUTATION, SELECTION_COUNTS, SELECTION_INDICES };

struct argument {
  struct memory memory;
  enum contents kind;
  bool is_output, is_contiguous;
  const struct element_type *type;
  json_t *shape, *contents;
  size_t rank;
  int64_t extents[max_rank], strides[max_rank]; /* in elements */
  unsigned char *host;                          /* row-major without gaps */
};

struct buffer {
  struct memory memory;
  json_t *bytes;
};

struct size {
  const char *name;
  bool is_bound;
  int64_t value;
};

struct tensor_map {
  const char *name;
  struct memory *memory;
  json_t *offset, *shape, *strides;
  const struct element_type *type;
  cuuint32_t rank, box[5];
  CUtensorMapSwizzle swizzle;
  bool is_used;
  int64_t base;
  cuuint64_t extents[5], byte_strides[4];
  CUtensorMap encoded;
};

enum parameter_kind { POINTER, I32, I64, F32, TENSOR_MAP };

struct parameter {
  enum parameter_kind kind;
  json_t *expression; /* the value, or the offset of a pointer */
  struct memory *memory;
  struct tensor_map *map;
  int64_t offset;
  union { /* what the kernel gets */
    CUdeviceptr pointer;
    int32_t i32;
    int64_t i64;
    float f32;
  } value;
};

struct step {
  json_t *guard;
  struct memory *set; /* of a memset; null for a launch */
  json_t *set_bytes;
  unsigned char set_value;
  const char *kernel;
  json_t *grid, *shared;
  json_int_t block[3], cluster[3];
  int serialization; /* programmatic_stream_serialization */
  struct parameter *parameters;
  size_t parameter_count;
  /* Found by resolve(). */
  bool is_left_out;
  int64_t bytes; /* to set, or of shared memory */
  int64_t ctas[3];
  CUfunction function; /* null until the module is loaded */
};

struct entry {
  const char *name;
  struct size *sizes;
  struct argument *arguments;
  struct buffer *buffers;
  struct tensor_map *maps;
  struct step *steps;
  json_t *requirements;
  size_t size_count, argument_count, input_count, buffer_count, map_count,
      step_count;
  int64_t multiprocessors;
};

struct module {
  const char *ptx, *cubin, *chip, *ptx_version;
};

/* Reads a plan, checks all of it, and gives its module and its entry of that
 * name. The JSON, which they point into, is for json_decref(). */
json_t *load_plan(const char *path, const char *name, struct entry *entry,
                  struct module *module);
void free_entry(struct entry *entry);

/* The value of an expression. `where` begins the message of an error. */
int64_t evaluate(const struct entry *entry, const json_t *expression,
                 const char *where);

/* These give null where there is none. */
struct argument *find_argument(const struct entry *entry, const char *name);
struct size *find_size(const struct entry *entry, const char *name);

/* json_unpack_ex() that takes no key which the format does not name. */
void unpack(json_t *value, const char *where, const char *format, ...);

/* Prints one line and ends the program. */
_Noreturn void fail(const char *format, ...);
/* Zeroed memory, aligned for CUtensorMap. */
void *allocate(size_t count, size_t bytes);
/* The whole file and a zero behind it. */
unsigned char *read_file(const char *path, size_t *bytes);

#endif
