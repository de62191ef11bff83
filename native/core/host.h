// Ops that run on the host: two bodies each, the scalar oracle and the vectorised one, and what a body may use
// meanwhile. CPU ops register in cpu/table.cpp.
#pragma once

#include "core/op.h"
#include "core/thread_pool.h"

namespace hadal {

// Everything that an op may use while it runs. One per device; runs on a device are serialised.
struct Context {
  ThreadPool& pool;
  const void* kernels;  // the backend's table of vector kernels for the chosen instruction set

  // Scratch memory that lives until the op returns; 64-byte aligned, contents undefined.
  // Call from the thread that runs the program, before a parallel region.
  void* scratch(size_t bytes);

  struct Arena& arena;
};

using RunFn = void (*)(Context&, const OpCall&);

struct HostOp : Op {
  RunFn reference;
  RunFn fast;
};

// A list of ops and a way to make what Context::kernels points at.
struct HostBackend {
  const char* name;
  std::span<const HostOp> ops;
  // isa: "" for the best; throws hadal::Error(HADAL_ERROR_UNSUPPORTED) naming what this CPU has.
  const void* (*kernels)(const char* isa);
  const char* (*isa_name)(const void* kernels);
};

const HostBackend& cpu_backend();  // defined in native/cpu/table.cpp

}  // namespace hadal
