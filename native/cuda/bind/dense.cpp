// swiglu.
#include "cuda/bind/bind.h"
#include "cuda/quantize/swiglu.h"

namespace hadal::cuda {
namespace {

void shapes_swiglu(const OpCall& call) {
  const bool pairs = call.has(1) && call[1].rank == 3;
  if (pairs) expect_tensor(call, "swiglu", 1, "gate", kActivation, {-1, -1, -1});
  else expect_tensor(call, "swiglu", 1, "gate", kActivation, {-1, -1});
  const Tensor& gate = call[1];
  for (const size_t i : {0, 2}) {
    const char* name = i == 0 ? "out" : "up";
    if (pairs) expect_tensor(call, "swiglu", i, name, {gate.dtype}, {gate.shape[0], gate.shape[1], gate.shape[2]});
    else expect_tensor(call, "swiglu", i, name, {gate.dtype}, {gate.shape[0], gate.shape[1]});
  }
}

void run_swiglu(Context& context, const OpCall& call) {
  const Tensor& gate = call[1];
  SwigluParams p{};
  p.out = call[0].data;
  p.gate = gate.data;
  p.up = call[2].data;
  p.out_stride = row_stride("swiglu", call[0]);
  p.gate_stride = row_stride("swiglu", gate);
  p.up_stride = row_stride("swiglu", call[2]);
  p.rows = small("swiglu", gate.rank == 3 ? gate.shape[0] * gate.shape[1] : gate.shape[0]);
  p.width = small("swiglu", gate.shape[gate.rank - 1]);
  swiglu(context.queue, gate.dtype, p);
}

}  // namespace

const CudaOp swiglu_op = make_op<shapes_swiglu, run_swiglu>("swiglu", 3, 3, 1, 0);

}  // namespace hadal::cuda
