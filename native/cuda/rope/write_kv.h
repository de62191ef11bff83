// write_kv on CUDA: row slots[t] of the paged cache = row t of src, in the cache's format (to nearest even; F16
// saturates). Slot −1 writes nothing.
#pragma once

#include "core/tensor.h"
#include "cuda/queue.h"

namespace hadal::cuda {

struct WriteKvParams {
  const void* src;        // [rows, width] F32 or BF16, rows src_stride elements apart
  void* cache;            // [blocks, 64, width] F32, BF16 or F16, rows cache_stride elements apart
  const int32_t* slots;   // [rows]: block · 64 + offset, or −1
  int64_t src_stride, cache_stride;
  int64_t cache_rows;     // blocks · 64; a slot beyond writes nothing either
  int32_t rows, width;
};

inline constexpr uint32_t kWriteKvThreads = 64;
inline constexpr int32_t kWriteKvLoads = 4;

#define HADAL_WRITE_KV(variable, name) \
  inline constexpr Kernel variable{"write_kv_" name, sizeof(WriteKvParams), kWriteKvThreads};
HADAL_WRITE_KV(kWriteKvF32, "f32")
HADAL_WRITE_KV(kWriteKvF32Bf16, "f32_bf16")
HADAL_WRITE_KV(kWriteKvF32F16, "f32_f16")
HADAL_WRITE_KV(kWriteKvBf16, "bf16")
HADAL_WRITE_KV(kWriteKvBf16F16, "bf16_f16")
#undef HADAL_WRITE_KV

// src, cache: F32 to F32, BF16, F16; BF16 to BF16, F16. width: a multiple of 8; pointers and strides of 16 bytes.
void write_kv(Queue& queue, DType src, DType cache, const WriteKvParams& params);

}  // namespace hadal::cuda
