/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Runs a compiled prefill, (q, k, v) -> (out, lse) in bf16, on random data:
 *
 *     run_prefill PLAN.json DEVICE LENGTH
 */

#include <pbs_runtime.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { maximum_arguments = 8, maximum_rank = 8 };

/* Everything that is freed at the end, whatever happened. */
struct program {
  pbs_device *device;
  pbs_executable *executable;
  pbs_graph *graph;
  pbs_event *start, *end;
  size_t count;
  pbs_tensor arguments[maximum_arguments];
  int64_t shapes[maximum_arguments][maximum_rank];
  /* What went wrong outside of the library, if anything. */
  const char *problem;
};

/* Leaves the function with the status of a call that fails. */
#define TRY(call)                                                              \
  do {                                                                         \
    pbs_status status = call;                                                  \
    if (status != PBS_SUCCESS)                                                 \
      return status;                                                           \
  } while (0)

static uint64_t element_count(const pbs_tensor *tensor) {
  uint64_t count = 1;
  for (int32_t i = 0; i < tensor->rank; ++i)
    count *= (uint64_t)tensor->shape[i];
  return count;
}

/* About as many bits of chance as a bf16 has, in (-1, 1). */
static uint16_t random_bf16(void) {
  float value = (float)rand() / (float)RAND_MAX * 2 - 1;
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return (uint16_t)(bits >> 16);
}

/* Allocates tensor `index` and, if it is an input, fills it. */
static pbs_status allocate(struct program *program, size_t index) {
  pbs_tensor *tensor = &program->arguments[index];
  uint64_t count = element_count(tensor);
  tensor->bytes = count * (tensor->type == PBS_F32 ? 4 : 2);
  TRY(pbs_allocate(program->device, tensor->bytes, &tensor->address));
  if (index >= pbs_input_count(program->executable))
    return PBS_SUCCESS;
  uint16_t *data = malloc(tensor->bytes);
  if (!data) {
    program->problem = "out of host memory";
    return PBS_ERROR_OUT_OF_MEMORY;
  }
  for (uint64_t i = 0; i < count; ++i)
    data[i] = random_bf16();
  pbs_status status = pbs_copy_to_device(program->device, tensor->address, data,
                                         tensor->bytes, NULL);
  free(data);
  return status;
}

/* The plan says what the entry takes: heads and head dimension are fixed, batch
 * and length, dimensions 0 and 2, are ours. */
static pbs_status make_arguments(struct program *program, int64_t length) {
  size_t inputs = pbs_input_count(program->executable);
  program->count = pbs_argument_count(program->executable);
  if (program->count > maximum_arguments || inputs != 3) {
    program->problem = "the entry does not take q, k and v";
    return PBS_ERROR_INVALID;
  }
  for (size_t i = 0; i < program->count; ++i) {
    pbs_argument argument;
    TRY(pbs_describe_argument(program->executable, i, &argument));
    pbs_tensor *tensor = &program->arguments[i];
    tensor->type = argument.type;
    tensor->rank = argument.rank;
    tensor->shape = program->shapes[i];
    if (i < inputs) {
      TRY(pbs_argument_shape(program->executable, i, program->shapes[i]));
      program->shapes[i][0] = 1;
      program->shapes[i][2] = length;
    } else {
      TRY(pbs_output_shape(program->executable, program->arguments, inputs,
                           i - inputs, program->shapes[i]));
    }
    TRY(allocate(program, i));
  }
  return PBS_SUCCESS;
}

/* Prints the mean of the log-sum-exp, which is output number 1. */
static pbs_status print_result(struct program *program) {
  pbs_tensor *lse = &program->arguments[4];
  uint64_t count = element_count(lse);
  float *data = malloc(lse->bytes);
  if (!data) {
    program->problem = "out of host memory";
    return PBS_ERROR_OUT_OF_MEMORY;
  }
  pbs_status status =
      pbs_copy_to_host(program->device, data, lse->address, lse->bytes, NULL);
  double sum = 0;
  for (uint64_t i = 0; i < count && status == PBS_SUCCESS; ++i)
    sum += data[i];
  if (status == PBS_SUCCESS)
    printf("mean log-sum-exp %.4f\n", sum / (double)count);
  free(data);
  return status;
}

static pbs_status run(struct program *program, const char *plan,
                      const char *device, int64_t length) {
  TRY(pbs_device_open(device, &program->device));
  printf("%s\n", pbs_device_description(program->device));
  TRY(pbs_executable_load(program->device, plan, NULL, &program->executable));
  TRY(make_arguments(program, length));

  /* Nothing waits between the calls: work is done in the order of the stream,
   * here the device's own. */
  TRY(pbs_run(program->executable, program->arguments, program->count, 0, 0,
              NULL));
  TRY(print_result(program));

  /* All launches in one call, again on whatever the memory holds by then. */
  TRY(pbs_graph_capture(program->executable, program->arguments, program->count,
                        &program->graph));
  TRY(pbs_event_record(program->device, NULL, &program->start));
  TRY(pbs_graph_replay(program->graph, NULL));
  TRY(pbs_event_record(program->device, NULL, &program->end));
  double milliseconds;
  TRY(pbs_event_elapsed(program->start, program->end, &milliseconds));
  printf("replayed in %.3f ms\n", milliseconds);
  return print_result(program);
}

int main(int argc, char **argv) {
  char *rest = NULL;
  long long length = argc == 4 ? strtoll(argv[3], &rest, 10) : 0;
  if (argc != 4 || *rest != '\0' || length < 1) {
    fprintf(stderr, "usage: run_prefill PLAN.json DEVICE LENGTH\n");
    return 1;
  }
  struct program program = {0};
  pbs_status status = run(&program, argv[1], argv[2], length);
  if (status != PBS_SUCCESS)
    fprintf(stderr, "run_prefill: %s\n",
            program.problem ? program.problem : pbs_error_message());
  pbs_event_free(program.start);
  pbs_event_free(program.end);
  pbs_graph_free(program.graph);
  for (size_t i = 0; i < program.count; ++i)
    pbs_free(program.device, program.arguments[i].address);
  pbs_executable_free(program.executable);
  pbs_device_close(program.device);
  return status == PBS_SUCCESS ? 0 : 1;
}
