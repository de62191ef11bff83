// A device's own thread: runs programs in the order in which they were submitted and settles their
// promises on the JavaScript thread. All methods are called on the JavaScript thread of one environment.
#pragma once

#include <node_api.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "hadal/hadal.h"

namespace hadal::addon {

class Runner;
struct ProgramState;

// One run. Owned by the queue, then by the message to the JavaScript thread, which frees it.
struct Job {
  std::shared_ptr<Runner> runner;
  std::shared_ptr<ProgramState> program;  // counts its runs; touched on the JavaScript thread only
  std::shared_ptr<hadal_program> native;  // alive although the program's handle may be released
  int64_t dims[HADAL_STEP_DIMS];
  int32_t cancel = 0;  // atomic accesses only
  napi_deferred deferred = nullptr;
  hadal_status status = HADAL_OK;
  std::string error;
};

class Runner : public std::enable_shared_from_this<Runner> {
 public:
  static std::shared_ptr<Runner> create(napi_env env);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Queues a run and returns its promise. Keeps the event loop alive until it is settled.
  napi_value submit(const std::shared_ptr<ProgramState>& program,
                    const int64_t (&dims)[HADAL_STEP_DIMS]);
  // Asks the runs of one program (nullptr: of all) to stop between two ops.
  void cancel(const ProgramState* program);
  // Cancels everything; the promise resolves when all is settled and the thread has ended.
  napi_value close();
  // Cancels and joins the thread at once; what was queued stays unsettled. Frees nothing, so that it
  // may be called while the process exits.
  void halt();

 private:
  explicit Runner(napi_env env) : env_(env) {}
  void stop();  // halt(), then frees what was queued
  void start_thread();
  void thread_main();
  void settle(napi_env env, const Job& job);
  static void on_settled(napi_env env, napi_value, void*, void* data);
  static void on_teardown(void* runner);

  const napi_env env_;
  napi_threadsafe_function messages_ = nullptr;
  bool hooked_ = false;
  uint32_t outstanding_ = 0;  // submitted and not yet settled
  bool closing_ = false;
  std::vector<napi_deferred> close_waiters_;

  std::mutex mutex_;  // for everything below
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Job>> queue_;
  Job* current_ = nullptr;
  bool stopping_ = false;
  std::vector<std::unique_ptr<Job>> orphans_;  // finished after stop() began
  std::thread thread_;
};

}  // namespace hadal::addon
