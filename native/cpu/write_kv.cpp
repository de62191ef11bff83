// write_kv: cache row slots[t] = src[t], rounded to the cache's dtype. Slot −1 writes nothing.
#include <cstring>

#include "core/check.h"
#include "cpu/convert.h"
#include "cpu/leaves.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

void check(const OpCall& call) {
  expect_tensor(call, "write_kv", 1, "src", kFloat, {-1, -1});
  expect_tensor(call, "write_kv", 0, "cache", kCache, {-1, 64, call[1].shape[1]});
  expect_dense(call, "write_kv", 2, "slots", kInt, {call[1].shape[0]});
}

// Element offset of a slot's row.
int64_t slot_offset(const Tensor& cache, int64_t slot) {
  return slot / cache.shape[1] * cache.strides[0] + slot % cache.shape[1] * cache.strides[1];
}

void validate(const OpCall& call) {
  expect_indices(call[2], "write_kv", "slots", -1, call[0].shape[0] * call[0].shape[1]);
}

void reference(Context&, const OpCall& call) {
  validate(call);
  for (int64_t t = 0; t < call[1].shape[0]; ++t) {
    const int64_t slot = call[2].as<int32_t>()[t];
    if (slot < 0) continue;
    const int64_t at = slot_offset(call[0], slot);
    for (int64_t i = 0; i < call[1].shape[1]; ++i) {
      const float value = call[1].row<float>(t)[i];
      if (call[0].dtype == DType::F32) call[0].as<float>()[at + i] = value;
      else call[0].as<uint16_t>()[at + i] = call[0].dtype == DType::F16 ? f32_to_f16(value) : f32_to_bf16(value);
    }
  }
}

void fast(Context& context, const OpCall& call) {
  validate(call);
  const int64_t C = call[1].shape[1];
  const Kernels& leaf = leaves(context);
  const auto round = call[0].dtype == DType::F16 ? leaf.to_f16 : leaf.to_bf16;
  context.pool.parallel_for(call[1].shape[0], grain_for(C), [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t slot = call[2].as<int32_t>()[t];
      if (slot < 0) continue;
      const int64_t at = slot_offset(call[0], slot);
      const float* src = call[1].row<float>(t);
      if (call[0].dtype == DType::F32) std::memcpy(call[0].as<float>() + at, src, static_cast<size_t>(C) * 4);
      else round(call[0].as<uint16_t>() + at, src, C);
    }
  });
}

}  // namespace

const HostOp write_kv_op = {"write_kv", 3, 3, 1, 0, check, reference, fast};

}  // namespace hadal::cpu
