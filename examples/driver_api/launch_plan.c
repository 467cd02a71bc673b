/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Runs a launch plan (docs/plan-format.md) with the CUDA driver API and a JSON
 * library, jansson, and nothing else: a pattern for a runtime of your own.
 *
 *   launch_plan PLAN.json ENTRY --arg=INPUT.npy ... --result=OUTPUT.npy ...
 *
 * It reads a plan from front to back, and checks and evaluates on the spot what
 * it reads. Tensor maps and steps it reads once more to do what they say, when
 * the whole plan is known to be sound and there is a module. The sections:
 *
 *   Structures
 *   Errors and memory       an error is one line and exit code 1
 *   JSON access             no key is unknown or stands twice
 *   Expressions             signed 64-bit arithmetic
 *   The plan's entry        read_entry() goes through the rest
 *   Arguments               sizes, shapes and strides, from files here
 *   Contents                values that the kernels trust
 *   Steps                   tensor maps, memsets and launches
 *   The GPU                 the module, memory, and one stream
 *   .npy files              of no use elsewhere
 *   main()
 */

#include <cuda.h>
#include <jansson.h>

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Structures ---- */

struct type {
  const char *name, *npy; /* bf16 has no name in .npy and travels as f32 */
  long long bytes;
  CUtensorMapDataType in_map;
};

static const struct type types[] = {
    {"bf16", "<f4", 2, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16},
    {"f16", "<f2", 2, CU_TENSOR_MAP_DATA_TYPE_FLOAT16},
    {"f32", "<f4", 4, CU_TENSOR_MAP_DATA_TYPE_FLOAT32},
    {"i32", "<i4", 4, CU_TENSOR_MAP_DATA_TYPE_INT32},
    {"u16", "<u2", 2, CU_TENSOR_MAP_DATA_TYPE_UINT16},
    {"bool", "|b1", 1, CU_TENSOR_MAP_DATA_TYPE_UINT8}};

struct size {
  const char *name;
  long long value; /* 0 until an input binds it */
};

/* What pointers refer to: an argument, or a buffer, which has no type. */
struct memory {
  const char *name;
  long long alignment, bytes;
  CUdeviceptr allocation, address; /* the address is aligned */
  const struct type *type;
  bool is_output, is_contiguous;
  json_t *shape, *contents;
  size_t rank;
  long long extents[16], strides[16]; /* in elements */
  unsigned char *host;                /* row-major without gaps */
};

struct tensor_map {
  const char *name;
  bool is_used;
  CUtensorMap encoded;
};

struct entry {
  const char *path, *name; /* of the plan, of the entry */
  long long multiprocessors;
  enum { SIZES, STRIDES, EVERYTHING } scope; /* what expressions know */
  /* False while reading what is left out: only its form is checked then. */
  bool is_live;
  CUmodule module; /* null until the steps are to be run */
  CUstream stream;
  struct size *sizes;
  struct memory *memories; /* inputs, then outputs, then buffers */
  struct tensor_map *maps;
  size_t size_count, input_count, argument_count, memory_count, map_count;
};

/* ---- Errors and memory ---- */

static char where[4096]; /* what is being done, for messages */

static void at(const char *format, ...) {
  va_list values;
  va_start(values, format);
  vsnprintf(where, sizeof(where), format, values);
  va_end(values);
}

static _Noreturn void fail(const char *format, ...) {
  char text[8192];
  va_list values;
  va_start(values, format);
  int length = snprintf(text, sizeof(text), "%s: ", where);
  vsnprintf(text + length, sizeof(text) - (size_t)length, format, values);
  va_end(values);
  for (char *c = text; *c; ++c) /* Names can hold anything. */
    if ((unsigned char)*c < ' ')
      *c = ' ';
  fprintf(stderr, "launch_plan: %s\n", text);
  exit(1);
}

static void check(CUresult result) {
  const char *name = NULL, *text = NULL;
  if (result == CUDA_SUCCESS)
    return;
  cuGetErrorName(result, &name);
  cuGetErrorString(result, &text);
  fail("%s (%s)", name ? name : "unknown error", text ? text : "?");
}

static struct block {
  struct block *next;
} *blocks; /* all that allocate() gave */

/* Zeroed memory until release(), aligned for CUtensorMap. */
static void *allocate(size_t count, size_t bytes) {
  const size_t unit = _Alignof(CUtensorMap); /* for the block as well */
  size_t total;
  char *memory = NULL;
  if (!__builtin_mul_overflow(count, bytes, &total) && total < PTRDIFF_MAX / 2)
    memory = aligned_alloc(unit, (total / unit + 2) * unit);
  if (!memory)
    fail("out of memory");
  memset(memory, 0, total + unit);
  ((struct block *)memory)->next = blocks;
  blocks = (struct block *)memory;
  return memory + unit;
}

static void release(void) {
  for (struct block *next; blocks; blocks = next) {
    next = blocks->next;
    free(blocks);
  }
}

/* The whole file and a zero behind it. */
static char *read_file(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  if (!file)
    fail("cannot be opened");
  long length = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
  if (length < 0 || length == LONG_MAX || fseek(file, 0, SEEK_SET) != 0)
    fail("cannot be read");
  char *content = allocate((size_t)length + 1, 1);
  *bytes = fread(content, 1, (size_t)length, file);
  if (*bytes != (size_t)length)
    fail("cannot be read");
  fclose(file);
  return content;
}

static long long in_range(long long value, long long least, long long most,
                          const char *what) {
  if (value < least || value > most)
    fail("%s is %lld, expected %lld to %lld", what, value, least, most);
  return value;
}

static long long multiply(long long a, long long b) {
  if (__builtin_mul_overflow(a, b, &a))
    fail("a number of bytes overflows 64 bits");
  return a;
}

/* ---- JSON access ---- */

static json_t *get(const json_t *object, const char *key) {
  return json_object_get(object, key);
}

static json_t *item(const json_t *array, size_t index) {
  return json_array_get(array, index);
}

/* Refuses an object with other keys than these, divided by spaces, or without
 * one of them that does not end in '?'. */
static void expect(json_t *object, const char *keys) {
  char word[64], all[256];
  const char *key;
  json_t *value;
  int length;
  snprintf(all, sizeof(all), " %s ", keys);
  for (; sscanf(keys, "%63s%n", word, &length) == 1; keys += length)
    if (!strchr(word, '?') && !get(object, word))
      fail("has no '%s'", word);
  for (char *mark = all; (mark = strchr(mark, '?'));)
    *mark = ' ';
  json_object_foreach(object, key, value) {
    snprintf(word, sizeof(word), " %s ", key);
    if (!*key || strchr(key, ' ') || !strstr(all, word))
      fail("unknown key '%s'", key);
  }
}

static const char *text(const json_t *object, const char *key) {
  const char *value = json_string_value(get(object, key));
  if (!value)
    fail("'%s' is no string", key);
  return value;
}

static long long integer(const json_t *object, const char *key, long long least,
                         long long most) {
  const json_t *value = get(object, key);
  if (!json_is_integer(value))
    fail("'%s' is no integer", key);
  return in_range(json_integer_value(value), least, most, key);
}

static json_t *array(const json_t *object, const char *key) {
  json_t *value = get(object, key);
  if (!json_is_array(value))
    fail("'%s' is no array", key);
  return value;
}

static void check_depth(json_t *value, int depth) {
  size_t i;
  const char *key;
  json_t *child;
  if (depth > 100)
    fail("values nest deeper than 100 levels");
  json_array_foreach(value, i, child) check_depth(child, depth + 1);
  json_object_foreach(value, key, child) check_depth(child, depth + 1);
}

static json_t *load_plan(const char *path) {
  json_error_t error;
  size_t bytes;
  at("%s", path);
  char *content = read_file(path, &bytes);
  json_t *plan = json_loadb(content, bytes, JSON_REJECT_DUPLICATES, &error);
  if (!plan) {
    at("%s:%d:%d", path, error.line, error.column);
    fail("%s", error.text);
  }
  check_depth(plan, 1);
  const char *format = json_string_value(get(plan, "format"));
  if (!format || strcmp(format, "pbs-plan") != 0)
    fail("is no launch plan");
  if (json_integer_value(get(plan, "version")) != 1)
    fail("is of a version other than 1");
  expect(plan, "format version producer module entries");
  text(plan, "producer");
  return plan;
}

/* ---- Expressions ---- */

/* The structure of that name, null where there is none or no name. */
#define FIND(array, length, wanted)                                            \
  for (size_t i = 0; (wanted) && i < (length); ++i)                            \
    if (strcmp((array)[i].name, (wanted)) == 0)                                \
      return &(array)[i];                                                      \
  return NULL

static struct size *find_size(const struct entry *e, const char *name) {
  FIND(e->sizes, e->size_count, name);
}

static struct memory *find_memory(const struct entry *e, const char *name) {
  FIND(e->memories, e->memory_count, name);
}

static struct tensor_map *find_map(const struct entry *e, const char *name) {
  FIND(e->maps, e->map_count, name);
}

static _Noreturn void fail_expression(const json_t *json, const char *problem) {
  char text[256] = "";
  json_dumpb(json, text, sizeof(text) - 1, JSON_COMPACT | JSON_ENCODE_ANY);
  fail("%s %s", text, problem);
}

__extension__ typedef __int128 wide;

/* The value of an expression. What is not live is not computed, but it has to
 * have the form of an expression, and only known names. */
static long long evaluate(const struct entry *e, const json_t *expression,
                          bool is_live) {
  if (json_is_integer(expression))
    return json_integer_value(expression);
  const char *name = json_string_value(expression);
  if (name) {
    const struct size *size = find_size(e, name);
    if (e->scope == EVERYTHING && strcmp(name, "multiprocessors") == 0)
      return e->multiprocessors;
    if (!size)
      fail("'%s' is no size known here", name);
    return size->value;
  }

  name = json_string_value(item(expression, 0));
#define IS(operator) (strcmp(name, operator) == 0)
  if (!name || json_array_size(expression) != (IS("select") ? 4 : 3))
    fail_expression(expression, "is no integer, size or [operator, ...]");
  if (IS("stride")) {
    const json_t *place = item(expression, 2);
    name = json_string_value(item(expression, 1));
    const struct memory *argument = find_memory(e, name);
    long long dimension = json_integer_value(place);
    if (e->scope == SIZES || !argument || !json_is_integer(place) ||
        dimension < 0 || dimension >= (long long)argument->rank)
      fail_expression(expression, "is no stride known here");
    return argument->strides[dimension];
  }
  const json_t *second = item(expression, 2);
  long long a = evaluate(e, item(expression, 1), is_live);
  bool is_needed = IS("or") ? !a : a || !(IS("and") || IS("select"));
  long long b = evaluate(e, second, is_live && is_needed), c = 0;
  if (IS("select"))
    c = evaluate(e, item(expression, 3), is_live && !a);
  if (is_live && b == 0 && (IS("floordiv") || IS("ceildiv") || IS("mod")))
    fail_expression(expression, "divides by zero");

  /* In 128 bits nothing overflows. The rest has the divisor's sign. */
  const wide x = a, y = b, divisor = b ? b : 1;
  const wide rest = (x % divisor + divisor) % divisor;
  const wide quotient = (x - rest) / divisor; /* rounded down */
  const wide unknown = (wide)1 << 126;
  const wide value = IS("add")        ? x + y
                     : IS("sub")      ? x - y
                     : IS("mul")      ? x * y
                     : IS("floordiv") ? quotient
                     : IS("ceildiv")  ? quotient + (rest != 0)
                     : IS("mod")      ? rest
                     : IS("min")      ? (x < y ? x : y)
                     : IS("max")      ? (x > y ? x : y)
                     : IS("eq")       ? x == y
                     : IS("ne")       ? x != y
                     : IS("lt")       ? x < y
                     : IS("le")       ? x <= y
                     : IS("gt")       ? x > y
                     : IS("ge")       ? x >= y
                     : IS("and")      ? x && y
                     : IS("or")       ? x || y
                     : IS("select")   ? (x ? b : c)
                                      : unknown;
#undef IS
  if (value == unknown)
    fail_expression(expression, "is no integer, size or [operator, ...]");
  if (is_live && value != (long long)value)
    fail_expression(expression, "overflows 64 bits");
  return is_live ? (long long)value : 0;
}

/* The same within bounds; `least` where the entry is not live. */
static long long number(const struct entry *e, const json_t *expression,
                        long long least, long long most, const char *what) {
  long long value = evaluate(e, expression, e->is_live);
  return e->is_live ? in_range(value, least, most, what) : least;
}

/* ---- The plan's entry ---- */

static void read_argument(struct entry *e, json_t *json);
static void bind_arguments(struct entry *e, char **files, size_t given);
static void read_contents(const struct entry *e, const struct memory *of);
static void read_steps(struct entry *e, const json_t *steps);
static void read_tensor_maps(struct entry *e, const json_t *maps);

/* An argument or a buffer. */
static struct memory *add_memory(struct entry *e, const json_t *json) {
  struct memory *memory = &e->memories[e->memory_count];
  const char *name = text(json, "name");
  long long alignment = integer(json, "alignment", 1, 1 << 20);
  if (find_memory(e, name))
    fail("the name '%s' stands twice", name);
  if (alignment & (alignment - 1))
    fail("alignment %lld is no power of two", alignment);
  memory->name = name;
  memory->alignment = alignment;
  ++e->memory_count;
  return memory;
}

/* Files are for an entry that is live. */
static void read_entry(struct entry *e, json_t *json, char **files,
                       size_t given) {
  json_t *element;
  size_t i;
  at("%s: an entry", e->path);
  expect(json, "name sizes arguments requirements buffers tensor_maps steps");
  json_t *sizes = array(json, "sizes"), *arguments = array(json, "arguments"),
         *buffers = array(json, "buffers"), *maps = array(json, "tensor_maps");
  e->name = text(json, "name");
  e->sizes = allocate(json_array_size(sizes), sizeof(struct size));
  e->memories = allocate(json_array_size(arguments) + json_array_size(buffers),
                         sizeof(struct memory));
  e->maps = allocate(json_array_size(maps), sizeof(struct tensor_map));

  json_array_foreach(sizes, i, element) {
    const char *name = json_string_value(element);
    at("%s: %s, size %zu", e->path, e->name, i);
    if (!name || strcmp(name, "multiprocessors") == 0 || find_size(e, name))
      fail("is no name of its own");
    e->sizes[e->size_count++].name = name;
  }
  json_array_foreach(arguments, i, element) {
    at("%s: %s, argument %zu", e->path, e->name, i);
    read_argument(e, element);
  }
  at("%s: %s", e->path, e->name);
  if (e->is_live)
    bind_arguments(e, files, given);
  for (i = 0; i < e->argument_count; ++i) {
    at("%s: %s, argument '%s'", e->path, e->name, e->memories[i].name);
    read_contents(e, &e->memories[i]);
  }
  e->scope = STRIDES;
  json_array_foreach(array(json, "requirements"), i, element) {
    at("%s: %s, requirement %zu", e->path, e->name, i);
    expect(element, "condition message");
    const char *message = text(element, "message");
    json_t *condition = get(element, "condition");
    if (!evaluate(e, condition, e->is_live) && e->is_live)
      fail("not met: %s", message);
  }
  e->scope = EVERYTHING;
  json_array_foreach(buffers, i, element) {
    at("%s: %s, buffer %zu", e->path, e->name, i);
    expect(element, "name bytes alignment");
    json_t *bytes = get(element, "bytes");
    add_memory(e, element)->bytes = number(e, bytes, 0, LLONG_MAX, "bytes");
  }
  json_array_foreach(maps, i, element) {
    const char *name = json_string_value(get(element, "name"));
    at("%s: %s, tensor map %zu", e->path, e->name, i);
    if (!name || find_map(e, name))
      fail("has no name of its own");
    e->maps[e->map_count++].name = name;
  }
  read_steps(e, array(json, "steps"));
  read_tensor_maps(e, maps);
}

/* ---- Arguments ---- */

static void read_npy(const char *path, struct memory *argument);

static const struct type *find_type(const char *name) {
  for (size_t i = 0; i < sizeof(types) / sizeof(*types); ++i)
    if (strcmp(types[i].name, name) == 0)
      return &types[i];
  fail("unknown type '%s'", name);
}

static void read_argument(struct entry *e, json_t *json) {
  expect(json, "name role type shape strides alignment contents?");
  struct memory *argument = add_memory(e, json);
  const char *role = text(json, "role"), *strides = text(json, "strides");
  argument->type = find_type(text(json, "type"));
  argument->contents = get(json, "contents");
  argument->is_output = strcmp(role, "output") == 0;
  argument->is_contiguous = strcmp(strides, "contiguous") == 0;
  if (!argument->is_output && strcmp(role, "input") != 0)
    fail("unknown role '%s'", role);
  if (!argument->is_contiguous && strcmp(strides, "rows") != 0)
    fail("unknown strides '%s'", strides);
  if (!argument->is_output && e->input_count++ != e->argument_count)
    fail("an input stands behind an output");
  ++e->argument_count;
  argument->shape = array(json, "shape");
  argument->rank = json_array_size(argument->shape);
  if (argument->rank > 16)
    fail("has more than 16 dimensions");
  for (size_t i = 0; i < argument->rank; ++i)
    evaluate(e, item(argument->shape, i), false);
}

/* Loads the inputs, binds the sizes, and settles all shapes and strides. A
 * runtime takes the shapes and strides of its tensors here. */
static void bind_arguments(struct entry *e, char **files, size_t given) {
  if (given != e->input_count)
    fail("takes %zu inputs, found %zu --arg", e->input_count, given);
  for (size_t i = 0; i < given; ++i) {
    struct memory *argument = &e->memories[i];
    at("%s: argument '%s'", files[i], argument->name);
    read_npy(files[i], argument);
    for (size_t j = 0; j < argument->rank; ++j) {
      json_t *extent = item(argument->shape, j);
      struct size *size = find_size(e, json_string_value(extent));
      if (size && size->value == 0)
        size->value = argument->extents[j];
    }
  }
  for (size_t i = 0; i < e->size_count; ++i)
    if (e->sizes[i].value == 0)
      fail("no input binds size '%s'", e->sizes[i].name);
  for (size_t i = 0; i < e->argument_count; ++i) {
    struct memory *argument = &e->memories[i];
    at("argument '%s'", argument->name);
    argument->bytes = argument->type->bytes;
    for (size_t j = argument->rank; j-- > 0;) {
      long long stride = argument->bytes; /* row-major, as the files are */
      long long extent =
          number(e, item(argument->shape, j), 1, LLONG_MAX, "an extent");
      if (argument->is_output)
        argument->extents[j] = extent;
      if (argument->extents[j] != extent)
        fail("extent %zu is %lld, expected %lld", j, argument->extents[j],
             extent);
      if (!argument->is_contiguous && j + 1 < argument->rank && extent > 1 &&
          stride % argument->alignment != 0)
        fail("stride %zu is %lld bytes, no multiple of %lld", j, stride,
             argument->alignment);
      argument->strides[j] = stride / argument->type->bytes;
      argument->bytes = multiply(stride, extent);
    }
    if (argument->is_output)
      argument->host = allocate((size_t)argument->bytes, 1);
  }
}

/* ---- Contents ---- */

/* In each row, place j holds an index of j's segment, each once. */
static void check_permutation(const struct memory *of, long long segment) {
  const int32_t *values = (const int32_t *)of->host;
  long long rows = of->extents[0] * of->extents[1], length = of->extents[2];
  bool *seen = allocate((size_t)length, sizeof(*seen));
  for (long long row = 0; row < rows; ++row, values += length) {
    memset(seen, 0, (size_t)length);
    for (long long j = 0; j < length; ++j) {
      long long begin = j - j % segment, value = values[j];
      bool is_tail = segment > length - begin;
      if ((is_tail && value != j) || value < begin ||
          value - begin >= segment || seen[value])
        fail("row %lld, place %lld holds %lld, which breaks the permutation",
             row, j, value);
      seen[value] = true;
    }
  }
}

/* An argument that contents are of, or name; it has values if `of` has. */
static const struct memory *named(const struct entry *e,
                                  const struct memory *of, const char *name,
                                  const char *type, size_t rank) {
  const struct memory *found = find_memory(e, name);
  if (!found || strcmp(found->type->name, type) != 0 || found->rank != rank ||
      (found->is_output && !of->is_output))
    fail("contents need '%s' to be %s with %zu dimensions", name, type, rank);
  return found;
}

static void read_selection(const struct entry *e, const struct memory *of,
                           bool is_checked) {
  json_t *json = of->contents, *causal = get(json, "causal");
  expect(json, "kind indices query_block key_block query_length key_length "
               "causal permutation? window?");
  const struct memory *indices = named(e, of, text(json, "indices"), "u16", 4),
                      *orders = NULL;
  long long query_block = integer(json, "query_block", 1, INT32_MAX);
  long long key_block = integer(json, "key_block", 1, INT32_MAX);
  long long queries =
      number(e, get(json, "query_length"), 1, INT32_MAX, "query_length");
  long long keys =
      number(e, get(json, "key_length"), 1, INT32_MAX, "key_length");
  long long window = LLONG_MAX, group = 1;
  if (!json_is_boolean(causal))
    fail("'causal' is no boolean");
  if (get(json, "window"))
    window = integer(json, "window", 1, LLONG_MAX);
  if (get(json, "permutation"))
    orders = named(e, of, text(json, "permutation"), "i32", 3);
  if (!is_checked)
    return;

  const long long *extents = of->extents;
  long long blocks = extents[2], capacity = indices->extents[3];
  bool fits = memcmp(extents, indices->extents, 3 * sizeof(*extents)) == 0 &&
              extents[3] == 2 && blocks == (queries - 1) / query_block + 1;
  if (orders) {
    group = extents[1] / orders->extents[1];
    fits &= orders->extents[0] == extents[0] && orders->extents[2] == keys &&
            orders->extents[1] * group == extents[1];
  }
  if (!fits)
    fail("contents name arguments of other shapes");
  for (long long row = 0; row < extents[0] * extents[1] * blocks; ++row) {
    long long head = row / blocks, block = row % blocks; /* over all batches */
    char place[128];
    snprintf(place, sizeof(place), "batch %lld, head %lld, query block %lld",
             head / extents[1], head % extents[1], block);
    const int32_t *count = (const int32_t *)of->host + 2 * row, *order = NULL;
    const uint16_t *list = (const uint16_t *)indices->host + capacity * row;
    if (orders)
      order = (const int32_t *)orders->host + head / group * keys;
    long long whole = count[0], listed = whole + count[1];
    if (whole < 0 || listed < whole || listed > capacity ||
        listed > (keys - 1) / key_block + 1)
      fail("%s counts %d whole and %d masked blocks", place, count[0],
           count[1]);
    /* The positions of the block's first and last query. */
    long long first = block * query_block + keys - queries;
    long long last =
        (keys - first < query_block ? keys : first + query_block) - 1;
    bool seen[65536] = {false};
    for (long long i = 0; i < capacity; seen[list[i++]] = true) {
      long long begin = list[i] * key_block, end = begin + key_block;
      bool is_sound = list[i] == 65535;
      if (i < listed)
        is_sound = begin < keys && !seen[list[i]] &&
                   (i == 0 || i == whole || list[i] > list[i - 1]) &&
                   (i >= whole || end <= keys);
      for (long long j = begin; i < whole && is_sound && j < end; ++j) {
        long long key = order ? order[j] : j;
        is_sound =
            (json_is_false(causal) || key <= first) && last - key < window;
      }
      if (!is_sound)
        fail("%s: place %lld lists block %d", place, i, list[i]);
    }
  }
}

/* Checks what an input holds, since the kernels trust it. What an output holds,
 * they promise. */
static void read_contents(const struct entry *e, const struct memory *of) {
  json_t *json = of->contents;
  bool is_checked = e->is_live && !of->is_output;
  if (!json)
    return;
  const char *kind = text(json, "kind");
  if (strcmp(kind, "permutation") == 0) {
    expect(json, "kind segment");
    named(e, of, of->name, "i32", 3);
    long long segment = integer(json, "segment", 1, INT32_MAX);
    if (is_checked)
      check_permutation(of, segment);
  } else if (strcmp(kind, "selection_counts") == 0) {
    named(e, of, of->name, "i32", 4);
    read_selection(e, of, is_checked);
  } else if (strcmp(kind, "selection_indices") == 0) {
    expect(json, "kind counts");
    named(e, of, of->name, "u16", 4);
    named(e, of, text(json, "counts"), "i32", 4); /* with which it is checked */
  } else {
    fail("unknown contents '%s'", kind);
  }
}

/* ---- Steps ---- */

/* The argument or buffer that a key names. */
static struct memory *target(const struct entry *e, const json_t *json,
                             const char *key) {
  struct memory *memory = find_memory(e, text(json, key));
  if (!memory)
    fail("no argument or buffer '%s'", text(json, key));
  return memory;
}

static void read_tensor_map(const struct entry *e, json_t *json,
                            struct tensor_map *map) {
  static const CUtensorMapSwizzle swizzles[] = {
      CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_SWIZZLE_32B,
      CU_TENSOR_MAP_SWIZZLE_64B, CU_TENSOR_MAP_SWIZZLE_NONE,
      CU_TENSOR_MAP_SWIZZLE_128B};
  const cuuint32_t steps[] = {1, 1, 1, 1, 1};
  cuuint64_t extents[5], byte_strides[5]; /* the first stride is implied */
  cuuint32_t box[5];
  expect(json, "name tensor offset? type shape strides box swizzle");
  json_t *shape = array(json, "shape"), *strides = array(json, "strides"),
         *boxes = array(json, "box"), *offset = get(json, "offset");
  const struct memory *memory = target(e, json, "tensor");
  const struct type *type = find_type(text(json, "type"));
  long long swizzle = integer(json, "swizzle", 0, 128), base = 0;
  long long stride = type->bytes, reach = stride;
  size_t rank = json_array_size(shape);
  if (rank < 1 || rank > 5 || json_array_size(boxes) != rank ||
      json_array_size(strides) != rank - 1)
    fail("shape, strides and box have lengths that do not fit");
  if (swizzle != 0 && swizzle != 32 && swizzle != 64 && swizzle != 128)
    fail("swizzle %lld is not 0, 32, 64 or 128", swizzle);
  if (offset)
    base = number(e, offset, 0, memory->bytes, "offset");
  if (base % 16 != 0)
    fail("offset %lld is no multiple of 16", base);
  for (size_t i = 0; i < rank; ++i) {
    if (i > 0)
      stride = number(e, item(strides, i - 1), 0, LLONG_MAX, "stride");
    if (i > 0 && stride % 16 != 0)
      fail("stride %lld is no multiple of 16", stride);
    long long extent = number(e, item(shape, i), 1, LLONG_MAX, "extent");
    long long moved = json_integer_value(item(boxes, i));
    if (__builtin_add_overflow(reach, multiply(extent - 1, stride), &reach))
      fail("reaches beyond 64 bits");
    extents[i] = (cuuint64_t)extent;
    byte_strides[i] = (cuuint64_t)stride;
    box[i] = (cuuint32_t)in_range(moved, 1, 256, "extent of the box");
  }
  if (e->is_live && reach > memory->bytes - base)
    fail("%lld bytes from %lld are outside '%s', which has %lld", reach, base,
         memory->name, memory->bytes);
  if (e->module && e->is_live)
    check(cuTensorMapEncodeTiled(
        &map->encoded, type->in_map, (cuuint32_t)rank,
        (void *)(uintptr_t)(memory->address + (CUdeviceptr)base), extents,
        byte_strides + 1, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
        swizzles[swizzle / 32], CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
        CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE));
}

static void read_memset(const struct entry *e, json_t *json) {
  expect(json, "buffer value bytes");
  const json_t *count = get(json, "bytes");
  struct memory *set = target(e, json, "buffer");
  if (set->type && !(set->is_output && set->is_contiguous))
    fail("'%s' is no buffer or contiguous output", set->name);
  long long value = integer(json, "value", 0, 255);
  long long bytes = number(e, count, 0, set->bytes, "bytes");
  if (e->module && e->is_live)
    check(cuMemsetD8Async(set->address, (unsigned char)value, (size_t)bytes,
                          e->stream));
}

struct parameter {
  size_t bytes;
  const void *at; /* the value, or a tensor map */
  union {
    CUdeviceptr pointer;
    int32_t i32;
    long long i64;
    float f32;
  } value;
};

static void read_parameter(const struct entry *e, json_t *json,
                           struct parameter *parameter) {
  const json_t *value;
  parameter->bytes = 8;
  parameter->at = &parameter->value;
  if (get(json, "pointer")) {
    expect(json, "pointer offset?");
    const struct memory *memory = target(e, json, "pointer");
    parameter->value.pointer = memory->address;
    if ((value = get(json, "offset")))
      parameter->value.pointer +=
          (CUdeviceptr)number(e, value, 0, memory->bytes, "offset");
  } else if ((value = get(json, "i64"))) {
    expect(json, "i64");
    parameter->value.i64 = evaluate(e, value, e->is_live);
  } else if ((value = get(json, "i32"))) {
    expect(json, "i32");
    parameter->bytes = 4;
    parameter->value.i32 =
        (int32_t)number(e, value, INT32_MIN, INT32_MAX, "i32");
  } else if ((value = get(json, "f32"))) {
    expect(json, "f32");
    parameter->bytes = 4;
    parameter->value.f32 = (float)json_number_value(value);
    if (!json_is_number(value) || !isfinite(parameter->value.f32))
      fail("'f32' is no number that fits");
  } else if (get(json, "tensor_map")) {
    expect(json, "tensor_map");
    struct tensor_map *map = find_map(e, text(json, "tensor_map"));
    if (!map)
      fail("no tensor map '%s'", text(json, "tensor_map"));
    map->is_used |= e->is_live;
    parameter->bytes = sizeof(map->encoded);
    parameter->at = &map->encoded;
  } else {
    fail("a parameter is none of pointer, i32, i64, f32, tensor_map");
  }
}

static json_t *three(const json_t *json, const char *key) {
  if (json_array_size(array(json, key)) != 3)
    fail("'%s' has not three elements", key);
  return get(json, key);
}

/* Reads three integers from 1 with a limited product, which is returned. */
static long long read_block(const json_t *json, const char *key, long long most,
                            unsigned *block) {
  long long product = 1;
  for (size_t i = 0; i < 3; ++i) {
    long long extent = json_integer_value(item(three(json, key), i));
    product *= in_range(extent, 1, most, key);
    block[i] = (unsigned)extent;
  }
  return in_range(product, 1, most, key);
}

/* Launches a kernel of the module. */
static void launch(const struct entry *e, const char *kernel,
                   CUlaunchConfig *config, const struct parameter *parameters,
                   size_t count) {
  void **values = allocate(count, sizeof(*values));
  CUfunction function;
  at("%s: %s, kernel '%s'", e->path, e->name, kernel);
  check(cuModuleGetFunction(&function, e->module, kernel));
  /* The driver reads what the kernel takes, so the plan has to give that. */
  for (size_t i = 0; i <= count; ++i) {
    size_t offset, bytes, given = i < count ? parameters[i].bytes : 0;
    if (cuFuncGetParamInfo(function, i, &offset, &bytes) != CUDA_SUCCESS)
      bytes = 0;
    if (bytes != given)
      fail("parameter %zu has %zu bytes, the plan gives %zu", i, bytes, given);
    if (i < count)
      values[i] = (void *)(uintptr_t)parameters[i].at;
  }
  if (config->sharedMemBytes > 49152)
    check(cuFuncSetAttribute(function,
                             CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                             (int)config->sharedMemBytes));
  check(cuLaunchKernelEx(config, function, values, NULL));
}

static void read_launch(struct entry *e, json_t *json) {
  static const char *const names[] = {"grid x", "grid y", "grid z"};
  unsigned grid[3], block[3], cluster[] = {1, 1, 1};
  bool has_cluster = false;
  expect(json,
         "kernel grid block cluster? shared_bytes attributes? parameters");
  json_t *ctas = three(json, "grid"), *parameters = array(json, "parameters"),
         *shared = get(json, "shared_bytes"),
         *attributes = get(json, "attributes"), *early = NULL;
  size_t count = json_array_size(parameters);
  read_block(json, "block", 1024, block);
  if (get(json, "cluster"))
    has_cluster = read_block(json, "cluster", 16, cluster) > 1;
  for (size_t i = 0; i < 3; ++i) {
    grid[i] =
        (unsigned)number(e, item(ctas, i), 0, i ? 65535 : INT32_MAX, names[i]);
    if (grid[i] % cluster[i] != 0)
      fail("%s is %u, no multiple of %u", names[i], grid[i], cluster[i]);
  }
  if (!grid[0] || !grid[1] || !grid[2])
    e->is_live = false; /* for the rest of the step */
  if (attributes) {
    expect(attributes, "programmatic_stream_serialization?");
    early = get(attributes, "programmatic_stream_serialization");
  }
  if (early && !json_is_boolean(early))
    fail("'programmatic_stream_serialization' is no boolean");
  long long bytes = number(e, shared, 0, INT32_MAX, "shared_bytes");
  struct parameter *values = allocate(count, sizeof(*values));
  for (size_t i = 0; i < count; ++i)
    read_parameter(e, item(parameters, i), &values[i]);

  CUlaunchAttribute list[] = {
      {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION,
       .value.clusterDim = {cluster[0], cluster[1], cluster[2]}},
      {.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
       .value.programmaticStreamSerializationAllowed = 1}};
  CUlaunchConfig config = {.gridDimX = grid[0],
                           .gridDimY = grid[1],
                           .gridDimZ = grid[2],
                           .blockDimX = block[0],
                           .blockDimY = block[1],
                           .blockDimZ = block[2],
                           .sharedMemBytes = (unsigned)bytes,
                           .hStream = e->stream,
                           .attrs = has_cluster ? list : list + 1,
                           .numAttrs = has_cluster + json_is_true(early)};
  const char *kernel = text(json, "kernel");
  if (e->module && e->is_live)
    launch(e, kernel, &config, values, count);
}

/* Which maps are used is known behind the steps. */
static void read_tensor_maps(struct entry *e, const json_t *maps) {
  const bool is_live = e->is_live;
  for (size_t i = 0; i < e->map_count; ++i) {
    at("%s: %s, tensor map '%s'", e->path, e->name, e->maps[i].name);
    e->is_live = e->maps[i].is_used;
    read_tensor_map(e, item(maps, i), &e->maps[i]);
  }
  e->is_live = is_live;
}

static void read_steps(struct entry *e, const json_t *steps) {
  const bool is_live = e->is_live;
  json_t *step;
  size_t i;
  json_array_foreach(steps, i, step) {
    at("%s: %s, step %zu", e->path, e->name, i);
    expect(step, "guard? memset? launch?");
    json_t *guard = get(step, "guard"), *set = get(step, "memset"),
           *launch = get(step, "launch");
    if (!set == !launch)
      fail("expected one of memset and launch");
    if (guard && !evaluate(e, guard, is_live))
      e->is_live = false;
    if (set)
      read_memset(e, set);
    else
      read_launch(e, launch);
    e->is_live = is_live;
  }
}

/* ---- The GPU ---- */

/* The driver assembles the PTX, which lies beside the plan. */
static CUmodule load_module(const char *plan, const char *ptx, const char *chip,
                            const char *version) {
  const char *slash = strrchr(plan, '/');
  int folder = slash ? (int)(slash - plan) + 1 : 0;
  char path[4096], log[2048] = "";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER,
                            CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, (void *)(uintptr_t)sizeof(log)};
  CUmodule module;
  size_t bytes;
  snprintf(path, sizeof(path), "%.*s%s", folder, plan, ptx);
  at("%s", path);
  char *content = read_file(path, &bytes);
  CUresult result = cuModuleLoadDataEx(&module, content, 2, options, values);
  at("%s (PTX %s for %s)%s%s", path, version, chip, *log ? ": " : "", log);
  check(result);
  return module;
}

/* Memory, all steps again, and outputs back to the host, in one stream. */
static void run(struct entry *e, const json_t *json) {
  at("%s: the stream", e->path);
  check(cuStreamCreate(&e->stream, CU_STREAM_NON_BLOCKING));
  for (size_t i = 0; i < e->memory_count; ++i) {
    struct memory *memory = &e->memories[i];
    CUdeviceptr mask = (CUdeviceptr)memory->alignment - 1;
    size_t bytes = (size_t)memory->bytes;
    at("%s: '%s' of %zu bytes", e->path, memory->name, bytes);
    check(cuMemAlloc(&memory->allocation, bytes + mask + 1));
    memory->address = (memory->allocation + mask) & ~mask;
    if (i < e->input_count)
      check(cuMemcpyHtoDAsync(memory->address, memory->host, bytes, e->stream));
  }
  read_tensor_maps(e, array(json, "tensor_maps"));
  read_steps(e, array(json, "steps"));
  at("%s: running %s", e->path, e->name);
  for (size_t i = e->input_count; i < e->argument_count; ++i) {
    struct memory *output = &e->memories[i];
    check(cuMemcpyDtoHAsync(output->host, output->address,
                            (size_t)output->bytes, e->stream));
  }
  check(cuStreamSynchronize(e->stream));
  for (size_t i = 0; i < e->memory_count; ++i)
    check(cuMemFree(e->memories[i].allocation));
  check(cuStreamDestroy(e->stream));
}

/* ---- .npy files ---- */

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
  if (magnitude < 0x38800000) { /* below 2^-14: multiples of 2^-24, as are */
    float value;                /* the numbers from 0.5 */
    memcpy(&value, &magnitude, 4);
    value += 0.5f;
    memcpy(&magnitude, &value, 4);
    return (uint16_t)(sign | (magnitude - 0x3f000000));
  }
  magnitude += 0xfff + (magnitude >> 13 & 1);
  return (uint16_t)(sign | (magnitude - 0x38000000) >> 13);
}

/* Reads an input's extents and values, and rounds f32 to bf16 and f16. */
static void read_npy(const char *path, struct memory *argument) {
  const char *wanted = argument->type->npy, *name = argument->type->name;
  size_t length, rank = 0;
  unsigned char *file = (unsigned char *)read_file(path, &length);
  argument->host = file;
  if (length <= 10 || memcmp(file, "\x93NUMPY\1", 7) != 0)
    fail("the file is not .npy of version 1");
  size_t start = 10u + file[8] + 256u * file[9];
  if (start == 10 || start > length)
    fail("the file has no header");
  file[start - 1] = '\0'; /* the end of the header's line */
  char type[4] = "", order[6] = "", *shape = (char *)file + 10;
  int skipped = 0;
  sscanf(shape, "{'descr': '%3[^']', 'fortran_order': %5[a-zA-Z], 'shape': (%n",
         type, order, &skipped);
  if (skipped == 0)
    fail("the file's header is not as NumPy writes it");
  if (strcmp(name, "f16") == 0 && strcmp(type, "<f4") == 0)
    wanted = "<f4";
  if (strcmp(type, wanted) != 0)
    fail("takes %s for %s, the file holds %s", argument->type->npy, name, type);
  if (strcmp(order, "False") != 0)
    fail("the file is in Fortran's order");
  shape += skipped;
  long long bytes = wanted[2] - '0';
  for (char *end; *shape && *shape != ')'; shape = end + strspn(end, ", ")) {
    long long extent = strtoll(shape, &end, 10);
    if (extent < 1 || rank == 16)
      fail("extent %zu is %lld", rank, extent);
    argument->extents[rank++] = extent;
    bytes = multiply(bytes, extent);
  }
  if (rank != argument->rank)
    fail("has %zu dimensions, the file %zu", argument->rank, rank);
  if ((size_t)bytes != length - start)
    fail("the file has more or fewer bytes than its header says");

  memmove(file, file + start, (size_t)bytes);
  bool is_rounded = strcmp(wanted, "<f4") == 0 && argument->type->bytes == 2;
  for (long long i = 0; is_rounded && i < bytes / 4; ++i) {
    uint32_t bits;
    memcpy(&bits, file + 4 * i, 4);
    uint16_t half = *name == 'b' ? to_bf16(bits) : to_f16(bits);
    memcpy(file + 2 * i, &half, 2);
  }
  for (long long i = 0; *wanted == '|' && i < bytes; ++i)
    if (file[i] > 1)
      fail("the file holds a bool other than 0 and 1");
}

/* Writes an output, bf16 as f32. If that fails no file is left. */
static void write_npy(const char *path, const struct memory *output) {
  char header[512];
  int length = snprintf(header, sizeof(header),
                        "{'descr': '%s', 'fortran_order': False, 'shape': (",
                        output->type->npy);
  for (size_t i = 0; i < output->rank; ++i)
    length += snprintf(header + length, sizeof(header) - (size_t)length,
                       "%lld, ", output->extents[i]);
  at("%s", path);
  FILE *file = fopen(path, "wb");
  if (!file)
    fail("cannot be opened");
  /* A header's length, 502 = 0x1f6 here, makes 10 more a multiple of 64. */
  fwrite("\x93NUMPY\1\0\xf6\1", 1, 10, file);
  fprintf(file, "%s), }%*s\n", header, 502 - 5 - length, "");
  bool is_bf16 = strcmp(output->type->name, "bf16") == 0;
  for (long long i = 0; is_bf16 && i < output->bytes; i += 2) {
    const unsigned char *half = output->host + i;
    fwrite((unsigned char[]){0, 0, half[0], half[1]}, 1, 4, file);
  }
  if (!is_bf16)
    fwrite(output->host, 1, (size_t)output->bytes, file);
  bool has_failed = ferror(file) != 0;
  has_failed |= fclose(file) != 0;
  struct stat status;
  if (has_failed && stat(path, &status) == 0 && S_ISREG(status.st_mode))
    remove(path);
  if (has_failed)
    fail("cannot be written");
}

/* ---- main() ---- */

int main(int word_count, char **words) {
  char **files = allocate((size_t)word_count, sizeof(*files));
  char **results = allocate((size_t)word_count, sizeof(*results));
  size_t file_count = 0, result_count = 0, i;
  at("usage: launch_plan PLAN.json ENTRY --arg=FILE.npy --result=FILE.npy ...");
  if (word_count < 3)
    fail("found no plan and entry");
  for (char **word = words + 3; *word; ++word)
    if (strncmp(*word, "--arg=", 6) == 0)
      files[file_count++] = *word + 6;
    else if (strncmp(*word, "--result=", 9) == 0)
      results[result_count++] = *word + 9;
    else
      fail("unknown option '%s'", *word);

  CUdevice device;
  CUcontext context;
  int multiprocessors;
  at("the first GPU");
  check(cuInit(0));
  check(cuDeviceGet(&device, 0));
  check(cuDeviceGetAttribute(&multiprocessors,
                             CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device));

  const char *path = words[1], *name = words[2];
  json_t *plan = load_plan(path), *file = get(plan, "module"), *found = NULL,
         *element;
  struct entry entry = {.name = NULL};
  expect(file, "ptx cubin? chip ptx_version");
  const char *ptx = text(file, "ptx"), *chip = text(file, "chip"),
             *version = text(file, "ptx_version");
  if (get(file, "cubin"))
    text(file, "cubin"); /* The PTX will do. */
  if (!*ptx || strchr(ptx, '/'))
    fail("the PTX is not a file beside the plan");
  json_array_foreach(array(plan, "entries"), i, element) { /* Check all. */
    struct entry e = {.path = path, .multiprocessors = multiprocessors};
    const char *own = json_string_value(get(element, "name"));
    e.is_live = own && strcmp(own, name) == 0;
    at("%s", path);
    if (e.is_live && found)
      fail("entry '%s' stands twice", name);
    read_entry(&e, element, files, file_count);
    if (e.is_live) {
      entry = e;
      found = element;
    }
  }
  at("%s", path);
  if (!found)
    fail("no entry '%s'", name);
  size_t output_count = entry.argument_count - entry.input_count;
  if (result_count > output_count)
    fail("%s has %zu outputs, found %zu --result", name, output_count,
         result_count);

  at("the first GPU");
  check(cuDevicePrimaryCtxRetain(&context, device));
  check(cuCtxSetCurrent(context));
  entry.module = load_module(path, ptx, chip, version);
  run(&entry, found);
  check(cuModuleUnload(entry.module));
  check(cuDevicePrimaryCtxRelease(device));
  for (i = 0; i < result_count; ++i)
    write_npy(results[i], &entry.memories[entry.input_count + i]);
  json_decref(plan);
  release();
  return 0;
}
