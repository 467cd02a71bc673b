/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Runs a launch plan (docs/plan-format.md) with nothing but the CUDA driver API
 * and a JSON reader: a pattern for taking compiled attention into a runtime of
 * one's own. It goes through a plan in this order:
 *
 *   read_entry      JSON to structures; whatever the page does not name is an
 *                   error
 *   bind_arguments  sizes from the shapes of the inputs, shapes of the outputs
 *   check_contents  values that the kernels trust
 *   resolve         every expression to a number, before anything is allocated
 *   run             memory, tensor maps, memsets and launches in one stream
 */

#ifdef __has_include
#if !__has_include(<cuda.h>)
#error "cuda.h is missing: install the CUDA toolkit, or name its folder with -I"
#endif
#endif

#include "npy.h"

#include <cuda.h>
#include <jansson.h>

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { max_rank = 16, max_files = 64, max_text = 256 };

struct element_type {
  const char *name;
  size_t bytes;
  const char *npy; /* bf16 has no name there and travels as f32 */
  CUtensorMapDataType tensor_map;
};

static const struct element_type element_types[] = {
    {"bf16", 2, "<f4", CU_TENSOR_MAP_DATA_TYPE_BFLOAT16},
    {"f16", 2, "<f2", CU_TENSOR_MAP_DATA_TYPE_FLOAT16},
    {"f32", 4, "<f4", CU_TENSOR_MAP_DATA_TYPE_FLOAT32},
    {"i32", 4, "<i4", CU_TENSOR_MAP_DATA_TYPE_INT32},
    {"u16", 2, "<u2", CU_TENSOR_MAP_DATA_TYPE_UINT16},
    {"bool", 1, "|b1", CU_TENSOR_MAP_DATA_TYPE_UINT8}};

/* What pointers refer to: an argument or a buffer. */
struct memory {
  const char *name;
  int64_t alignment;
  int64_t bytes;
  CUdeviceptr allocation; /* as cuMemAlloc gave it */
  CUdeviceptr address;    /* aligned */
};

struct argument {
  struct memory memory;
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

/* ---- Errors and small helpers ---- */

static _Noreturn void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("launch_plan: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

static void check(CUresult result, const char *what) {
  if (result == CUDA_SUCCESS)
    return;
  const char *name = NULL, *text = NULL;
  cuGetErrorName(result, &name);
  cuGetErrorString(result, &text);
  fail("%s: %s (%s)", what, name ? name : "unknown error", text ? text : "?");
}

/* Zeroed; aligned for CUtensorMap. */
static void *allocate(size_t count, size_t bytes) {
  size_t total = 0;
  void *memory = NULL;
  if (!__builtin_mul_overflow(count, bytes, &total) && total < PTRDIFF_MAX)
    memory = aligned_alloc(64, (total / 64 + 1) * 64);
  if (!memory)
    fail("out of memory");
  return memset(memory, 0, total);
}

/* The whole file and a zero behind it. */
static unsigned char *read_file(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  if (!file)
    fail("%s: cannot be opened", path);
  long length = -1;
  if (fseek(file, 0, SEEK_END) == 0)
    length = ftell(file);
  if (length < 0 || fseek(file, 0, SEEK_SET) != 0)
    fail("%s: cannot be read", path);
  unsigned char *content = allocate((size_t)length + 1, 1);
  if (fread(content, 1, (size_t)length, file) != (size_t)length)
    fail("%s: cannot be read", path);
  fclose(file);
  *bytes = (size_t)length;
  return content;
}

/* json_unpack_ex() that takes no key which the format does not name. */
static void unpack(json_t *value, const char *where, const char *format, ...) {
  json_error_t error;
  va_list targets;
  va_start(targets, format);
  if (json_vunpack_ex(value, &error, JSON_STRICT, format, targets) != 0)
    fail("%s: %s", where, error.text);
  va_end(targets);
}

static const struct element_type *find_type(const char *name,
                                            const char *where) {
  for (size_t i = 0; i < sizeof(element_types) / sizeof(*element_types); ++i)
    if (strcmp(element_types[i].name, name) == 0)
      return &element_types[i];
  fail("%s: unknown type '%s'", where, name);
}

static struct memory *find_memory(const struct entry *entry, const char *name) {
  for (size_t i = 0; i < entry->argument_count; ++i)
    if (strcmp(entry->arguments[i].memory.name, name) == 0)
      return &entry->arguments[i].memory;
  for (size_t i = 0; i < entry->buffer_count; ++i)
    if (strcmp(entry->buffers[i].memory.name, name) == 0)
      return &entry->buffers[i].memory;
  return NULL;
}

static struct argument *find_argument(const struct entry *entry,
                                      const char *name) {
  for (size_t i = 0; name && i < entry->argument_count; ++i)
    if (strcmp(entry->arguments[i].memory.name, name) == 0)
      return &entry->arguments[i];
  return NULL;
}

static struct size *find_size(const struct entry *entry, const char *name) {
  for (size_t i = 0; i < entry->size_count; ++i)
    if (strcmp(entry->sizes[i].name, name) == 0)
      return &entry->sizes[i];
  return NULL;
}

/* ---- Expressions ---- */

static const struct {
  const char *name;
  size_t operands;
} operators[] = {{"add", 2},    {"sub", 2},     {"mul", 2}, {"floordiv", 2},
                 {"mod", 2},    {"ceildiv", 2}, {"min", 2}, {"max", 2},
                 {"eq", 2},     {"ne", 2},      {"lt", 2},  {"le", 2},
                 {"gt", 2},     {"ge", 2},      {"and", 2}, {"or", 2},
                 {"select", 3}, {"stride", 2}};

enum scope { SIZES = 0, STRIDES = 1, MULTIPROCESSORS = 2, EVERYTHING = 3 };

/* Checks form and names, also of operands that no evaluation reaches. */
static void check_expression(const struct entry *entry,
                             const json_t *expression, enum scope scope,
                             const char *where) {
  if (json_is_integer(expression))
    return;
  const char *name = json_string_value(expression);
  if (name) {
    bool is_known =
        find_size(entry, name) ||
        ((scope & MULTIPROCESSORS) && !strcmp(name, "multiprocessors"));
    if (!is_known)
      fail("%s: '%s' is no size known here", where, name);
    return;
  }
  name = json_string_value(json_array_get(expression, 0));
  size_t operands = json_array_size(expression) - 1, i = 0;
  size_t count = sizeof(operators) / sizeof(*operators);
  while (name && i < count && strcmp(operators[i].name, name) != 0)
    ++i;
  if (!name || i == count || operators[i].operands != operands)
    fail("%s: an expression that is no integer, size or [operator, ...]",
         where);
  if (strcmp(name, "stride") == 0) {
    const json_t *dimension = json_array_get(expression, 2);
    struct argument *of =
        find_argument(entry, json_string_value(json_array_get(expression, 1)));
    if (!(scope & STRIDES) || !of || !json_is_integer(dimension) ||
        json_integer_value(dimension) < 0 ||
        (size_t)json_integer_value(dimension) >= of->rank)
      fail("%s: a stride that is not known here", where);
    return;
  }
  for (i = 1; i <= operands; ++i)
    check_expression(entry, json_array_get(expression, i), scope, where);
}

static _Noreturn void fail_expression(const json_t *expression,
                                      const char *problem, const char *where) {
  char *text = json_dumps(expression, JSON_COMPACT | JSON_ENCODE_ANY);
  fail("%s: %s %s", where, text ? text : "an expression", problem);
}

/* The value of an expression that has passed check_expression(). */
static int64_t evaluate(const struct entry *entry, const json_t *expression,
                        const char *where) {
  if (json_is_integer(expression))
    return json_integer_value(expression);
  if (json_is_string(expression)) {
    const struct size *size = find_size(entry, json_string_value(expression));
    if (!size)
      return entry->multiprocessors;
    if (!size->is_bound)
      fail("%s: no input binds size '%s'", where, size->name);
    return size->value;
  }
  const char *name = json_string_value(json_array_get(expression, 0));
  const json_t *first = json_array_get(expression, 1);
  const json_t *second = json_array_get(expression, 2);
  if (strcmp(name, "stride") == 0)
    return find_argument(entry, json_string_value(first))
        ->strides[json_integer_value(second)];
  int64_t a = evaluate(entry, first, where);
  if (strcmp(name, "select") == 0)
    return evaluate(entry, a ? second : json_array_get(expression, 3), where);
  if (strcmp(name, "and") == 0)
    return a && evaluate(entry, second, where);
  if (strcmp(name, "or") == 0)
    return a || evaluate(entry, second, where);

  int64_t b = evaluate(entry, second, where), result = 0;
  bool overflows = false;
  if (strcmp(name, "add") == 0)
    overflows = __builtin_add_overflow(a, b, &result);
  else if (strcmp(name, "sub") == 0)
    overflows = __builtin_sub_overflow(a, b, &result);
  else if (strcmp(name, "mul") == 0)
    overflows = __builtin_mul_overflow(a, b, &result);
  else if (strcmp(name, "min") == 0)
    result = a < b ? a : b;
  else if (strcmp(name, "max") == 0)
    result = a > b ? a : b;
  else if (strcmp(name, "eq") == 0)
    result = a == b;
  else if (strcmp(name, "ne") == 0)
    result = a != b;
  else if (strcmp(name, "lt") == 0)
    result = a < b;
  else if (strcmp(name, "le") == 0)
    result = a <= b;
  else if (strcmp(name, "gt") == 0)
    result = a > b;
  else if (strcmp(name, "ge") == 0)
    result = a >= b;
  else if (b == 0)
    fail_expression(expression, "divides by zero", where);
  else if (b == -1) /* in C the one quotient that overflows */
    overflows =
        strcmp(name, "mod") != 0 && __builtin_sub_overflow(0, a, &result);
  else {
    int64_t quotient = a / b, remainder = a % b;
    bool is_negative = (remainder < 0) != (b < 0); /* of the exact quotient */
    if (strcmp(name, "floordiv") == 0)
      result = quotient - (remainder != 0 && is_negative);
    else if (strcmp(name, "ceildiv") == 0)
      result = quotient + (remainder != 0 && !is_negative);
    else
      result = remainder != 0 && is_negative ? remainder + b : remainder;
  }
  if (overflows)
    fail_expression(expression, "overflows 64 bits", where);
  return result;
}

/* ---- Reading a plan ---- */

static void check_depth(const json_t *value, unsigned depth, const char *path) {
  if (depth > 100)
    fail("%s: values nest deeper than 100 levels", path);
  size_t index;
  const char *key;
  json_t *child;
  json_array_foreach(value, index, child) check_depth(child, depth + 1, path);
  json_object_foreach((json_t *)value, key, child)
      check_depth(child, depth + 1, path);
}

/* A list of expressions. */
static void check_expressions(const struct entry *entry, const json_t *list,
                              size_t least, size_t most, enum scope scope,
                              const char *where) {
  size_t count = json_array_size(list);
  if (!json_is_array(list) || count < least || count > most)
    fail("%s: expected %zu to %zu expressions", where, least, most);
  for (size_t i = 0; i < count; ++i)
    check_expression(entry, json_array_get(list, i), scope, where);
}

static void name_memory(const struct entry *entry, struct memory *memory,
                        const char *name, json_int_t alignment,
                        const char *where) {
  if (find_memory(entry, name))
    fail("%s: the name '%s' stands twice", where, name);
  if (alignment < 1 || alignment > 1 << 20 || (alignment & (alignment - 1)))
    fail("%s: alignment %" PRId64 " is no power of two up to 1 MiB", where,
         (int64_t)alignment);
  memory->name = name;
  memory->alignment = alignment;
}

static void read_argument(struct entry *entry, json_t *json,
                          const char *where) {
  struct argument *argument = &entry->arguments[entry->argument_count];
  const char *name, *role, *type, *strides;
  json_int_t alignment;
  unpack(json, where, "{s:s, s:s, s:s, s:o, s:s, s:I, s?o}", "name", &name,
         "role", &role, "type", &type, "shape", &argument->shape, "strides",
         &strides, "alignment", &alignment, "contents", &argument->contents);
  name_memory(entry, &argument->memory, name, alignment, where);
  argument->type = find_type(type, where);
  argument->is_output = strcmp(role, "output") == 0;
  argument->is_contiguous = strcmp(strides, "contiguous") == 0;
  if (!argument->is_output && strcmp(role, "input") != 0)
    fail("%s: unknown role '%s'", where, role);
  if (!argument->is_contiguous && strcmp(strides, "rows") != 0)
    fail("%s: unknown strides '%s'", where, strides);
  if (!argument->is_output && entry->input_count++ != entry->argument_count)
    fail("%s: an input stands behind an output", where);
  check_expressions(entry, argument->shape, 0, max_rank, SIZES, where);
  argument->rank = json_array_size(argument->shape);
  ++entry->argument_count;
  for (size_t i = 0; i < argument->rank; ++i) {
    json_t *extent = json_array_get(argument->shape, i);
    if (json_is_string(extent))
      find_size(entry, json_string_value(extent))->is_bound = true;
  }
}

static struct memory *read_memory(const struct entry *entry, const char *name,
                                  const char *where) {
  struct memory *memory = find_memory(entry, name);
  if (!memory)
    fail("%s: no argument or buffer '%s'", where, name);
  return memory;
}

static void read_tensor_map(struct entry *entry, json_t *json,
                            const char *where) {
  struct tensor_map *map = &entry->maps[entry->map_count];
  const char *tensor, *type;
  json_t *box;
  json_int_t swizzle;
  unpack(json, where, "{s:s, s:s, s?o, s:s, s:o, s:o, s:o, s:I}", "name",
         &map->name, "tensor", &tensor, "offset", &map->offset, "type", &type,
         "shape", &map->shape, "strides", &map->strides, "box", &box, "swizzle",
         &swizzle);
  for (size_t i = 0; i < entry->map_count; ++i)
    if (strcmp(entry->maps[i].name, map->name) == 0)
      fail("%s: the name '%s' stands twice", where, map->name);
  ++entry->map_count;
  map->memory = read_memory(entry, tensor, where);
  map->type = find_type(type, where);
  check_expressions(entry, map->shape, 1, 5, EVERYTHING, where);
  map->rank = (cuuint32_t)json_array_size(map->shape);
  check_expressions(entry, map->strides, map->rank - 1, map->rank - 1,
                    EVERYTHING, where);
  if (map->offset)
    check_expression(entry, map->offset, EVERYTHING, where);
  for (cuuint32_t i = 0; i < map->rank; ++i) {
    json_int_t extent = json_integer_value(json_array_get(box, i));
    if (json_array_size(box) != map->rank || extent < 1 || extent > 256)
      fail("%s: the box is not %u integers from 1 to 256", where, map->rank);
    map->box[i] = (cuuint32_t)extent;
  }
  map->swizzle = swizzle == 32    ? CU_TENSOR_MAP_SWIZZLE_32B
                 : swizzle == 64  ? CU_TENSOR_MAP_SWIZZLE_64B
                 : swizzle == 128 ? CU_TENSOR_MAP_SWIZZLE_128B
                                  : CU_TENSOR_MAP_SWIZZLE_NONE;
  if (swizzle != 0 && map->swizzle == CU_TENSOR_MAP_SWIZZLE_NONE)
    fail("%s: the swizzle is not 0, 32, 64 or 128", where);
}

static void read_parameter(struct entry *entry, struct parameter *parameter,
                           json_t *json, const char *where) {
  static const char *const kinds[] = {"pointer", "i32", "i64", "f32",
                                      "tensor_map"};
  size_t kind = 0;
  while (kind <= TENSOR_MAP && !json_object_get(json, kinds[kind]))
    ++kind;
  parameter->kind = (enum parameter_kind)kind;
  const char *name = NULL;
  double number = 0;
  switch (kind) {
  case POINTER:
    unpack(json, where, "{s:s, s?o}", "pointer", &name, "offset",
           &parameter->expression);
    parameter->memory = read_memory(entry, name, where);
    break;
  case I32:
  case I64:
    unpack(json, where, "{s:o}", kinds[kind], &parameter->expression);
    break;
  case F32:
    unpack(json, where, "{s:F}", "f32", &number);
    parameter->value.f32 = (float)number;
    if (!isfinite(parameter->value.f32))
      fail("%s: %g does not fit f32", where, number);
    break;
  case TENSOR_MAP:
    unpack(json, where, "{s:s}", "tensor_map", &name);
    for (size_t i = 0; i < entry->map_count; ++i)
      if (strcmp(entry->maps[i].name, name) == 0)
        parameter->map = &entry->maps[i];
    if (!parameter->map)
      fail("%s: no tensor map '%s'", where, name);
    break;
  default:
    fail("%s: a parameter is none of pointer, i32, i64, f32, tensor_map",
         where);
  }
  if (parameter->expression)
    check_expression(entry, parameter->expression, EVERYTHING, where);
}

static void read_memset(struct entry *entry, struct step *step, json_t *json,
                        const char *where) {
  const char *name;
  json_int_t value;
  unpack(json, where, "{s:s, s:I, s:o}", "buffer", &name, "value", &value,
         "bytes", &step->set_bytes);
  step->set = read_memory(entry, name, where);
  const struct argument *argument = find_argument(entry, name);
  if (argument && !(argument->is_output && argument->is_contiguous))
    fail("%s: '%s' is no buffer or contiguous output", where, name);
  if (value < 0 || value > 255)
    fail("%s: value %" PRId64 " is no byte", where, (int64_t)value);
  step->set_value = (unsigned char)value;
  check_expression(entry, step->set_bytes, EVERYTHING, where);
}

static void read_launch(struct entry *entry, struct step *step, json_t *json,
                        const char *where) {
  json_t *parameters, *attributes = NULL, *block, *cluster = NULL;
  unpack(json, where, "{s:s, s:o, s:o, s?o, s:o, s?o, s:o}", "kernel",
         &step->kernel, "grid", &step->grid, "block", &block, "cluster",
         &cluster, "shared_bytes", &step->shared, "attributes", &attributes,
         "parameters", &parameters);
  check_expressions(entry, step->grid, 3, 3, EVERYTHING, where);
  check_expression(entry, step->shared, EVERYTHING, where);
  unpack(block, where, "[I, I, I]", &step->block[0], &step->block[1],
         &step->block[2]);
  for (int i = 0; i < 3; ++i)
    step->cluster[i] = 1;
  if (cluster)
    unpack(cluster, where, "[I, I, I]", &step->cluster[0], &step->cluster[1],
           &step->cluster[2]);
  int64_t threads = 1, ctas = 1;
  for (int i = 0; i < 3; ++i) {
    if (step->block[i] < 1 || (threads *= step->block[i]) > 1024)
      fail("%s: a block of no or more than 1024 threads", where);
    if (step->cluster[i] < 1 || (ctas *= step->cluster[i]) > 16)
      fail("%s: a cluster of no or more than 16 CTAs", where);
  }
  if (attributes)
    unpack(attributes, where, "{s?b}", "programmatic_stream_serialization",
           &step->serialization);
  if (!json_is_array(parameters))
    fail("%s: 'parameters' is no array", where);
  step->parameter_count = json_array_size(parameters);
  step->parameters = allocate(step->parameter_count, sizeof(struct parameter));
  for (size_t i = 0; i < step->parameter_count; ++i)
    read_parameter(entry, &step->parameters[i], json_array_get(parameters, i),
                   where);
}

/* The elements of an array of the plan, with room for their structures. */
#define ALLOCATE_FOR(json) allocate(json_array_size(json), sizeof(*entry->json))

static void read_entry(struct entry *entry, json_t *json, const char *path) {
  char where[max_text];
  json_t *sizes, *arguments, *buffers, *maps, *steps, *item;
  size_t i;
  snprintf(where, sizeof(where), "%s: an entry", path);
  unpack(json, where, "{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
         &entry->name, "sizes", &sizes, "arguments", &arguments, "requirements",
         &entry->requirements, "buffers", &buffers, "tensor_maps", &maps,
         "steps", &steps);
  json_t *const lists[] = {sizes,   arguments, entry->requirements,
                           buffers, maps,      steps};
  for (i = 0; i < sizeof(lists) / sizeof(*lists); ++i)
    if (!json_is_array(lists[i]))
      fail("%s: an object stands where an array is expected", where);
  entry->sizes = ALLOCATE_FOR(sizes);
  entry->arguments = ALLOCATE_FOR(arguments);
  entry->buffers = ALLOCATE_FOR(buffers);
  entry->maps = ALLOCATE_FOR(maps);
  entry->steps = ALLOCATE_FOR(steps);

  json_array_foreach(sizes, i, item) {
    const char *name = json_string_value(item);
    if (!name || strcmp(name, "multiprocessors") == 0 || find_size(entry, name))
      fail("%s: size %zu is no name of its own", where, i);
    entry->sizes[entry->size_count++].name = name;
  }
  json_array_foreach(arguments, i, item) {
    snprintf(where, sizeof(where), "%s: %s, argument %zu", path, entry->name,
             i);
    read_argument(entry, item, where);
  }
  for (i = 0; i < entry->size_count; ++i) {
    if (!entry->sizes[i].is_bound)
      fail("%s: no argument binds size '%s'", path, entry->sizes[i].name);
    entry->sizes[i].is_bound = false;
  }
  json_array_foreach(entry->requirements, i, item) {
    const char *message;
    json_t *condition;
    snprintf(where, sizeof(where), "%s: %s, requirement %zu", path, entry->name,
             i);
    unpack(item, where, "{s:o, s:s}", "condition", &condition, "message",
           &message);
    check_expression(entry, condition, STRIDES, where);
  }
  json_array_foreach(buffers, i, item) {
    const char *name;
    json_int_t alignment;
    snprintf(where, sizeof(where), "%s: %s, buffer %zu", path, entry->name, i);
    unpack(item, where, "{s:s, s:o, s:I}", "name", &name, "bytes",
           &entry->buffers[i].bytes, "alignment", &alignment);
    name_memory(entry, &entry->buffers[i].memory, name, alignment, where);
    check_expression(entry, entry->buffers[i].bytes, EVERYTHING, where);
    ++entry->buffer_count;
  }
  json_array_foreach(maps, i, item) {
    snprintf(where, sizeof(where), "%s: %s, tensor map %zu", path, entry->name,
             i);
    read_tensor_map(entry, item, where);
  }
  json_array_foreach(steps, i, item) {
    struct step *step = &entry->steps[entry->step_count++];
    json_t *set = NULL, *launch = NULL;
    snprintf(where, sizeof(where), "%s: %s, step %zu", path, entry->name, i);
    unpack(item, where, "{s?o, s?o, s?o}", "guard", &step->guard, "memset",
           &set, "launch", &launch);
    if (!set == !launch)
      fail("%s: expected one of memset and launch", where);
    if (step->guard)
      check_expression(entry, step->guard, EVERYTHING, where);
    if (set)
      read_memset(entry, step, set, where);
    else
      read_launch(entry, step, launch, where);
  }
}

static void free_entry(struct entry *entry) {
  for (size_t i = 0; i < entry->step_count; ++i)
    free(entry->steps[i].parameters);
  for (size_t i = 0; i < entry->argument_count; ++i)
    free(entry->arguments[i].host);
  free(entry->sizes);
  free(entry->arguments);
  free(entry->buffers);
  free(entry->maps);
  free(entry->steps);
}

/* ---- Arguments ---- */

static int64_t multiply(int64_t a, int64_t b, const char *where) {
  int64_t product;
  if (__builtin_mul_overflow(a, b, &product))
    fail("%s: has more than 2^63 bytes", where);
  return product;
}

/* Reads an input; a size is bound where it stands first. */
static void load_input(struct entry *entry, struct argument *argument,
                       const char *path) {
  char where[max_text];
  snprintf(where, sizeof(where), "%s: argument '%s'", path,
           argument->memory.name);
  struct npy array;
  const char *problem = read_npy(path, &array);
  if (problem)
    fail("%s: %s", path, problem);
  argument->host = array.data;
  if (strcmp(array.type, argument->type->npy) != 0 &&
      !(strcmp(array.type, "<f4") == 0 &&
        strcmp(argument->type->name, "f16") == 0))
    fail("%s has type %s, the file holds %s", where, argument->type->name,
         array.type);
  if (array.rank != argument->rank)
    fail("%s has rank %zu, the file's array %zu", where, argument->rank,
         array.rank);
  size_t count = 1;
  for (size_t i = 0; i < array.rank; ++i) {
    argument->extents[i] = array.shape[i];
    count *= (size_t)array.shape[i];
    if (array.shape[i] < 1)
      fail("%s: extent %zu is 0", where, i);
    json_t *extent = json_array_get(argument->shape, i);
    struct size *size = NULL;
    if (json_is_string(extent))
      size = find_size(entry, json_string_value(extent));
    if (size && !size->is_bound) {
      size->is_bound = true;
      size->value = array.shape[i];
    }
  }
  if (strcmp(array.type, "<f4") == 0)
    narrow_f32(argument->host, count, argument->type->name);
}

/* Binds all sizes, extents and strides, and checks what the entry asks for. */
static void bind_arguments(struct entry *entry, char **files, size_t count,
                           const char *path) {
  char where[max_text];
  if (count != entry->input_count)
    fail("%s: %s takes %zu inputs, found %zu --arg", path, entry->name,
         entry->input_count, count);
  for (size_t i = 0; i < count; ++i)
    load_input(entry, &entry->arguments[i], files[i]);
  for (size_t i = 0; i < entry->argument_count; ++i) {
    struct argument *argument = &entry->arguments[i];
    snprintf(where, sizeof(where), "%s: argument '%s'",
             i < count ? files[i] : path, argument->memory.name);
    int64_t bytes = (int64_t)argument->type->bytes;
    for (size_t j = argument->rank; j-- > 0;) {
      json_t *expression = json_array_get(argument->shape, j);
      int64_t extent = evaluate(entry, expression, where);
      if (i >= count)
        argument->extents[j] = extent;
      if (argument->extents[j] != extent || extent < 1)
        fail("%s: extent %zu is %" PRId64 ", expected %" PRId64, where, j,
             argument->extents[j], extent);
      argument->strides[j] = bytes / (int64_t)argument->type->bytes;
      /* The last dimension is contiguous; of extent 1, a stride says nothing.
       * Only this program's row-major arrays have no other strides. */
      if (!argument->is_contiguous && j + 1 < argument->rank && extent > 1 &&
          bytes % argument->memory.alignment != 0)
        fail("%s: stride %zu is %" PRId64 " bytes, no multiple of %" PRId64,
             where, j, bytes, argument->memory.alignment);
      bytes = multiply(bytes, extent, where);
    }
    argument->memory.bytes = bytes;
    if (argument->is_output)
      argument->host = allocate((size_t)bytes, 1);
  }
  for (size_t i = 0; i < json_array_size(entry->requirements); ++i) {
    json_t *requirement = json_array_get(entry->requirements, i);
    snprintf(where, sizeof(where), "%s: %s, requirement %zu", path, entry->name,
             i);
    if (!evaluate(entry, json_object_get(requirement, "condition"), where))
      fail("%s: not met: %s", where,
           json_string_value(json_object_get(requirement, "message")));
  }
}

/* ---- Resolving expressions ---- */

static void check_range(const struct memory *memory, int64_t offset,
                        int64_t bytes, const char *where) {
  if (offset < 0 || bytes < 0 || offset > memory->bytes ||
      bytes > memory->bytes - offset)
    fail("%s: %" PRId64 " bytes from %" PRId64 " are outside '%s', which has "
         "%" PRId64,
         where, bytes, offset, memory->name, memory->bytes);
}

static void resolve_tensor_map(const struct entry *entry,
                               struct tensor_map *map, const char *path) {
  char where[max_text];
  snprintf(where, sizeof(where), "%s: %s, tensor map '%s'", path, entry->name,
           map->name);
  int64_t reach = (int64_t)map->type->bytes;
  map->base = map->offset ? evaluate(entry, map->offset, where) : 0;
  for (cuuint32_t i = 0; i < map->rank; ++i) {
    int64_t stride = (int64_t)map->type->bytes, distance = 0;
    if (i > 0)
      stride = evaluate(entry, json_array_get(map->strides, i - 1), where);
    int64_t extent = evaluate(entry, json_array_get(map->shape, i), where);
    if (extent < 1 || stride < 0 || (i > 0 && stride % 16 != 0))
      fail("%s: extent %" PRId64 " with stride %" PRId64, where, extent,
           stride);
    distance = multiply(extent - 1, stride, where);
    if (__builtin_add_overflow(reach, distance, &reach))
      fail("%s: reaches beyond 64 bits", where);
    map->extents[i] = (cuuint64_t)extent;
    if (i > 0)
      map->byte_strides[i - 1] = (cuuint64_t)stride;
  }
  if (map->base % 16 != 0)
    fail("%s: offset %" PRId64 " is no multiple of 16", where, map->base);
  check_range(map->memory, map->base, reach, where);
}

static void resolve_launch(const struct entry *entry, struct step *step,
                           const char *where) {
  static const int64_t limits[] = {INT32_MAX, 65535, 65535};
  for (size_t i = 0; i < 3; ++i) {
    int64_t ctas = evaluate(entry, json_array_get(step->grid, i), where);
    if (ctas < 0 || ctas > limits[i] || ctas % step->cluster[i] != 0)
      fail("%s: a grid of %" PRId64 " CTAs in %c", where, ctas, "xyz"[i]);
    step->ctas[i] = ctas;
    step->is_left_out |= ctas == 0;
  }
  if (step->is_left_out)
    return;
  step->bytes = evaluate(entry, step->shared, where);
  if (step->bytes < 0 || step->bytes > INT32_MAX)
    fail("%s: %" PRId64 " bytes of shared memory", where, step->bytes);
  for (size_t i = 0; i < step->parameter_count; ++i) {
    struct parameter *parameter = &step->parameters[i];
    int64_t value = 0;
    if (parameter->expression)
      value = evaluate(entry, parameter->expression, where);
    if (parameter->kind == POINTER)
      check_range(parameter->memory, parameter->offset = value, 0, where);
    else if (parameter->kind == I64)
      parameter->value.i64 = value;
    else if (parameter->kind == I32 && value != (int32_t)value)
      fail("%s: parameter %zu is %" PRId64 ", which does not fit 32 bits",
           where, i, value);
    else if (parameter->kind == I32)
      parameter->value.i32 = (int32_t)value;
    else if (parameter->kind == TENSOR_MAP)
      parameter->map->is_used = true;
  }
}

static void resolve(struct entry *entry, const char *path) {
  char where[max_text];
  for (size_t i = 0; i < entry->buffer_count; ++i) {
    struct memory *memory = &entry->buffers[i].memory;
    snprintf(where, sizeof(where), "%s: %s, buffer '%s'", path, entry->name,
             memory->name);
    memory->bytes = evaluate(entry, entry->buffers[i].bytes, where);
    if (memory->bytes < 0)
      fail("%s: would have %" PRId64 " bytes", where, memory->bytes);
  }
  for (size_t i = 0; i < entry->step_count; ++i) {
    struct step *step = &entry->steps[i];
    snprintf(where, sizeof(where), "%s: %s, step %zu", path, entry->name, i);
    step->is_left_out = step->guard && !evaluate(entry, step->guard, where);
    if (step->is_left_out)
      continue;
    if (step->set) {
      step->bytes = evaluate(entry, step->set_bytes, where);
      check_range(step->set, 0, step->bytes, where);
    } else {
      resolve_launch(entry, step, where);
    }
  }
  for (size_t i = 0; i < entry->map_count; ++i)
    if (entry->maps[i].is_used)
      resolve_tensor_map(entry, &entry->maps[i], path);
}

/* ---- The GPU ---- */

static CUmodule load_module(const char *plan_path, json_t *json) {
  const char *ptx, *cubin = NULL, *chip, *version;
  unpack(json, plan_path, "{s:s, s?s, s:s, s:s}", "ptx", &ptx, "cubin", &cubin,
         "chip", &chip, "ptx_version", &version);
  if (!*ptx || strchr(ptx, '/') || (cubin && strchr(cubin, '/')))
    fail("%s: the PTX is not a file beside the plan", plan_path);
  const char *slash = strrchr(plan_path, '/');
  int folder = slash ? (int)(slash - plan_path) + 1 : 0;
  char path[4096], log[4096] = "", what[8400];
  snprintf(path, sizeof(path), "%.*s%s", folder, plan_path, ptx);
  size_t bytes = 0;
  unsigned char *text = read_file(path, &bytes);
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER,
                            CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, (void *)(uintptr_t)sizeof(log)};
  CUmodule module = NULL;
  CUresult result = cuModuleLoadDataEx(&module, text, 2, options, values);
  free(text);
  for (char *end = log; (end = strchr(end, '\n'));)
    *end = ';';
  snprintf(what, sizeof(what), "%s (PTX %s for %s)%s%s", path, version, chip,
           *log ? ": " : "", log);
  check(result, what);
  return module;
}

static void allocate_on_gpu(struct memory *memory) {
  char what[max_text];
  snprintf(what, sizeof(what), "allocating '%s' (%" PRId64 " bytes)",
           memory->name, memory->bytes);
  /* cuMemAlloc takes no 0, and aligns to 256 bytes at least. */
  size_t slack = memory->alignment > 256 ? (size_t)memory->alignment : 1;
  check(cuMemAlloc(&memory->allocation, (size_t)memory->bytes + slack), what);
  CUdeviceptr mask = (CUdeviceptr)memory->alignment - 1;
  memory->address = (memory->allocation + mask) & ~mask;
}

static void encode_tensor_map(struct tensor_map *map) {
  const cuuint32_t steps[] = {1, 1, 1, 1, 1};
  check(cuTensorMapEncodeTiled(
            &map->encoded, map->type->tensor_map, map->rank,
            (void *)(uintptr_t)(map->memory->address + (CUdeviceptr)map->base),
            map->extents, map->byte_strides, map->box, steps,
            CU_TENSOR_MAP_INTERLEAVE_NONE, map->swizzle,
            CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
            CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
        map->name);
}

static void launch(struct step *step, CUmodule module, CUstream stream) {
  CUfunction function;
  check(cuModuleGetFunction(&function, module, step->kernel), step->kernel);
  if (step->bytes > 48 * 1024)
    check(cuFuncSetAttribute(function,
                             CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                             (int)step->bytes),
          step->kernel);
  void **parameters = allocate(step->parameter_count, sizeof(*parameters));
  for (size_t i = 0; i < step->parameter_count; ++i) {
    struct parameter *parameter = &step->parameters[i];
    parameters[i] = &parameter->value;
    if (parameter->kind == POINTER)
      parameter->value.pointer =
          parameter->memory->address + (CUdeviceptr)parameter->offset;
    else if (parameter->kind == TENSOR_MAP)
      parameters[i] = &parameter->map->encoded;
  }
  CUlaunchAttribute attributes[2];
  CUlaunchConfig config = {.gridDimX = (unsigned)step->ctas[0],
                           .gridDimY = (unsigned)step->ctas[1],
                           .gridDimZ = (unsigned)step->ctas[2],
                           .blockDimX = (unsigned)step->block[0],
                           .blockDimY = (unsigned)step->block[1],
                           .blockDimZ = (unsigned)step->block[2],
                           .sharedMemBytes = (unsigned)step->bytes,
                           .hStream = stream,
                           .attrs = attributes};
  if (step->cluster[0] * step->cluster[1] * step->cluster[2] > 1) {
    CUlaunchAttribute *cluster = &attributes[config.numAttrs++];
    cluster->id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    cluster->value.clusterDim.x = (unsigned)step->cluster[0];
    cluster->value.clusterDim.y = (unsigned)step->cluster[1];
    cluster->value.clusterDim.z = (unsigned)step->cluster[2];
  }
  if (step->serialization) {
    CUlaunchAttribute *early = &attributes[config.numAttrs++];
    early->id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    early->value.programmaticStreamSerializationAllowed = 1;
  }
  check(cuLaunchKernelEx(&config, function, parameters, NULL), step->kernel);
  free(parameters);
}

/* Everything on the GPU, in one stream; outputs come back to the host. */
static void run(struct entry *entry, CUmodule module) {
  CUstream stream;
  check(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), "a stream");
  for (size_t i = 0; i < entry->buffer_count; ++i)
    allocate_on_gpu(&entry->buffers[i].memory);
  for (size_t i = 0; i < entry->argument_count; ++i) {
    struct argument *argument = &entry->arguments[i];
    struct memory *memory = &argument->memory;
    allocate_on_gpu(memory);
    /* What no kernel writes reads as NaN, -1 or 65535. */
    if (argument->is_output)
      check(
          cuMemsetD8Async(memory->address, 0xff, (size_t)memory->bytes, stream),
          memory->name);
    else
      check(cuMemcpyHtoDAsync(memory->address, argument->host,
                              (size_t)memory->bytes, stream),
            memory->name);
  }
  for (size_t i = 0; i < entry->map_count; ++i)
    if (entry->maps[i].is_used)
      encode_tensor_map(&entry->maps[i]);

  for (size_t i = 0; i < entry->step_count; ++i) {
    struct step *step = &entry->steps[i];
    if (step->is_left_out)
      continue;
    if (step->set)
      check(cuMemsetD8Async(step->set->address, step->set_value,
                            (size_t)step->bytes, stream),
            step->set->name);
    else
      launch(step, module, stream);
  }

  for (size_t i = entry->input_count; i < entry->argument_count; ++i) {
    struct argument *output = &entry->arguments[i];
    check(cuMemcpyDtoHAsync(output->host, output->memory.address,
                            (size_t)output->memory.bytes, stream),
          output->memory.name);
  }
  check(cuStreamSynchronize(stream), "the kernels");
  for (size_t i = 0; i < entry->argument_count; ++i)
    check(cuMemFree(entry->arguments[i].memory.allocation), "freeing");
  for (size_t i = 0; i < entry->buffer_count; ++i)
    check(cuMemFree(entry->buffers[i].memory.allocation), "freeing");
  check(cuStreamDestroy(stream), "the stream");
}

/* ---- The program ---- */

struct files {
  char *paths[max_files];
  size_t count;
};

static void add_file(struct files *files, char *path) {
  if (files->count == max_files)
    fail("more than %d files", max_files);
  files->paths[files->count++] = path;
}

/* Checks format, version and keys of the whole plan. */
static json_t *load_plan(const char *path, const char *name,
                         struct entry *chosen, json_t **module) {
  size_t bytes = 0;
  char *text = (char *)read_file(path, &bytes);
  json_error_t error;
  json_t *plan = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
  free(text);
  if (!plan)
    fail("%s:%d:%d: %s", path, error.line, error.column, error.text);
  check_depth(plan, 1, path);
  const char *format = json_string_value(json_object_get(plan, "format"));
  json_t *version = json_object_get(plan, "version");
  if (!format || strcmp(format, "pbs-plan") != 0)
    fail("%s: is no launch plan", path);
  if (!json_is_integer(version) || json_integer_value(version) != 1)
    fail("%s: is of a version other than 1", path);
  json_t *entries, *item;
  const char *producer;
  unpack(plan, path, "{s:s, s:o, s:s, s:o, s:o}", "format", &format, "version",
         &version, "producer", &producer, "module", module, "entries",
         &entries);
  bool is_found = false;
  size_t i;
  if (!json_is_array(entries))
    fail("%s: 'entries' is no array", path);
  json_array_foreach(entries, i, item) {
    struct entry entry = {0};
    read_entry(&entry, item, path);
    bool is_chosen = strcmp(entry.name, name) == 0;
    if (is_chosen && is_found)
      fail("%s: entry '%s' stands twice", path, name);
    is_found |= is_chosen;
    if (is_chosen)
      *chosen = entry;
    else
      free_entry(&entry);
  }
  if (!is_found)
    fail("%s: no entry '%s'", path, name);
  return plan;
}

int main(int count, char **words) {
  struct files inputs = {.count = 0}, results = {.count = 0};
  if (count < 3)
    fail("usage: launch_plan PLAN.json ENTRY --arg=FILE.npy ... "
         "--result=FILE.npy ...");
  for (int i = 3; i < count; ++i) {
    if (strncmp(words[i], "--arg=", 6) == 0)
      add_file(&inputs, words[i] + 6);
    else if (strncmp(words[i], "--result=", 9) == 0)
      add_file(&results, words[i] + 9);
    else
      fail("unknown option '%s'", words[i]);
  }

  const char *path = words[1];
  struct entry entry = {0};
  json_t *module_json;
  json_t *plan = load_plan(path, words[2], &entry, &module_json);
  if (results.count > entry.argument_count - entry.input_count)
    fail("%s: %s has %zu outputs, found %zu --result", path, entry.name,
         entry.argument_count - entry.input_count, results.count);
  bind_arguments(&entry, inputs.paths, inputs.count, path);

  CUdevice device;
  CUcontext context;
  int multiprocessors;
  check(cuInit(0), "the driver");
  check(cuDeviceGet(&device, 0), "the first GPU");
  check(cuDeviceGetAttribute(&multiprocessors,
                             CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device),
        "the number of multiprocessors");
  entry.multiprocessors = multiprocessors;
  resolve(&entry, path);

  check(cuDevicePrimaryCtxRetain(&context, device), "a context");
  check(cuCtxSetCurrent(context), "the context");
  CUmodule module = load_module(path, module_json);
  run(&entry, module);
  check(cuModuleUnload(module), "the module");
  check(cuDevicePrimaryCtxRelease(device), "the context");

  for (size_t i = 0; i < results.count; ++i) {
    const struct argument *output = &entry.arguments[entry.input_count + i];
    const char *problem =
        write_npy(results.paths[i], output->type->name, output->type->npy,
                  output->host, output->extents, output->rank);
    if (problem)
      fail("%s: %s", results.paths[i], problem);
  }
  free_entry(&entry);
  json_decref(plan);
  return 0;
}
