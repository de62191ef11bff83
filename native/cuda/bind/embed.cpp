// embed_tokens, add, copy.
#include "cuda/bind/bind.h"
#include "cuda/embed/add.h"
#include "cuda/embed/copy.h"
#include "cuda/embed/embed_tokens.h"

namespace hadal::cuda {
namespace {

void shapes_embed_tokens(const OpCall& call) {
  expect_dense(call, "embed_tokens", 1, "ids", kInt, {-1});
  expect_dense(call, "embed_tokens", 2, "table", kWeight, {-1, -1});
  expect_tensor(call, "embed_tokens", 0, "out", kActivation, {call[1].shape[0], call[2].shape[1]});
}

void run_embed_tokens(Context& context, const OpCall& call) {
  EmbedTokensParams p{};
  p.out = call[0].data;
  p.ids = call[1].as<int32_t>();
  p.table = call[2].data;
  p.out_stride = call[0].strides[0];
  p.tokens = small("embed_tokens", call[1].shape[0]);
  p.vocabulary = small("embed_tokens", call[2].shape[0]);
  p.width = small("embed_tokens", call[2].shape[1]);
  embed_tokens(context.queue, call[2].dtype, call[0].dtype, p);
}

void shapes_add(const OpCall& call) {
  expect_tensor(call, "add", 1, "a", kActivation, {-1, -1});
  for (const size_t i : {0, 2})
    expect_tensor(call, "add", i, i == 0 ? "out" : "b", {call[1].dtype}, {call[1].shape[0], call[1].shape[1]});
}

void run_add(Context& context, const OpCall& call) {
  AddParams p{};
  p.out = call[0].data;
  p.a = call[1].data;
  p.b = call[2].data;
  p.out_stride = call[0].strides[0];
  p.a_stride = call[1].strides[0];
  p.b_stride = call[2].strides[0];
  p.rows = small("add", call[1].shape[0]);
  p.width = small("add", call[1].shape[1]);
  add(context.queue, call[1].dtype, p);
}

void shapes_copy(const OpCall& call) {
  expect_tensor(call, "copy", 1, "a", {DType::F32, DType::BF16, DType::I32}, {-1, -1});
  expect_tensor(call, "copy", 0, "out", {call[1].dtype}, {call[1].shape[0], call[1].shape[1]});
}

void run_copy(Context& context, const OpCall& call) {
  const auto bytes = static_cast<int64_t>(dtype_size(call[1].dtype));
  CopyParams p{};
  p.out = call[0].data;
  p.x = call[1].data;
  p.out_stride = call[0].strides[0] * bytes;
  p.x_stride = call[1].strides[0] * bytes;
  p.rows = small("copy", call[1].shape[0]);
  p.row_bytes = small("copy", call[1].shape[1] * bytes);
  copy(context.queue, p);
}

}  // namespace

const CudaOp add_op = make_op<shapes_add, run_add>("add", 3, 3, 1, 0);
const CudaOp copy_op = make_op<shapes_copy, run_copy>("copy", 2, 2, 1, 0);
const CudaOp embed_tokens_op = make_op<shapes_embed_tokens, run_embed_tokens>("embed_tokens", 3, 3, 1, 0);

}  // namespace hadal::cuda
