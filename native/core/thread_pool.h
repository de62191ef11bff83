// A persistent pool: the calling thread plus threads-1 workers. Workers spin for a few microseconds
// after a region and then sleep in the kernel, so an idle process burns nothing. One region at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace hadal {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  // Calls body(begin, end, thread) for disjoint ranges that cover [0, count), each at most `grain`
  // long, handed out dynamically. An exception of any body is rethrown here after all have stopped.
  template <typename Body>
  void parallel_for(int64_t count, int64_t grain, Body&& body) {
    void* address = const_cast<void*>(static_cast<const void*>(std::addressof(body)));
    run(count, grain, address, [](void* b, int64_t begin, int64_t end, int thread) {
      (*static_cast<std::remove_reference_t<Body>*>(b))(begin, end, thread);
    });
  }

 private:
  using Thunk = void (*)(void* body, int64_t begin, int64_t end, int thread);
  void run(int64_t count, int64_t grain, void* body, Thunk thunk);

  int threads_;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hadal
