// rms_norm and add_rms_norm.
#include "cuda/bind/bind.h"
#include "cuda/norm/add_rms_norm.h"
#include "cuda/norm/rms_norm.h"

namespace hadal::cuda {
namespace {

void shapes_rms_norm(const OpCall& call) {
  expect_tensor(call, "rms_norm", 1, "x", kActivation, {-1, -1});
  expect_tensor(call, "rms_norm", 0, "out", kActivation, {call[1].shape[0], call[1].shape[1]});
  expect_dense(call, "rms_norm", 2, "weight", kWeight, {call[1].shape[1]});
  expect_finite(call, "rms_norm", 0, "eps");
}

void run_rms_norm(Context& context, const OpCall& call) {
  RmsNormParams p{};
  p.out = call[0].data;
  p.x = call[1].data;
  p.weight = call[2].data;
  p.out_stride = call[0].strides[0];
  p.x_stride = call[1].strides[0];
  p.rows = small("rms_norm", call[1].shape[0]);
  p.width = small("rms_norm", call[1].shape[1]);
  p.eps = static_cast<float>(call.attribute(0));
  p.weight_type = call[2].dtype;
  rms_norm(context.queue, call[1].dtype, call[0].dtype, p);
}

void shapes_add_rms_norm(const OpCall& call) {
  expect_tensor(call, "add_rms_norm", 1, "residual", kActivation, {-1, -1});
  const int64_t T = call[1].shape[0], D = call[1].shape[1];
  expect_tensor(call, "add_rms_norm", 0, "out", kActivation, {T, D});
  expect_tensor(call, "add_rms_norm", 2, "delta", kActivation, {T, D});
  expect_dense(call, "add_rms_norm", 3, "weight", kWeight, {D});
  expect_finite(call, "add_rms_norm", 0, "eps");
}

void run_add_rms_norm(Context& context, const OpCall& call) {
  AddRmsNormParams p{};
  p.out = call[0].data;
  p.residual = call[1].data;
  p.delta = call[2].data;
  p.weight = call[3].data;
  p.out_stride = call[0].strides[0];
  p.residual_stride = call[1].strides[0];
  p.delta_stride = call[2].strides[0];
  p.rows = small("add_rms_norm", call[1].shape[0]);
  p.width = small("add_rms_norm", call[1].shape[1]);
  p.eps = static_cast<float>(call.attribute(0));
  p.weight_type = call[3].dtype;
  add_rms_norm(context.queue, call[1].dtype, call[2].dtype, call[0].dtype, p);
}

}  // namespace

const CudaOp rms_norm_op = make_op<shapes_rms_norm, run_rms_norm>("rms_norm", 3, 3, 1, 1);
const CudaOp add_rms_norm_op = make_op<shapes_add_rms_norm, run_add_rms_norm>("add_rms_norm", 4, 4, 2, 1);

}  // namespace hadal::cuda
