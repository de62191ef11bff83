// What an op is to the core: a name, a check that runs once at record time, and two bodies, the
// scalar oracle and the vectorised one. CPU ops register in cpu/table.cpp; the core knows no op by name.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor.h"
#include "core/thread_pool.h"

namespace hadal {

// Everything that an op may use while it runs. One per device; runs on a device are serialised.
struct Context {
  ThreadPool& pool;
  const void* kernels;  // the CPU backend's table of vector kernels for the chosen instruction set

  // Scratch memory that lives until the op returns; 64-byte aligned, contents undefined.
  // Call from the thread that runs the program, before a parallel region.
  void* scratch(size_t bytes);

  struct Arena& arena;
};

struct OpCall {
  std::span<const Argument> args;      // outputs first
  std::span<const double> attributes;

  const Tensor& operator[](size_t i) const { return args[i][0]; }
  bool has(size_t i) const { return i < args.size() && !args[i].empty(); }
  double attribute(size_t i) const { return attributes[i]; }
};

// check() sees shapes with every step dimension at its maximum, throws hadal::Error with expected, got
// and where, and must make run() memory-safe for every smaller step. Values in index tensors are checked by run().
using CheckFn = void (*)(const OpCall&);
using RunFn = void (*)(Context&, const OpCall&);

struct Op {
  const char* name;
  uint32_t min_arguments;
  uint32_t max_arguments;
  uint32_t outputs;  // leading arguments that the op writes; they must not lie in a mapped file
  uint32_t attributes;
  CheckFn check;
  RunFn reference;
  RunFn fast;
};

// A backend: a list of ops and a way to make what Context::kernels points at.
struct Backend {
  const char* name;
  std::span<const Op> ops;
  // isa: "" for the best; throws hadal::Error(HADAL_ERROR_UNSUPPORTED) naming what this CPU has.
  const void* (*kernels)(const char* isa);
  const char* (*isa_name)(const void* kernels);
};

const Backend& cpu_backend();  // defined in native/cpu/table.cpp

}  // namespace hadal
