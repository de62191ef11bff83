// A device: a pool of threads, scratch memory, and the kernels chosen for this CPU. Programs share it;
// `run_mutex` serialises their runs, so ops may use the pool and the arena without further locks.
#pragma once

#include <memory>
#include <mutex>

#include "core/arena.h"
#include "core/op.h"
#include "core/thread_pool.h"

namespace hadal {

struct Device {
  // threads 0: the physical cores that this process may use. isa "": the best there is.
  Device(const Backend& backend, int threads, const char* isa);

  const Backend& backend;
  const void* kernels;
  ThreadPool pool;
  Arena arena;
  std::mutex run_mutex;

  const Op* find_op(const char* name) const;  // nullptr when there is none
};

}  // namespace hadal
