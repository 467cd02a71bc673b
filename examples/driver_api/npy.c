/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */

#include "npy.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { max_header = 65536 };

static const char not_npy[] = "is no .npy file of f32, f16, i32, u16 or bool";

/* The value behind a key of the header's dictionary, or null. */
static const char *find_value(const char *header, const char *key) {
  const char *at = strstr(header, key);
  return at ? at + strlen(key) + strspn(at + strlen(key), " ") : NULL;
}

/* Reads "(2, 3)" and counts the elements; false if it is something else. */
static bool parse_shape(const char *text, struct npy *array, size_t *count) {
  *count = 1;
  array->rank = 0;
  if (!text || *text++ != '(')
    return false;
  for (;;) {
    text += strspn(text, " ,");
    if (*text == ')')
      return true;
    char *end;
    long long extent = strtoll(text, &end, 10);
    if (end == text || extent < 0 || array->rank == 16 ||
        __builtin_mul_overflow(*count, (size_t)extent, count))
      return false;
    array->shape[array->rank++] = extent;
    text = end;
  }
}

static const char *read_array(FILE *file, struct npy *array) {
  unsigned char start[12];
  static char header[max_header];
  if (fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY", 6) != 0)
    return not_npy;
  size_t length = start[8] + 256u * start[9];
  if (start[6] > 1) { /* Four bytes of length. */
    if (fread(start + 10, 1, 2, file) != 2 || start[10] || start[11])
      return not_npy;
  }
  if (length >= max_header || fread(header, 1, length, file) != length)
    return not_npy;
  header[length] = '\0';

  static const char *const types[] = {"<f4", "<f2", "<i4", "<u2", "|b1"};
  const char *type = find_value(header, "'descr':");
  const char *order = find_value(header, "'fortran_order':");
  size_t count, bytes, known = 0;
  if (!type || !order ||
      !parse_shape(find_value(header, "'shape':"), array, &count))
    return not_npy;
  while (known < 5 && strncmp(type + 1, types[known], 3) != 0)
    ++known;
  if (known == 5)
    return not_npy;
  strcpy(array->type, types[known]);
  if (strncmp(order, "False", 5) != 0)
    return "is in Fortran's order";
  if (__builtin_mul_overflow(count, (size_t)(array->type[2] - '0'), &bytes) ||
      bytes >= PTRDIFF_MAX)
    return "is too large";
  array->data = malloc(bytes + 1);
  if (!array->data)
    return "is too large";
  /* One more byte would be read if there were one. */
  if (fread(array->data, 1, bytes + 1, file) != bytes)
    return "has more or fewer bytes than its header says";
  for (size_t i = 0; known == 4 && i < bytes; ++i)
    if (array->data[i] > 1)
      return "holds a bool other than 0 and 1";
  return NULL;
}

const char *read_npy(const char *path, struct npy *array) {
  memset(array, 0, sizeof(*array));
  FILE *file = fopen(path, "rb");
  if (!file)
    return "cannot be opened";
  const char *problem = read_array(file, array);
  fclose(file);
  if (problem) {
    free(array->data);
    array->data = NULL;
  }
  return problem;
}

const char *write_npy(const char *path, const char *type, const char *npy_type,
                      const unsigned char *data, const int64_t *shape,
                      size_t rank) {
  char header[1024];
  int length =
      snprintf(header, sizeof(header),
               "{'descr': '%s', 'fortran_order': False, 'shape': (", npy_type);
  size_t count = 1;
  for (size_t i = 0; i < rank; ++i) {
    length += snprintf(header + length, sizeof(header) - (size_t)length,
                       "%lld, ", (long long)shape[i]);
    count *= (size_t)shape[i];
  }
  length += snprintf(header + length, sizeof(header) - (size_t)length, "), }");
  /* Spaces up to a multiple of 64 bytes, then a line's end. */
  while ((10 + length + 1) % 64 != 0)
    header[length++] = ' ';
  header[length++] = '\n';
  FILE *file = fopen(path, "wb");
  if (!file)
    return "cannot be opened";
  fwrite("\x93NUMPY\1\0", 1, 8, file);
  fputc(length % 256, file);
  fputc(length / 256, file);
  fwrite(header, 1, (size_t)length, file);
  if (strcmp(type, "bf16") == 0)
    for (size_t i = 0; i < count; ++i) {
      const unsigned char wide[] = {0, 0, data[2 * i], data[2 * i + 1]};
      fwrite(wide, 1, sizeof(wide), file);
    }
  else
    fwrite(data, (size_t)(npy_type[2] - '0'), count, file);
  bool failed = ferror(file) != 0;
  return fclose(file) != 0 || failed ? "cannot be written" : NULL;
}

static uint16_t to_bf16(uint32_t bits) {
  if ((bits & 0x7fffffff) > 0x7f800000) /* NaN */
    return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static uint16_t to_f16(uint32_t bits) {
  uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) /* NaN */
    return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
  if (magnitude >= 0x477ff000) /* 65520 and more round to infinity. */
    return (uint16_t)(sign | 0x7c00);
  uint32_t exponent = magnitude >> 23, significand, shift = 13;
  if (exponent < 113) { /* below 2^-14, subnormal */
    if (exponent < 102)
      return (uint16_t)sign;
    shift += 113 - exponent;
    significand = (magnitude & 0x7fffff) | 0x800000;
  } else {
    significand = magnitude - (112u << 23);
  }
  uint32_t half = 1u << (shift - 1);
  significand += half - 1 + (significand >> shift & 1);
  return (uint16_t)(sign | significand >> shift);
}

void narrow_f32(unsigned char *data, size_t count, const char *type) {
  bool is_bf16 = strcmp(type, "bf16") == 0;
  if (!is_bf16 && strcmp(type, "f16") != 0)
    return;
  for (size_t i = 0; i < count; ++i) {
    uint32_t bits;
    memcpy(&bits, data + 4 * i, 4);
    uint16_t narrow = is_bf16 ? to_bf16(bits) : to_f16(bits);
    memcpy(data + 2 * i, &narrow, 2);
  }
}
