// Who knows what has happened. Within a group (a cluster's blocks, mostly one block) every agent
// has a number and a time that grows when it releases something; knowledge of a group is a vector
// of times, shared and never changed once it is handed out, so that a barrier costs one vector and
// not one a thread. What is known of other groups of the grid hangs beside it and is mostly absent.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

namespace hadal::simt {

// Times by agent; agents past the end have time 0.
struct Times {
  uint32_t references;
  uint32_t size;
  uint32_t capacity;
  uint32_t at[1];
};

// Counted reference to Times, from a pool.
class Known {
 public:
  Known() = default;
  Known(const Known& other) : times_(other.times_) {
    if (times_) ++times_->references;
  }
  Known(Known&& other) noexcept : times_(std::exchange(other.times_, nullptr)) {}
  Known& operator=(Known other) noexcept { return std::swap(times_, other.times_), *this; }
  ~Known() { release(); }

  uint32_t operator[](uint32_t agent) const {
    return times_ != nullptr && agent < times_->size ? times_->at[agent] : 0;
  }
  explicit operator bool() const { return times_ != nullptr; }
  bool operator==(const Known& other) const { return times_ == other.times_; }

  // A copy of `from` (or nothing) with room for `agents`, that set() may change until it is shared.
  static Known copy(const Known& from, uint32_t agents);
  void set(uint32_t agent, uint32_t time) {
    if (times_->at[agent] < time) times_->at[agent] = time;
  }
  void join(const Known& other);  // into this one, which is not shared
  bool covers(const Known& other) const;
  // What both know: one of the two if it covers the other.
  static Known united(const Known& a, const Known& b);

 private:
  void release();
  Times* times_ = nullptr;
};

// Knowledge of groups, by their number: never changed once made.
using Groups = std::map<uint32_t, Known>;
using Elsewhere = std::shared_ptr<const Groups>;
Elsewhere united(const Elsewhere& a, const Elsewhere& b);

// A thread's.
struct Clock {
  uint32_t agent = 0;
  uint32_t time = 1;  // accesses from now on
  // Up to where its own are published to the asynchronous proxy: in shared memory, in global
  // memory.
  uint32_t published_time = 0, published_global_time = 0;
  Known known, published;  // of its group; published in global memory: at agent + agents of threads
  Elsewhere elsewhere;
};

// What threads that meet bring together.
struct Gathered {
  Known known, published;
  Elsewhere elsewhere;

  void add(const Clock& clock, uint32_t agents, uint32_t thread_agents);
  void give(Clock& clock) const;
  // To one whose clock was added and has not changed since.
  void give_member(Clock& clock) const {
    clock.known = known;
    clock.published = published;
    clock.elsewhere = elsewhere;
  }
  void clear() { *this = Gathered(); }

 private:
  Known last_known_, last_published_;
};

}  // namespace hadal::simt
