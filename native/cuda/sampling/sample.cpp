// Launcher of sample: see sample.h.
#include "cuda/sampling/sample.h"

namespace hadal::cuda {
namespace {

int32_t slices_of(int32_t vocabulary) { return (vocabulary + kSampleSlice - 1) / kSampleSlice; }

// Sizes of the parts of scratch memory, each a multiple of 16 bytes.
struct Sizes {
  size_t slices, keys, edited;
  Sizes(int32_t rows, int32_t vocabulary, bool edits) {
    const size_t count = static_cast<size_t>(rows) * static_cast<size_t>(slices_of(vocabulary));
    slices = count * sizeof(SampleSlice);
    keys = count * (kSampleSlice / kSampleTile) * sizeof(uint32_t);
    edited = edits ? count * kSampleSlice * sizeof(float) : 0;
  }
};

void check_lists(const SampleParams& p) {
  HADAL_EXPECT((p.masked != nullptr) == (p.masks != nullptr), "sample: expected masked and masks together, got one");
  HADAL_EXPECT(p.history_count >= 0 && p.bias_count >= 0, "sample: expected lists, got %d and %d entries",
               p.history_count, p.bias_count);
  HADAL_EXPECT(p.history_count == 0 || (p.history_offsets != nullptr && p.history_ids != nullptr),
               "sample: history: expected offsets and ids, got null");
  HADAL_EXPECT(p.bias_count == 0 || (p.bias_offsets != nullptr && p.bias_ids != nullptr && p.bias_values != nullptr),
               "sample: bias: expected offsets, ids and values, got null");
  HADAL_EXPECT(p.scratch.slices != nullptr && p.scratch.raw_keys != nullptr && p.scratch.edited_keys != nullptr,
               "sample: scratch: expected memory, got null");
  HADAL_EXPECT(p.scratch.edited != nullptr || (p.history_count == 0 && p.bias_count == 0 && p.masks == nullptr),
               "sample: scratch: expected a place for edited logits, got null");
}

}  // namespace

size_t sample_scratch_bytes(int32_t rows, int32_t vocabulary, bool edits) {
  const Sizes sizes(rows, vocabulary, edits);
  return sizes.slices + 2 * sizes.keys + sizes.edited;
}

SampleScratch sample_scratch(void* memory, int32_t rows, int32_t vocabulary, bool edits) {
  const Sizes sizes(rows, vocabulary, edits);
  auto* bytes = static_cast<uint8_t*>(memory);
  SampleScratch scratch;
  scratch.slices = reinterpret_cast<SampleSlice*>(bytes);
  scratch.raw_keys = reinterpret_cast<uint32_t*>(bytes + sizes.slices);
  scratch.edited_keys = reinterpret_cast<uint32_t*>(bytes + sizes.slices + sizes.keys);
  scratch.edited = edits ? reinterpret_cast<float*>(bytes + sizes.slices + 2 * sizes.keys) : nullptr;
  return scratch;
}

void sample(Queue& queue, DType logits, SampleParams params) {
  HADAL_EXPECT(logits == DType::F32 || logits == DType::BF16, "sample: logits: expected F32 or BF16, got %s",
               dtype_name(logits));
  HADAL_EXPECT(params.rows >= 0 && params.rows <= 65535, "sample: rows: expected 0 to 65535, got %d", params.rows);
  HADAL_EXPECT(params.vocabulary >= 1 && params.vocabulary <= kSampleMaxSlices * kSampleSlice,
               "sample: vocabulary: expected 1 to %d, got %d", kSampleMaxSlices * kSampleSlice, params.vocabulary);
  HADAL_EXPECT(params.logits_stride >= params.vocabulary, "sample: logits: expected rows at least %d apart, got %lld",
               params.vocabulary, static_cast<long long>(params.logits_stride));
  if (params.rows == 0) return;
  check_lists(params);
  params.slices = slices_of(params.vocabulary);
  const uintptr_t bytes = 4 * (logits == DType::F32 ? 4 : 2);
  params.by_vector = params.logits_stride % 4 == 0 && reinterpret_cast<uintptr_t>(params.logits) % bytes == 0;
  const auto rows = static_cast<uint32_t>(params.rows);
  Launch launch;
  launch.dependent = true;
  launch.grid = {static_cast<uint32_t>(params.slices), rows, 1};
  launch.shared_bytes = kSampleScanShared;
  queue.launch(logits == DType::F32 ? kSampleScanF32 : kSampleScanBf16, launch, params);
  launch.grid.x = 2;  // the id, and the largest logits
  launch.shared_bytes = kSampleChooseShared;
  queue.launch(logits == DType::F32 ? kSampleChooseF32 : kSampleChooseBf16, launch, params);
}

}  // namespace hadal::cuda
