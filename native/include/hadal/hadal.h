/* Hadal's C ABI: devices, buffers, programs, grammars. C11, self-contained, the only header that the addon and
 * other languages see.
 *
 * A program is recorded once (hadal_program_append, one call per op) and replayed many times
 * (hadal_program_run). Sizes that change from step to step are symbols in a tensor's shape and are
 * given to each run. Handles are opaque; buffers are reference counted, and a program keeps the
 * buffers that it names. Every function returns a hadal_status; the text of the last error of this
 * thread is hadal_last_error(). No function aborts, exits or throws.
 *
 * Threads: handles may be used from any thread. Recording one program from two threads at once is
 * not allowed; runs on one device are serialised inside. A matcher is used from one thread at a time.
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
  HADAL_ERROR_UNSUPPORTED = 2,  /* valid, but this build or this machine cannot do it */
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
  /* Since the struct has it (a smaller struct_size is a CPU device): NULL or "cpu"; "cuda"; "auto": the GPU if it can
   * be opened and has all ops of the CPU, else the CPU (hadal_device_note says why). */
  const char* device;
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

/* Of the first GPU that Hadal has kernels for. */
typedef struct hadal_cuda_info {
  uint32_t struct_size;
  int32_t driver_version; /* 13000: for CUDA 13.0; 0 when there is none */
  char problem[512];      /* empty: a device "cuda" can be opened; else what is missing, in one sentence */
  char name[128];
  uint64_t memory_total;  /* bytes */
} hadal_cuda_info;

HADAL_API uint32_t hadal_abi_version(void);
HADAL_API const char* hadal_version(void);
HADAL_API const char* hadal_last_error(void);
HADAL_API hadal_status hadal_cpu(hadal_cpu_info* info);
/* HADAL_OK with or without a GPU. Opens the driver, if there is one, and no context. */
HADAL_API hadal_status hadal_cuda(hadal_cuda_info* info);
/* Names of all ops, NUL-separated, ended by an empty name. */
HADAL_API const char* hadal_op_list(void);
/* Of these, those that have a kernel for CUDA; none when the backend is not there. */
HADAL_API const char* hadal_cuda_op_list(void);

HADAL_API hadal_status hadal_device_create(hadal_device** device, const hadal_device_options* options);
HADAL_API void hadal_device_release(hadal_device* device);
HADAL_API int32_t hadal_device_threads(const hadal_device* device); /* of the host that compute; 0 on a GPU */
HADAL_API const char* hadal_device_isa(const hadal_device* device);
HADAL_API const char* hadal_device_kind(const hadal_device* device); /* "cpu", "cuda" */
HADAL_API const char* hadal_device_name(const hadal_device* device); /* of the processor */
/* Why "auto" did not take a GPU; else empty. */
HADAL_API const char* hadal_device_note(const hadal_device* device);
HADAL_API hadal_status hadal_device_memory(const hadal_device* device, uint64_t* total, uint64_t* available);

/* Zero-filled memory of the device; on the host pages are taken when first touched. Buffers of one device are refused
 * by the programs of another, CPU devices excepted, which share theirs. */
HADAL_API hadal_status hadal_buffer_allocate(hadal_buffer** buffer, hadal_device* device, uint64_t bytes);
/* Maps a whole regular file read-only; a GPU gets the ranges that a program names when it is recorded. size and mtime_ns must be what the caller saw when it read
 * the header; HADAL_ERROR_FILE_CHANGED otherwise. Truncation later makes the run fail, not the process. */
HADAL_API hadal_status hadal_buffer_map(hadal_buffer** buffer, hadal_device* device, const char* path,
                                        uint64_t size, int64_t mtime_ns);
HADAL_API void hadal_buffer_release(hadal_buffer* buffer);
HADAL_API uint64_t hadal_buffer_size(const hadal_buffer* buffer);
HADAL_API hadal_status hadal_buffer_write(hadal_buffer* buffer, uint64_t offset, const void* data, uint64_t bytes);
HADAL_API hadal_status hadal_buffer_read(const hadal_buffer* buffer, uint64_t offset, void* data, uint64_t bytes);
/* The range of an allocated buffer reads as zero after; on the host its pages go back to the system. */
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
/* Runs all ops in order with T, S, N = dims; returns when done. *cancel (may be NULL) is read between ops. On a GPU a
 * step whose dims came before is one launch, which runs to its end: there *cancel is read before it alone. */
HADAL_API hadal_status hadal_program_run(hadal_program* program, const int64_t dims[HADAL_STEP_DIMS],
                                         const volatile int32_t* cancel);
/* Nanoseconds spent per op of the last run (on a GPU by its own clock, and without graphs), when profiling was switched on; count = program size. */
HADAL_API hadal_status hadal_program_profile(hadal_program* program, int32_t enable);
HADAL_API hadal_status hadal_program_timings(const hadal_program* program, uint64_t* nanoseconds, uint32_t count);

/* Constrained decoding. A vocabulary is built once per tokenizer, a grammar compiled once from words (their format:
 * native/grammar/ir.h), and a matcher follows one text: mask, choose, accept. Each keeps what it was made from. */
typedef struct hadal_vocabulary hadal_vocabulary;
typedef struct hadal_grammar hadal_grammar;
typedef struct hadal_matcher hadal_matcher;

enum {
  HADAL_MATCHER_CAN_END = 1, /* the text may end here */
  HADAL_MATCHER_DONE = 2     /* nothing may follow but the end */
};

/* Token i is the bytes from offsets[i] to offsets[i + 1]; none: it matches by its id alone. size: ids of a mask, at
 * least count; end_ids: ids that end a text. Everything is copied. */
HADAL_API hadal_status hadal_vocabulary_create(hadal_vocabulary** vocabulary, const uint8_t* bytes,
                                               const int32_t* offsets, uint32_t count, uint64_t byte_count,
                                               uint32_t size, const int32_t* end_ids, uint32_t end_count);
HADAL_API void hadal_vocabulary_release(hadal_vocabulary* vocabulary);
/* HADAL_ERROR_UNSUPPORTED: too ambiguous to follow. */
HADAL_API hadal_status hadal_grammar_compile(hadal_grammar** grammar, const hadal_vocabulary* vocabulary,
                                             const uint32_t* words, uint64_t count);
HADAL_API void hadal_grammar_release(hadal_grammar* grammar);
/* entry: which of the grammar's beginnings. */
HADAL_API hadal_status hadal_matcher_create(hadal_matcher** matcher, const hadal_grammar* grammar, uint32_t entry);
HADAL_API void hadal_matcher_release(hadal_matcher* matcher);
/* Bit id % 32 of words[id / 32]: id may come next; count = ceil(size / 32). allowed: how many may. */
HADAL_API hadal_status hadal_matcher_mask(hadal_matcher* matcher, uint32_t* words, uint32_t count, uint32_t* allowed);
/* accepted: 0 when the id may not come next; nothing changes then. */
HADAL_API hadal_status hadal_matcher_accept(hadal_matcher* matcher, int32_t id, int32_t* accepted);
/* Takes back the last ids, 256 at most. */
HADAL_API hadal_status hadal_matcher_rollback(hadal_matcher* matcher, uint32_t tokens);
HADAL_API hadal_status hadal_matcher_reset(hadal_matcher* matcher);
/* HADAL_MATCHER_* flags. */
HADAL_API int32_t hadal_matcher_state(const hadal_matcher* matcher);

#ifdef __cplusplus
}
#endif
#endif /* HADAL_H */
