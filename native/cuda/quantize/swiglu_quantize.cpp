// Launcher of swiglu_quantize: see swiglu_quantize.h.
#include "cuda/quantize/swiglu_quantize.h"

#include "cuda/quantize/quantize_groups.h"
#include "cuda/rows_check.h"

namespace hadal::cuda {

namespace {

constexpr const char* kOp = "swiglu_quantize";

// Six blocks on each of 132 SMs: all of a masked launch run at once, whatever the layout's size.
constexpr uint32_t kMaskedBlocks = 6 * 132;

void check(DType type, const SwigluQuantizeParams& p) {
  if (type != DType::BF16 && type != DType::F32) no_instance(kOp, dtype_name(type));
  const auto bytes = static_cast<int64_t>(dtype_size(type));
  expect_row_count(kOp, p.rows);
  expect_width(kOp, p.width, 16, kMostColumns);
  HADAL_EXPECT(p.counts != nullptr ? p.experts >= 0 && p.experts <= kSwigluMostExperts : p.experts == 1,
               "%s: experts: expected %s, got %d", kOp, p.counts != nullptr ? "0 to 1024" : "1 without counts",
               p.experts);
  const int64_t rows = int64_t{p.experts} * p.rows;
  expect_rows(kOp, "gate", p.gate, rows, p.width * bytes, p.gate_stride * bytes);
  expect_rows(kOp, "up", p.up, rows, p.width * bytes, p.up_stride * bytes);
  expect_quantized(kOp, p.codes, p.code_stride, p.scales, p.scale_stride, rows > 0 ? p.rows : 0, p.width);
  if (rows > 0 && p.counts != nullptr) expect_pointer(kOp, "counts", p.counts, 4);
}

}  // namespace

void swiglu_quantize(Queue& queue, DType type, const SwigluQuantizeParams& p) {
  check(type, p);
  if (p.rows == 0 || p.experts == 0) return;
  const uint32_t across = blocks_for(p.width, quantize_columns(type));
  Launch launch;
  launch.dependent = true;
  if (p.counts == nullptr) {
    launch.grid.x = blocks_for(p.rows, kQuantizeRows) * across;
    return queue.launch(type == DType::F32 ? kSwigluQuantizeF32 : kSwigluQuantizeBf16, launch, p);
  }
  launch.grid.x = (kMaskedBlocks + across - 1) / across * across;
  launch.shared_bytes = sizeof(int32_t) * (kSwigluMostExperts + 1);
  queue.launch(type == DType::F32 ? kSwigluQuantizeMaskedF32 : kSwigluQuantizeMaskedBf16, launch, p);
}

}  // namespace hadal::cuda
