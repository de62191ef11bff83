/* Hadal's C ABI: devices, buffers, programs. C11, self-contained, the only header that the addon and
 * other languages see.
 *
 * A program is recorded once (hadal_program_append, one call per op) and replayed many times
 * (hadal_program_run). Sizes that change from step to step are symbols in a tensor's shape and are
 * given to each run. Handles are opaque; buffers are reference counted, and a program keeps the
 * buffers that it names. Every function returns a hadal_status; the text of the last error of this
 * thread is hadal_last_error(). No function aborts, exits or throws.
 *
 * Threads: handles may be used from any thread. Recording one program from two threads at once is
 * not allowed; runs on one device are serialised inside.
 */
#ifndef HADAL_H
#define HADAL_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define HADAL_API __declspec(dllexport)
#else
#define HADAL_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define HADAL_ABI_VERSION 1
#define HADAL_MAX_RANK 4
#define HADAL_STEP_DIMS 3

typedef int32_t hadal_status;
enum {
  HADAL_OK = 0,
  HADAL_ERROR_INVALID = 1,      /* an argument, shape, dtype or index is wrong */
  HADAL_ERROR_UNSUPPORTED = 2,  /* valid, but this build or this CPU cannot do it */
  HADAL_ERROR_NO_MEMORY = 3,    /* allocation refused */
  HADAL_ERROR_IO = 4,           /* a file could not be opened, mapped or read */
  HADAL_ERROR_CANCELLED = 5,    /* the run's cancel flag was set */
  HADAL_ERROR_FILE_CHANGED = 6, /* a mapped file was truncated or replaced while in use */
  HADAL_ERROR_INTERNAL = 7      /* a bug in Hadal */
};

typedef int32_t hadal_dtype;
enum {
  HADAL_F32 = 0,
  HADAL_BF16 = 1,
  HADAL_F16 = 2,
  HADAL_F8_E4M3 = 3, /* "fn": no infinity, NaN is 0x7F and 0xFF, largest 448 */
  HADAL_I32 = 4,
  HADAL_U8 = 5
};

/* A negative extent in a shape is a step dimension: its value comes with each run. */
enum {
  HADAL_DIM_T = -1, /* tokens in the step */
  HADAL_DIM_S = -2, /* sequences in the step */
  HADAL_DIM_N = -3  /* rows whose logits are wanted */
};

typedef int32_t hadal_precision;
enum {
  HADAL_FAST = 0,     /* vectorised, threaded */
  HADAL_REFERENCE = 1 /* the scalar oracle of each op */
};

typedef struct hadal_device hadal_device;
typedef struct hadal_buffer hadal_buffer;
typedef struct hadal_program hadal_program;

/* A view into a buffer. Strides count elements, the last one is 1 for every op of today. */
typedef struct hadal_tensor {
  hadal_buffer* buffer;
  uint64_t offset; /* bytes from the buffer's start to element 0 */
  hadal_dtype dtype;
  int32_t rank; /* 0 .. HADAL_MAX_RANK */
  int64_t shape[HADAL_MAX_RANK];
  int64_t strides[HADAL_MAX_RANK];
} hadal_tensor;

/* One argument of an op: absent (count 0), one tensor, or a list (one weight per expert). */
typedef struct hadal_argument {
  const hadal_tensor* tensors;
  uint32_t count;
} hadal_argument;

typedef struct hadal_device_options {
  uint32_t struct_size; /* sizeof(hadal_device_options) */
  int32_t threads;      /* 0: the physical cores that this process may use */
  const char* isa;      /* NULL: the best that the CPU has; "avx512bf16", "avx512vbmi", "avx512", "avx2", "portable" */
} hadal_device_options;

typedef struct hadal_cpu_info {
  uint32_t struct_size;
  char vendor[16];
  char model[64];
  char isa[16];            /* best instruction set that Hadal has kernels for */
  char features[256];      /* space separated, as CPUID names them */
  int32_t logical_cores;   /* that this process may use */
  int32_t physical_cores;  /* that this process may use, cgroup quota included */
  uint64_t memory_total;   /* bytes, the cgroup's limit where lower */
  uint64_t memory_available;
} hadal_cpu_info;

HADAL_API uint32_t hadal_abi_version(void);
HADAL_API const char* hadal_version(void);
HADAL_API const char* hadal_last_error(void);
HADAL_API hadal_status hadal_cpu(hadal_cpu_info* info);
/* Names of all ops, NUL-separated, ended by an empty name. */
HADAL_API const char* hadal_op_list(void);

HADAL_API hadal_status hadal_device_create(hadal_device** device, const hadal_device_options* options);
HADAL_API void hadal_device_release(hadal_device* device);
HADAL_API int32_t hadal_device_threads(const hadal_device* device);
HADAL_API const char* hadal_device_isa(const hadal_device* device);

/* Zero-filled anonymous memory; pages are taken when first touched. */
HADAL_API hadal_status hadal_buffer_allocate(hadal_buffer** buffer, hadal_device* device, uint64_t bytes);
/* Maps a whole regular file read-only. size and mtime_ns must be what the caller saw when it read
 * the header; HADAL_ERROR_FILE_CHANGED otherwise. Truncation later makes the run fail, not the process. */
HADAL_API hadal_status hadal_buffer_map(hadal_buffer** buffer, hadal_device* device, const char* path,
                                        uint64_t size, int64_t mtime_ns);
HADAL_API void hadal_buffer_release(hadal_buffer* buffer);
HADAL_API uint64_t hadal_buffer_size(const hadal_buffer* buffer);
HADAL_API hadal_status hadal_buffer_write(hadal_buffer* buffer, uint64_t offset, const void* data, uint64_t bytes);
HADAL_API hadal_status hadal_buffer_read(const hadal_buffer* buffer, uint64_t offset, void* data, uint64_t bytes);
/* Gives the pages of a range of an allocated buffer back to the system; they read as zero after. */
HADAL_API hadal_status hadal_buffer_discard(hadal_buffer* buffer, uint64_t offset, uint64_t bytes);

/* max_dims: the largest T, S, N that a run may have; every tensor is checked against its buffer with these. */
HADAL_API hadal_status hadal_program_create(hadal_program** program, hadal_device* device,
                                            hadal_precision precision, const int64_t max_dims[HADAL_STEP_DIMS]);
HADAL_API void hadal_program_release(hadal_program* program);
/* Appends one op. Outputs first, then inputs, in the order of the op table in ARCHITECTURE.md. */
HADAL_API hadal_status hadal_program_append(hadal_program* program, const char* op, const hadal_argument* arguments,
                                            uint32_t argument_count, const double* attributes,
                                            uint32_t attribute_count);
HADAL_API uint32_t hadal_program_size(const hadal_program* program);
/* Runs all ops in order with T, S, N = dims; returns when done. *cancel (may be NULL) is read between ops. */
HADAL_API hadal_status hadal_program_run(hadal_program* program, const int64_t dims[HADAL_STEP_DIMS],
                                         const volatile int32_t* cancel);
/* Nanoseconds spent per op of the last run, when profiling was switched on; count = program size. */
HADAL_API hadal_status hadal_program_profile(hadal_program* program, int32_t enable);
HADAL_API hadal_status hadal_program_timings(const hadal_program* program, uint64_t* nanoseconds, uint32_t count);

#ifdef __cplusplus
}
#endif
#endif /* HADAL_H */
