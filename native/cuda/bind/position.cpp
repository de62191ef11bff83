// rope and write_kv.
#include "cuda/bind/bind.h"
#include "cuda/rope/rope.h"
#include "cuda/rope/write_kv.h"

namespace hadal::cuda {
namespace {

void shapes_rope(const OpCall& call) {
  expect_tensor(call, "rope", 0, "x", kActivation, {-1, -1, -1});
  const int64_t R = call[0].shape[2];
  HADAL_EXPECT(R > 0 && R % 2 == 0, "rope: x: expected an even last dimension, got %lld", static_cast<long long>(R));
  expect_dense(call, "rope", 1, "positions", kInt, {call[0].shape[0]});
  expect_dense(call, "rope", 2, "inv_freq", kFloat, {R / 2});
  whole_attribute(call, "rope", 0, "style", 0, 1);
  expect_finite(call, "rope", 1, "factor");
}

void run_rope(Context& context, const OpCall& call) {
  RopeParams p{};
  p.x = p.out = call[0].data;
  p.positions = call[1].as<int32_t>();
  p.inv_freq = call[2].as<float>();
  p.x_token_stride = p.out_token_stride = call[0].strides[0];
  p.x_head_stride = p.out_head_stride = call[0].strides[1];
  p.tokens = small("rope", call[0].shape[0]);
  p.heads = small("rope", call[0].shape[1]);
  p.width = small("rope", call[0].shape[2]);
  p.style = call.attribute(0) == 0 ? RopeStyle::kInterleaved : RopeStyle::kHalves;
  p.factor = static_cast<float>(call.attribute(1));
  rope(context.queue, call[0].dtype, p);
}

void shapes_write_kv(const OpCall& call) {
  expect_tensor(call, "write_kv", 1, "src", kActivation, {-1, -1});
  expect_tensor(call, "write_kv", 0, "cache", kCache, {-1, 64, call[1].shape[1]});
  expect_dense(call, "write_kv", 2, "slots", kInt, {call[1].shape[0]});
}

void run_write_kv(Context& context, const OpCall& call) {
  WriteKvParams p{};
  p.cache = call[0].data;
  p.src = call[1].data;
  p.slots = call[2].as<int32_t>();
  p.cache_stride = row_stride("write_kv", call[0]);
  p.src_stride = call[1].strides[0];
  p.cache_rows = call[0].shape[0] * 64;
  p.rows = small("write_kv", call[1].shape[0]);
  p.width = small("write_kv", call[1].shape[1]);
  write_kv(context.queue, call[1].dtype, call[0].dtype, p);
}

}  // namespace

const CudaOp rope_op = make_op<shapes_rope, run_rope>("rope", 3, 3, 1, 2);
const CudaOp write_kv_op = make_op<shapes_write_kv, run_write_kv>("write_kv", 3, 3, 1, 0);

}  // namespace hadal::cuda
