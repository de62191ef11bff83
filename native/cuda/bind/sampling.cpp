// gather_rows and sample.
#include "cuda/sampling/sample.h"

#include "cuda/bind/bind.h"
#include "cuda/sampling/gather_rows.h"

namespace hadal::cuda {
namespace {

void shapes_gather_rows(const OpCall& call) {
  expect_tensor(call, "gather_rows", 1, "x", kActivation, {-1, -1});
  expect_dense(call, "gather_rows", 2, "rows", kInt, {-1});
  expect_tensor(call, "gather_rows", 0, "out", {call[1].dtype}, {call[2].shape[0], call[1].shape[1]});
}

void run_gather_rows(Context& context, const OpCall& call) {
  const auto bytes = static_cast<int64_t>(dtype_size(call[1].dtype));
  GatherRowsParams p{};
  p.out = call[0].data;
  p.x = call[1].data;
  p.rows = call[2].as<int32_t>();
  p.out_stride = call[0].strides[0] * bytes;
  p.x_stride = call[1].strides[0] * bytes;
  p.count = small("gather_rows", call[2].shape[0]);
  p.x_rows = small("gather_rows", call[1].shape[0]);
  p.row_bytes = small("gather_rows", call[1].shape[1] * bytes);
  gather_rows(context.queue, p);
}

enum Argument : size_t {
  kIds, kLogprobs, kTopIds, kTopLogprobs, kLogits, kParams, kSeeds, kHistoryOffsets, kHistoryIds, kBiasOffsets,
  kBiasIds, kBiasValues, kMasked, kMasks,
};

void shapes_sample(const OpCall& call) {
  constexpr const char* kName = "sample";
  expect_tensor(call, kName, kLogits, "logits", kActivation, {-1, -1});
  const int64_t N = call[kLogits].shape[0];
  expect_dense(call, kName, kIds, "ids", kInt, {N});
  expect_dense(call, kName, kLogprobs, "logprobs", kFloat, {N});
  expect_dense(call, kName, kTopIds, "top_ids", kInt, {N, kSampleTop});
  expect_dense(call, kName, kTopLogprobs, "top_logprobs", kFloat, {N, kSampleTop});
  expect_dense(call, kName, kParams, "params", kFloat, {N, 8});
  expect_dense(call, kName, kSeeds, "seeds", kInt, {N, 4});
  expect_dense(call, kName, kHistoryOffsets, "history_offsets", kInt, {-1});
  expect_dense(call, kName, kHistoryIds, "history_ids", kInt, {-1});
  expect_dense(call, kName, kBiasOffsets, "bias_offsets", kInt, {-1});
  expect_dense(call, kName, kBiasIds, "bias_ids", kInt, {-1});
  expect_dense(call, kName, kBiasValues, "bias_values", kFloat, {call[kBiasIds].shape[0]});
  HADAL_EXPECT(call.has(kMasked) == call.has(kMasks), "%s: expected masked and masks together, got one", kName);
  if (call.has(kMasks)) {
    expect_dense(call, kName, kMasked, "masked", kInt, {N});
    expect_dense(call, kName, kMasks, "masks", kInt, {N, (call[kLogits].shape[1] + 31) / 32});
  }
  for (const size_t i : {kHistoryOffsets, kBiasOffsets})
    HADAL_EXPECT(call[i].shape[0] >= N + 1, "%s: offsets: expected at least %lld entries, got %lld", kName,
                 static_cast<long long>(N + 1), static_cast<long long>(call[i].shape[0]));
}

void run_sample(Context& context, const OpCall& call) {
  SampleParams p{};
  p.ids = call[kIds].as<int32_t>();
  p.logprobs = call[kLogprobs].as<float>();
  p.top_ids = call[kTopIds].as<int32_t>();
  p.top_logprobs = call[kTopLogprobs].as<float>();
  p.logits = call[kLogits].data;
  p.params = call[kParams].as<float>();
  p.seeds = call[kSeeds].as<int32_t>();
  p.history_offsets = call[kHistoryOffsets].as<int32_t>();
  p.history_ids = call[kHistoryIds].as<int32_t>();
  p.bias_offsets = call[kBiasOffsets].as<int32_t>();
  p.bias_ids = call[kBiasIds].as<int32_t>();
  p.bias_values = call[kBiasValues].as<float>();
  p.masked = call.has(kMasks) ? call[kMasked].as<int32_t>() : nullptr;
  p.masks = call.has(kMasks) ? call[kMasks].as<uint32_t>() : nullptr;
  p.logits_stride = call[kLogits].strides[0];
  p.rows = small("sample", call[kLogits].shape[0]);
  p.vocabulary = small("sample", call[kLogits].shape[1]);
  p.history_count = small("sample", call[kHistoryIds].shape[0]);
  p.bias_count = small("sample", call[kBiasIds].shape[0]);
  // What a row asks for is on the device: any row may be edited.
  const size_t bytes = sample_scratch_bytes(p.rows, p.vocabulary, true);
  p.scratch = sample_scratch(context.scratch(bytes), p.rows, p.vocabulary, true);
  sample(context.queue, call[kLogits].dtype, p);
}

}  // namespace

const CudaOp gather_rows_op = make_op<shapes_gather_rows, run_gather_rows>("gather_rows", 3, 3, 1, 0);
const CudaOp sample_op = make_op<shapes_sample, run_sample>("sample", 12, 14, 4, 0);

}  // namespace hadal::cuda
