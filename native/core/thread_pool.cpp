// One atomic word, the gate, says which region is open and how many workers are inside. The caller opens
// it, works along, closes it, and waits only for workers that really entered, so a worker that the system
// wakes late costs nothing. Sleepers are counted to save the system call when nobody sleeps.
#include "core/thread_pool.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/status.h"

namespace hadal {
namespace {

constexpr uint64_t kOpen = uint64_t{1} << 31;
constexpr uint64_t kInside = kOpen - 1;  // mask of the count of workers inside
constexpr uint64_t kEpoch = uint64_t{1} << 32;
constexpr auto kSpin = std::chrono::microseconds(20);

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until ready() or until kSpin has passed; returns whether it is ready.
template <typename Ready>
bool spin(Ready&& ready) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return ready();
}

// The pool whose region this thread is in, and its number there: a nested region runs inline.
thread_local const void* current_pool = nullptr;
thread_local int current_thread = 0;

void prepare_worker_thread(int index) {
  // Signals belong to the host's own threads; faults stay open because they concern this thread.
  sigset_t mask;
  sigfillset(&mask);
  for (const int fault : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF})
    sigdelset(&mask, fault);
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  char name[16];
  std::snprintf(name, sizeof(name), "hadal-%d", index);
#if defined(__APPLE__)
  pthread_setname_np(name);
#else
  pthread_setname_np(pthread_self(), name);
#endif
}

}  // namespace

struct ThreadPool::State {
  alignas(64) std::atomic<uint64_t> gate{0};
  alignas(64) std::atomic<int64_t> next{0};
  alignas(64) std::atomic<int> sleepers{0};
  std::atomic<bool> caller_waits{false};
  std::atomic<bool> stop{false};

  // The open region; written while the gate is closed and nobody is inside.
  Thunk thunk = nullptr;
  void* body = nullptr;
  int64_t count = 0;
  int64_t grain = 1;

  std::mutex error_mutex;
  std::exception_ptr error;

  std::mutex region_mutex;  // two outside callers take turns
  std::mutex mutex;         // for the two condition variables
  std::condition_variable wake;
  std::condition_variable done;
  std::vector<std::thread> workers;

  void work(int thread) {
    current_pool = this;
    current_thread = thread;
    try {
      for (;;) {
        const int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
        if (begin >= count) break;
        thunk(body, begin, std::min(begin + grain, count), thread);
      }
    } catch (...) {
      next.store(count, std::memory_order_relaxed);
      const std::lock_guard<std::mutex> lock(error_mutex);
      if (!error) error = std::current_exception();
    }
    current_pool = nullptr;
  }

  bool enter(uint64_t& seen) {
    uint64_t value = gate.load();
    while ((value & kOpen) != 0) {
      if (gate.compare_exchange_weak(value, value + 1)) {
        seen = value / kEpoch;
        return true;
      }
    }
    seen = value / kEpoch;
    return false;
  }

  void leave() {
    const uint64_t before = gate.fetch_sub(1);
    if ((before & kOpen) == 0 && (before & kInside) == 1 && caller_waits.load()) {
      const std::lock_guard<std::mutex> lock(mutex);
      done.notify_all();
    }
  }

  void worker_main(int index) {
    prepare_worker_thread(index);
    uint64_t seen = 0;
    const auto changed = [&] { return gate.load() / kEpoch != seen || stop.load(); };
    for (;;) {
      if (!spin(changed)) {
        std::unique_lock<std::mutex> lock(mutex);
        sleepers.fetch_add(1);
        wake.wait(lock, changed);
        sleepers.fetch_sub(1);
      }
      if (stop.load()) return;
      if (!enter(seen)) continue;
      work(index);
      leave();
    }
  }

  void open(int64_t ranges) {
    gate.store((gate.load() / kEpoch + 1) * kEpoch | kOpen);
    const int64_t asleep = sleepers.load();
    if (asleep == 0) return;
    { const std::lock_guard<std::mutex> lock(mutex); }
    if (ranges - 1 >= asleep) {
      wake.notify_all();
    } else {
      for (int64_t i = 0; i < ranges - 1; ++i) wake.notify_one();
    }
  }

  void close() {
    gate.fetch_and(~kOpen);
    const auto empty = [&] { return (gate.load() & kInside) == 0; };
    if (spin(empty)) return;
    caller_waits.store(true);
    std::unique_lock<std::mutex> lock(mutex);
    done.wait(lock, empty);
    caller_waits.store(false);
  }

  void shut_down() {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      stop.store(true);
    }
    wake.notify_all();
    for (std::thread& worker : workers) worker.join();
  }
};

ThreadPool::ThreadPool(int threads) : threads_(threads), state_(std::make_unique<State>()) {
  if (threads < 1 || threads > 4096)
    fail(HADAL_ERROR_INVALID, "threads: expected 1..4096, got %d", threads);
  try {
    state_->workers.reserve(static_cast<size_t>(threads - 1));
    for (int i = 1; i < threads; ++i)
      state_->workers.emplace_back([state = state_.get(), i] { state->worker_main(i); });
  } catch (const std::exception& error) {
    const size_t started = state_->workers.size() + 1;
    state_->shut_down();
    fail(HADAL_ERROR_NO_MEMORY, "threads: asked for %d, the system gave %zu (%s)", threads, started,
         error.what());
  }
}

ThreadPool::~ThreadPool() { state_->shut_down(); }

void ThreadPool::run(int64_t count, int64_t grain, void* body, Thunk thunk) {
  if (count <= 0) return;
  State& state = *state_;
  grain = std::clamp<int64_t>(grain, 1, count);
  const int64_t ranges = (count - 1) / grain + 1;
  if (threads_ == 1 || ranges == 1 || current_pool == &state) {
    const int thread = current_pool == &state ? current_thread : 0;
    for (int64_t begin = 0; begin < count; begin += grain)
      thunk(body, begin, std::min(begin + grain, count), thread);
    return;
  }
  const std::lock_guard<std::mutex> region(state.region_mutex);
  const void* outer_pool = current_pool;
  const int outer_thread = current_thread;
  state.thunk = thunk;
  state.body = body;
  state.count = count;
  state.grain = grain;
  state.next.store(0, std::memory_order_relaxed);
  state.open(ranges);
  state.work(0);
  state.close();
  current_pool = outer_pool;
  current_thread = outer_thread;
  if (state.error) std::rethrow_exception(std::exchange(state.error, nullptr));
}

}  // namespace hadal
