/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Runs a launch plan (docs/plan-format.md) with nothing but the CUDA driver API
 * and a JSON reader: a pattern for taking compiled attention into a runtime of
 * one's own. It goes through a plan in this order:
 *
 *   load_plan       JSON to structures
 *   bind_arguments  sizes from the shapes of the inputs, shapes of the outputs
 *   check_contents  values that the kernels trust
 *   resolve         every expression to a number, before anything is allocated
 *   run             memory, tensor maps, memsets and launches in one stream
 */

#include "contents.h"
#include "npy.h"
#include "plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { max_files = 64 };

static void check(CUresult result, const char *what) {
  if (result == CUDA_SUCCESS)
    return;
  const char *name = NULL, *text = NULL;
  cuGetErrorName(result, &name);
  cuGetErrorString(result, &text);
  fail("%s: %s (%s)", what, name ? name : "unknown error", text ? text : "?");
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
      /* All arrays are row-major here; of extent 1, a stride says nothing. */
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

static CUmodule load_module(const char *plan_path, const struct module *names) {
  const char *slash = strrchr(plan_path, '/');
  int folder = slash ? (int)(slash - plan_path) + 1 : 0;
  char path[4096], log[4096] = "", what[8400];
  snprintf(path, sizeof(path), "%.*s%s", folder, plan_path, names->ptx);
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
  snprintf(what, sizeof(what), "%s (PTX %s for %s)%s%s", path,
           names->ptx_version, names->chip, *log ? ": " : "", log);
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

/* Finds a kernel, and checks that it takes what the plan gives. */
static void find_kernel(struct step *step, CUmodule module) {
  static const size_t bytes[] = {
      [POINTER] = 8, [I32] = 4, [I64] = 8, [F32] = 4, [TENSOR_MAP] = 128};
  check(cuModuleGetFunction(&step->function, module, step->kernel),
        step->kernel);
  for (size_t i = 0; i <= step->parameter_count; ++i) {
    size_t offset = 0, found = 0;
    bool is_there =
        cuFuncGetParamInfo(step->function, i, &offset, &found) == CUDA_SUCCESS;
    if (is_there != (i < step->parameter_count) ||
        (is_there && found != bytes[step->parameters[i].kind]))
      fail("%s: the plan does not give what the kernel takes as parameter %zu",
           step->kernel, i);
  }
  if (step->bytes > 48 * 1024)
    check(cuFuncSetAttribute(step->function,
                             CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                             (int)step->bytes),
          step->kernel);
}

static void launch(struct step *step, CUstream stream) {
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
  check(cuLaunchKernelEx(&config, step->function, parameters, NULL),
        step->kernel);
  free(parameters);
}

/* Everything on the GPU, in one stream; outputs come back to the host. */
static void run(struct entry *entry, CUmodule module) {
  CUstream stream;
  for (size_t i = 0; i < entry->step_count; ++i)
    if (!entry->steps[i].set && !entry->steps[i].is_left_out)
      find_kernel(&entry->steps[i], module);
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
      launch(step, stream);
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
  struct module names = {0};
  json_t *plan = load_plan(path, words[2], &entry, &names);
  if (results.count > entry.argument_count - entry.input_count)
    fail("%s: %s has %zu outputs, found %zu --result", path, entry.name,
         entry.argument_count - entry.input_count, results.count);
  bind_arguments(&entry, inputs.paths, inputs.count, path);
  check_contents(&entry, path);

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
  CUmodule module = load_module(path, &names);
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
