/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Whatever docs/plan-format.md does not name is an error here. */

#include "plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct element_type element_types[] = {
    {"bf16", 2, "<f4", CU_TENSOR_MAP_DATA_TYPE_BFLOAT16},
    {"f16", 2, "<f2", CU_TENSOR_MAP_DATA_TYPE_FLOAT16},
    {"f32", 4, "<f4", CU_TENSOR_MAP_DATA_TYPE_FLOAT32},
    {"i32", 4, "<i4", CU_TENSOR_MAP_DATA_TYPE_INT32},
    {"u16", 2, "<u2", CU_TENSOR_MAP_DATA_TYPE_UINT16},
    {"bool", 1, "|b1", CU_TENSOR_MAP_DATA_TYPE_UINT8}};

/* ---- Errors and small helpers ---- */

_Noreturn void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("launch_plan: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

void *allocate(size_t count, size_t bytes) {
  const size_t unit = _Alignof(CUtensorMap);
  size_t total = 0;
  void *memory = NULL;
  if (!__builtin_mul_overflow(count, bytes, &total) && total < PTRDIFF_MAX)
    memory = aligned_alloc(unit, (total / unit + 1) * unit);
  if (!memory)
    fail("out of memory");
  return memset(memory, 0, total);
}

unsigned char *read_file(const char *path, size_t *bytes) {
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

void unpack(json_t *value, const char *where, const char *format, ...) {
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

struct argument *find_argument(const struct entry *entry, const char *name) {
  for (size_t i = 0; name && i < entry->argument_count; ++i)
    if (strcmp(entry->arguments[i].memory.name, name) == 0)
      return &entry->arguments[i];
  return NULL;
}

struct size *find_size(const struct entry *entry, const char *name) {
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
int64_t evaluate(const struct entry *entry, const json_t *expression,
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

/* Contents may name arguments that stand later, so all have been read. */
static void read_contents(const struct entry *entry, struct argument *argument,
                          const char *where) {
  json_t *json = argument->contents, *lengths[2] = {NULL, NULL};
  const char *kind, *other = NULL, *permutation = NULL;
  json_int_t blocks[3] = {1, 1, 1}, window = 1;
  int causal;
  if (!json)
    return;
  kind = json_string_value(json_object_get(json, "kind"));
  const char *type = "i32";
  size_t rank = 4;
  if (kind && strcmp(kind, "permutation") == 0) {
    argument->kind = PERMUTATION;
    rank = 3;
    unpack(json, where, "{s:s, s:I}", "kind", &kind, "segment", &blocks[2]);
  } else if (kind && strcmp(kind, "selection_counts") == 0) {
    argument->kind = SELECTION_COUNTS;
    unpack(json, where, "{s:s, s:s, s:I, s:I, s:o, s:o, s:b, s?s, s?I}", "kind",
           &kind, "indices", &other, "query_block", &blocks[0], "key_block",
           &blocks[1], "query_length", &lengths[0], "key_length", &lengths[1],
           "causal", &causal, "permutation", &permutation, "window", &window);
    check_expression(entry, lengths[0], SIZES, where);
    check_expression(entry, lengths[1], SIZES, where);
  } else if (kind && strcmp(kind, "selection_indices") == 0) {
    argument->kind = SELECTION_INDICES;
    type = "u16";
    unpack(json, where, "{s:s, s:s}", "kind", &kind, "counts", &other);
  } else {
    fail("%s: unknown contents", where);
  }
  bool is_sound = strcmp(argument->type->name, type) == 0 &&
                  argument->rank == rank && window > 0;
  for (int i = 0; i < 3; ++i)
    is_sound &= blocks[i] > 0 && blocks[i] <= INT32_MAX;
  is_sound &= !other || find_argument(entry, other);
  is_sound &= !permutation || find_argument(entry, permutation);
  if (!is_sound)
    fail("%s: contents '%s' with a type, rank, name or number that does not "
         "fit",
         where, kind);
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
  for (i = 0; i < entry->argument_count; ++i) {
    snprintf(where, sizeof(where), "%s: %s, argument %zu", path, entry->name,
             i);
    read_contents(entry, &entry->arguments[i], where);
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

void free_entry(struct entry *entry) {
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

json_t *load_plan(const char *path, const char *name, struct entry *chosen,
                  struct module *module) {
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
  json_t *module_json, *entries, *item;
  const char *producer;
  unpack(plan, path, "{s:s, s:o, s:s, s:o, s:o}", "format", &format, "version",
         &version, "producer", &producer, "module", &module_json, "entries",
         &entries);
  unpack(module_json, path, "{s:s, s?s, s:s, s:s}", "ptx", &module->ptx,
         "cubin", &module->cubin, "chip", &module->chip, "ptx_version",
         &module->ptx_version);
  if (!*module->ptx || strchr(module->ptx, '/') ||
      (module->cubin && strchr(module->cubin, '/')))
    fail("%s: the PTX is not a file beside the plan", path);
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
