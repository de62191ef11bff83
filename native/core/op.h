// What an op is to the core: a name, counts, and a check that runs once at record time. How it runs is its
// device's business: on the host see host.h. The core knows no op by name.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor.h"

namespace hadal {

struct OpCall {
  std::span<const Argument> args;      // outputs first
  std::span<const double> attributes;

  const Tensor& operator[](size_t i) const { return args[i][0]; }
  bool has(size_t i) const { return i < args.size() && !args[i].empty(); }
  double attribute(size_t i) const { return attributes[i]; }
};

// check() sees shapes with every step dimension at its maximum, throws hadal::Error with expected, got
// and where, and must make running memory-safe for every smaller step. Values in index tensors are checked by
// the run, on the host; on a GPU a kernel leaves out what they would lead astray.
using CheckFn = void (*)(const OpCall&);

struct Op {
  const char* name;
  uint32_t min_arguments;
  uint32_t max_arguments;
  uint32_t outputs;  // leading arguments that the op writes; they must not lie in a mapped file
  uint32_t attributes;
  CheckFn check;
};

}  // namespace hadal
