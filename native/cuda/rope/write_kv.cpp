// Launcher of write_kv: see write_kv.h.
#include "cuda/rope/write_kv.h"

#include "cuda/rows_check.h"

namespace hadal::cuda {

namespace {

const Kernel& instance(DType src, DType cache) {
  if (src == DType::F32 && cache == DType::F32) return kWriteKvF32;
  if (src == DType::F32 && cache == DType::BF16) return kWriteKvF32Bf16;
  if (src == DType::F32 && cache == DType::F16) return kWriteKvF32F16;
  if (src == DType::BF16 && cache == DType::BF16) return kWriteKvBf16;
  if (src == DType::BF16 && cache == DType::F16) return kWriteKvBf16F16;
  no_instance("write_kv", std::string(dtype_name(src)) + " to " + dtype_name(cache));
}

}  // namespace

void write_kv(Queue& queue, DType src, DType cache, const WriteKvParams& p) {
  const Kernel& kernel = instance(src, cache);
  const auto src_bytes = static_cast<int64_t>(dtype_size(src)), cache_bytes = static_cast<int64_t>(dtype_size(cache));
  expect_row_count("write_kv", p.rows);
  expect_width("write_kv", p.width, 8, kMostColumns);
  expect_rows("write_kv", "src", p.src, p.rows, p.width * src_bytes, p.src_stride * src_bytes);
  expect_rows("write_kv", "cache", p.cache, p.cache_rows, p.width * cache_bytes, p.cache_stride * cache_bytes);
  if (p.rows > 0) expect_pointer("write_kv", "slots", p.slots, 4);
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(p.rows);
  launch.grid.y = blocks_for(p.width * src_bytes, int64_t{kWriteKvThreads} * kWriteKvLoads * 16);
  launch.dependent = true;
  queue.launch(kernel, launch, p);
}

}  // namespace hadal::cuda
