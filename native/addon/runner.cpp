// See runner.h. The thread calls the ABI and nothing of JavaScript; results travel through a thread-safe
// function. Leaving: an environment's hook stops its runners before Node tears the environment down, and
// an exit handler does so where Node leaves without teardown (process.exit on the main thread).
#include "addon/runner.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "addon/states.h"

namespace hadal::addon {
namespace {

// Leaked on purpose: exit handlers and threads may outlive static destructors.
struct Registry {
  std::mutex mutex;
  std::set<Runner*> runners;
};

void halt_all();

Registry& registry() {
  static Registry* const instance = [] {
    std::atexit(halt_all);
    return new Registry;
  }();
  return *instance;
}

void halt_all() {
  Registry& all = registry();
  const std::lock_guard<std::mutex> lock(all.mutex);
  for (Runner* runner : all.runners) runner->halt();
}

void prepare_thread() {
  sigset_t mask;  // signals belong to Node's threads; faults concern this one
  sigfillset(&mask);
  for (const int fault : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF})
    sigdelset(&mask, fault);
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
#if defined(__APPLE__)
  pthread_setname_np("hadal-run");
#else
  pthread_setname_np(pthread_self(), "hadal-run");
#endif
}

void set_cancel(Job& job) { __atomic_store_n(&job.cancel, 1, __ATOMIC_RELAXED); }

}  // namespace

std::shared_ptr<Runner> Runner::create(napi_env env) {
  std::shared_ptr<Runner> runner(new Runner(env));
  napi_value name = nullptr;
  if (napi_create_string_utf8(env, "hadal run", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr,
                                      on_settled, &runner->messages_) != napi_ok)
    throw Failure{"ERR_HADAL_INTERNAL", "cannot make the device's message queue"};
  napi_unref_threadsafe_function(env, runner->messages_);
  // After the queue: hooks run in reverse order, and the thread must be gone before its queue is.
  if (napi_add_env_cleanup_hook(env, on_teardown, runner.get()) != napi_ok)
    throw Failure{"ERR_HADAL_INTERNAL", "cannot add an environment cleanup hook"};
  runner->hooked_ = true;
  Registry& all = registry();
  const std::lock_guard<std::mutex> lock(all.mutex);
  all.runners.insert(runner.get());
  return runner;
}

Runner::~Runner() {
  {
    Registry& all = registry();
    const std::lock_guard<std::mutex> lock(all.mutex);
    all.runners.erase(this);
  }
  stop();
  if (hooked_) napi_remove_env_cleanup_hook(env_, on_teardown, this);
  if (messages_ != nullptr) napi_release_threadsafe_function(messages_, napi_tsfn_release);
}

void Runner::on_teardown(void* data) {
  // The jobs dropped by stop() may hold the last references to the runner.
  const std::shared_ptr<Runner> runner = static_cast<Runner*>(data)->shared_from_this();
  runner->hooked_ = false;
  runner->stop();
  napi_release_threadsafe_function(runner->messages_, napi_tsfn_abort);
  runner->messages_ = nullptr;
}

void Runner::start_thread() {
  if (thread_.joinable()) return;
  try {
    thread_ = std::thread([this] { thread_main(); });
  } catch (const std::exception& error) {
    throw Failure{"ERR_HADAL_NO_MEMORY", std::string("cannot start a thread: ") + error.what()};
  }
}

napi_value Runner::submit(const std::shared_ptr<ProgramState>& program,
                          const int64_t (&dims)[HADAL_STEP_DIMS]) {
  start_thread();
  auto job = std::make_unique<Job>();
  job->runner = shared_from_this();
  job->program = program;
  job->native = program->native;
  std::copy(std::begin(dims), std::end(dims), job->dims);
  napi_value promise = nullptr;
  if (napi_create_promise(env_, &job->deferred, &promise) != napi_ok)
    throw Failure{"ERR_HADAL_INTERNAL", "cannot make a promise"};
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(std::move(job));
  }
  program->runs += 1;
  if (outstanding_++ == 0) napi_ref_threadsafe_function(env_, messages_);
  wake_.notify_one();
  return promise;
}

void Runner::cancel(const ProgramState* program) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto matches = [&](const Job& job) {
    return program == nullptr || job.program.get() == program;
  };
  if (current_ != nullptr && matches(*current_)) set_cancel(*current_);
  for (const auto& job : queue_)
    if (matches(*job)) set_cancel(*job);
}

void Runner::thread_main() {
  prepare_thread();
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    std::unique_ptr<Job> job = std::move(queue_.front());
    queue_.pop_front();
    current_ = job.get();
    lock.unlock();
    job->status = hadal_program_run(job->native.get(), job->dims, &job->cancel);
    if (job->status != HADAL_OK) job->error = hadal_last_error();
    lock.lock();
    current_ = nullptr;
    if (stopping_) {
      orphans_.push_back(std::move(job));
    } else if (napi_call_threadsafe_function(messages_, job.get(), napi_tsfn_nonblocking) ==
               napi_ok) {
      job.release();
    } else {
      orphans_.push_back(std::move(job));
    }
  }
}

void Runner::on_settled(napi_env env, napi_value, void*, void* data) {
  const std::unique_ptr<Job> job(static_cast<Job*>(data));
  if (env == nullptr) return;  // the environment is gone, and with it the promise
  const std::shared_ptr<Runner> runner = job->runner;
  runner->settle(env, *job);
}

void Runner::settle(napi_env env, const Job& job) {
  job.program->runs -= 1;
  outstanding_ -= 1;
  if (outstanding_ == 0) napi_unref_threadsafe_function(env, messages_);
  napi_value value = nullptr;
  if (job.status == HADAL_OK) {
    if (napi_get_undefined(env, &value) == napi_ok) napi_resolve_deferred(env, job.deferred, value);
  } else {
    value = make_error(env, code_of(job.status), job.error);
    if (value != nullptr) napi_reject_deferred(env, job.deferred, value);
  }
  if (outstanding_ > 0 || !closing_) return;
  stop();
  if (napi_get_undefined(env, &value) != napi_ok) return;
  for (napi_deferred waiter : std::exchange(close_waiters_, {}))
    napi_resolve_deferred(env, waiter, value);
}

napi_value Runner::close() {
  napi_value promise = nullptr, value = nullptr;
  napi_deferred deferred = nullptr;
  if (napi_create_promise(env_, &deferred, &promise) != napi_ok)
    throw Failure{"ERR_HADAL_INTERNAL", "cannot make a promise"};
  closing_ = true;
  if (outstanding_ > 0) {
    cancel(nullptr);
    close_waiters_.push_back(deferred);
    return promise;
  }
  stop();
  if (napi_get_undefined(env_, &value) == napi_ok) napi_resolve_deferred(env_, deferred, value);
  return promise;
}

void Runner::halt() {
  std::thread thread;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    if (current_ != nullptr) set_cancel(*current_);
    thread.swap(thread_);
  }
  wake_.notify_all();
  if (thread.joinable()) thread.join();
}

void Runner::stop() {
  halt();
  // Freed after the lock is: a job may hold the last reference to a program and its threads.
  std::deque<std::unique_ptr<Job>> queued;
  std::vector<std::unique_ptr<Job>> orphans;
  const std::lock_guard<std::mutex> lock(mutex_);
  queued.swap(queue_);
  orphans.swap(orphans_);
}

}  // namespace hadal::addon
