// The backend's ops: what a program may name on a GPU. Each has the name and the meaning of the CPU's op; its check
// also says what its kernels ask for. The list is ops.cpp's, the bodies are in bind/.
#pragma once

#include <span>

#include "core/op.h"
#include "cuda/memory.h"
#include "cuda/queue.h"

namespace hadal::cuda {

// What an op's body may use: it starts kernels and returns, nothing has run yet.
struct Context {
  Queue& queue;
  DeviceArena* arena;  // nullptr while an op is checked

  // Device memory for this op's kernels; 256-byte aligned, contents undefined.
  template <typename T = void>
  T* scratch(uint64_t bytes) {
    return static_cast<T*>(arena != nullptr ? arena->allocate(bytes) : reinterpret_cast<void*>(256));
  }
};

struct CudaOp : Op {
  void (*run)(Context&, const OpCall&);
};

std::span<const CudaOp* const> all_ops();

}  // namespace hadal::cuda
