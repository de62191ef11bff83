// Launcher of write_mla_kv: see write_mla_kv.h.
#include "cuda/rope/write_mla_kv.h"

#include <cmath>

#include "cuda/rows_check.h"

namespace hadal::cuda {

namespace {

constexpr const char* kOp = "write_mla_kv";

const Kernel& instance(DType activations, DType cache) {
  if (activations == DType::BF16 && cache == DType::BF16) return kWriteMlaKvBf16;
  if (activations == DType::F32 && cache == DType::BF16) return kWriteMlaKvF32Bf16;
  if (activations == DType::BF16 && cache == DType::F8_E4M3) return kWriteMlaKvBf16Fp8;
  if (activations == DType::F32 && cache == DType::F8_E4M3) return kWriteMlaKvF32Fp8;
  no_instance(kOp, std::string(dtype_name(activations)) + " to " + dtype_name(cache));
}

void check(DType activations, DType cache, const WriteMlaKvParams& p) {
  const bool fp8 = cache == DType::F8_E4M3;
  const auto bytes = static_cast<int64_t>(dtype_size(activations));
  expect_row_count(kOp, p.tokens);
  expect_width(kOp, p.latent_width, fp8 ? kScaleGroup : 8, kMlaMaxLatent);
  HADAL_EXPECT(p.rotary_width > 0 && p.rotary_width % (fp8 ? 8 : 4) == 0,
               "%s: rotary: expected a width that is a multiple of %d, got %d", kOp, fp8 ? 8 : 4, p.rotary_width);
  HADAL_EXPECT(p.style == RopeStyle::kInterleaved || p.style == RopeStyle::kHalves,
               "%s: style: expected 0 or 1, got %d", kOp, static_cast<int>(p.style));
  HADAL_EXPECT(std::isfinite(p.factor), "%s: factor: expected a finite number, got %g", kOp,
               static_cast<double>(p.factor));
  if (p.tokens == 0) return;
  expect_rows(kOp, "latent", p.latent, p.tokens, p.latent_width * bytes, p.latent_stride * bytes);
  expect_rows(kOp, "rotary", p.rotary, p.tokens, p.rotary_width * bytes, p.rotary_stride * bytes, 2 * bytes);
  const int64_t row = fp8 ? mla_fp8_row_bytes(p.latent_width, p.rotary_width)
                          : 2 * (int64_t{p.latent_width} + p.rotary_width);
  expect_rows(kOp, "cache", p.cache, p.cache_rows, row, p.cache_row_bytes);
  expect_pointer(kOp, "positions", p.positions, 4);
  expect_pointer(kOp, "slots", p.slots, 4);
  expect_pointer(kOp, "inv_freq", p.inv_freq, 4);
}

}  // namespace

void write_mla_kv(Queue& queue, DType activations, DType cache, const WriteMlaKvParams& p) {
  const Kernel& kernel = instance(activations, cache);
  check(activations, cache, p);
  Launch launch;
  launch.grid.x = blocks_for(p.tokens, 4);
  launch.dependent = true;
  queue.launch(kernel, launch, p);
}

}  // namespace hadal::cuda
