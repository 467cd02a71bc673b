/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The runtime's C interface: loads launch plans (docs/plan-format.md) and runs
 * them on tensors that the caller owns, on the emulator or on an NVIDIA GPU.
 * docs/c-api.md is its guide.
 *
 * Within one major version nothing here changes its meaning and nothing goes;
 * a minor version adds functions. Calls may come from any thread; those that
 * reach the same device wait for each other; docs/c-api.md says which of them
 * wait for the device as well. */

#ifndef PBS_RUNTIME_H
#define PBS_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#define PBS_RUNTIME_VERSION_MAJOR 1
#define PBS_RUNTIME_VERSION_MINOR 1

#if defined(__GNUC__)
#define PBS_API __attribute__((visibility("default")))
#else
#define PBS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library, which may be newer than the header's. */
PBS_API void pbs_version(int *major, int *minor);

/* What every call gives that can fail. After anything but PBS_SUCCESS,
 * pbs_error_message() says what was wrong and where, and out-parameters are as
 * they were. */
typedef enum pbs_status {
  PBS_SUCCESS = 0,
  /* A file, a plan or an argument breaks its contract. */
  PBS_ERROR_INVALID = 1,
  /* There is no such device here, or it is too old for what is asked. */
  PBS_ERROR_UNAVAILABLE = 2,
  PBS_ERROR_OUT_OF_MEMORY = 3,
  /* A kernel or the device failed. */
  PBS_ERROR_DEVICE = 4,
  /* A fault of this library. */
  PBS_ERROR_INTERNAL = 5,
  /* pbs_device_stop() ended the call. */
  PBS_ERROR_STOPPED = 6
} pbs_status;

/* One line on the last call of this thread that failed; valid until the next
 * one fails. Empty before any did. */
PBS_API const char *pbs_error_message(void);

/* ---- Devices ---- */

typedef struct pbs_device pbs_device;

/* A queue of a device's work. NULL is the device's own stream. On a GPU any
 * CUstream of its primary context serves, also cudaStreamLegacy (1) and
 * cudaStreamPerThread (2). The emulator does all work at once. */
typedef void *pbs_stream;

/* Opens "emulator", "cuda" or "cuda:N". A GPU is used through its primary
 * context, which CUDA's runtime and the frameworks share. */
PBS_API pbs_status pbs_device_open(const char *name, pbs_device **device);
/* The device ends once everything made on it has been freed too. NULL is
 * ignored, here and in all functions that free. What is no handle, or has been
 * freed before, is an error in every call: one that frees does nothing, and
 * pbs_error_message() says so. */
PBS_API void pbs_device_close(pbs_device *device);
/* One line for people, which lives as long as the device. */
PBS_API const char *pbs_device_description(const pbs_device *device);
/* The --chip to compile for, "sm_90a" for instance; as long-lived. */
PBS_API const char *pbs_device_chip(const pbs_device *device);

/* Ends the call that the device is at, from another thread, at once and without
 * waiting for it: on the emulator a launch ends within a moment, and its call
 * gives PBS_ERROR_STOPPED. Its outputs are then undefined, and the device stays
 * usable. Calls that wait for the device go on; a device that does nothing is
 * left as it is. A kernel on a GPU cannot be ended, and the call for a GPU
 * gives PBS_ERROR_UNAVAILABLE. Since version 1.1. */
PBS_API pbs_status pbs_device_stop(pbs_device *device);

/* Global memory, aligned to 256 bytes, uninitialised. */
PBS_API pbs_status pbs_allocate(pbs_device *device, uint64_t bytes,
                                uint64_t *address);
PBS_API pbs_status pbs_free(pbs_device *device, uint64_t address);
/* Copies happen in the order of the stream, and have ended when the call
 * returns. A fill is enqueued. */
PBS_API pbs_status pbs_copy_to_device(pbs_device *device, uint64_t destination,
                                      const void *source, uint64_t bytes,
                                      pbs_stream stream);
PBS_API pbs_status pbs_copy_to_host(pbs_device *device, void *destination,
                                    uint64_t source, uint64_t bytes,
                                    pbs_stream stream);
PBS_API pbs_status pbs_fill(pbs_device *device, uint64_t destination,
                            uint8_t value, uint64_t bytes, pbs_stream stream);

PBS_API pbs_status pbs_stream_create(pbs_device *device, pbs_stream *stream);
/* Of a stream that pbs_stream_create() has made. */
PBS_API pbs_status pbs_stream_destroy(pbs_device *device, pbs_stream stream);
/* Waits until the stream's work has ended. */
PBS_API pbs_status pbs_synchronize(pbs_device *device, pbs_stream stream);

/* A point in a stream, for measuring. */
typedef struct pbs_event pbs_event;
PBS_API pbs_status pbs_event_record(pbs_device *device, pbs_stream stream,
                                    pbs_event **event);
/* Milliseconds between two events; waits for the later one. */
PBS_API pbs_status pbs_event_elapsed(const pbs_event *start,
                                     const pbs_event *end,
                                     double *milliseconds);
PBS_API void pbs_event_free(pbs_event *event);

/* ---- Executables ---- */

/* One entry of a plan, loaded on a device. */
typedef struct pbs_executable pbs_executable;

/* Reads a plan, and the PTX or cubin beside it. entry is the entry's name, or
 * NULL for a plan with one entry. */
PBS_API pbs_status pbs_executable_load(pbs_device *device,
                                       const char *plan_path, const char *entry,
                                       pbs_executable **executable);
/* The same from memory. Both texts end with a zero. */
PBS_API pbs_status pbs_executable_parse(pbs_device *device, const char *plan,
                                        const char *ptx, const char *entry,
                                        pbs_executable **executable);
/* Waits for its work. */
PBS_API void pbs_executable_free(pbs_executable *executable);

typedef enum pbs_type {
  PBS_BF16 = 0,
  PBS_F16 = 1,
  PBS_F32 = 2,
  PBS_I32 = 3,
  PBS_U16 = 4,
  /* One byte, 0 or 1. */
  PBS_BOOL = 5
} pbs_type;

/* What the entry takes at one place. */
typedef struct pbs_argument {
  /* Lives as long as the executable. */
  const char *name;
  /* 1 for an output, which the caller allocates too; 0 for an input. */
  int32_t is_output;
  pbs_type type;
  int32_t rank;
  /* 1 if the tensor must be row-major without gaps; 0 if only its last
   * dimension must be contiguous, and the other strides be multiples of
   * `alignment` bytes. */
  int32_t is_contiguous;
  /* Bytes that the address must be a multiple of. */
  int64_t alignment;
} pbs_argument;

/* Inputs, then outputs. */
PBS_API size_t pbs_argument_count(const pbs_executable *executable);
PBS_API size_t pbs_input_count(const pbs_executable *executable);
PBS_API pbs_status pbs_describe_argument(const pbs_executable *executable,
                                         size_t index, pbs_argument *argument);
/* Writes the argument's extents to `shape`, which has room for its rank: those
 * that the plan fixes, and -1 for others. */
PBS_API pbs_status pbs_argument_shape(const pbs_executable *executable,
                                      size_t index, int64_t *shape);

typedef struct pbs_tensor {
  /* Of element (0, ..., 0): a device address, or a host pointer for
   * pbs_run_on_host_data. */
  uint64_t address;
  /* Bytes from the address to the end of the allocation, or 0 if the caller
   * vouches for every element that shape and strides reach. */
  uint64_t bytes;
  pbs_type type;
  int32_t rank;
  const int64_t *shape;
  /* In elements; NULL for row-major without gaps. */
  const int64_t *strides;
} pbs_tensor;

/* Writes the extents of output number `output` (0 is the first) to `shape`,
 * which has room for its rank. `inputs` are all of the entry's inputs; their
 * addresses are not looked at. */
PBS_API pbs_status pbs_output_shape(const pbs_executable *executable,
                                    const pbs_tensor *inputs, size_t count,
                                    size_t output, int64_t *shape);

/* Bytes of workspace that a run on these arguments needs; inputs alone serve
 * as well as inputs and outputs. Addresses are not looked at. */
PBS_API pbs_status pbs_workspace_bytes(const pbs_executable *executable,
                                       const pbs_tensor *arguments,
                                       size_t count, uint64_t *bytes);

/* Enqueues the entry on a stream: inputs, then outputs. Types, shapes, strides,
 * alignments and the plan's requirements are checked before anything is
 * enqueued; values of permutations and selections are not. Nothing waits for
 * the GPU.
 *
 * workspace is a device address that is a multiple of 256, and of whatever more
 * the plan's buffers are aligned to, with at least pbs_workspace_bytes() behind
 * it, which this run alone uses until it has ended. With 0 the executable keeps
 * a workspace of its own, which only grows; runs on different streams then wait
 * for each other. */
PBS_API pbs_status pbs_run(pbs_executable *executable,
                           const pbs_tensor *arguments, size_t count,
                           uint64_t workspace, uint64_t workspace_bytes,
                           pbs_stream stream);

/* Runs on tensors in host memory: copies inputs to the device, runs, copies
 * outputs back and returns when all that is done. The values of permutations
 * and selections are checked first. */
PBS_API pbs_status pbs_run_on_host_data(pbs_executable *executable,
                                        const pbs_tensor *arguments,
                                        size_t count);

/* ---- Graphs ---- */

/* All launches of a run on fixed addresses, which cost one call to replay (CUDA
 * programming guide, "CUDA Graphs"). */
typedef struct pbs_graph pbs_graph;

/* Captures what pbs_run() would enqueue, with a workspace that the graph owns.
 * The arguments' memory must live as long as the graph; what it holds may
 * change from replay to replay. */
PBS_API pbs_status pbs_graph_capture(pbs_executable *executable,
                                     const pbs_tensor *arguments, size_t count,
                                     pbs_graph **graph);
/* Enqueues a replay. A graph's replays must not overlap each other. */
PBS_API pbs_status pbs_graph_replay(pbs_graph *graph, pbs_stream stream);
/* Waits for the replays. */
PBS_API void pbs_graph_free(pbs_graph *graph);

#ifdef __cplusplus
}
#endif

#endif /* PBS_RUNTIME_H */
