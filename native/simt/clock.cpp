// See clock.h.
#include "simt/clock.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace hadal::simt {
namespace {

constexpr uint32_t kStep = 64;  // capacities are multiples of it

// Freed vectors by capacity, for the whole process: millions are made and dropped in a run. Never
// destroyed, as statics that hold a Known may outlive it.
std::vector<std::vector<Times*>>& pool() {
  static auto* free = new std::vector<std::vector<Times*>>;
  return *free;
}

Times* make(uint32_t size) {
  const uint32_t capacity = (size + kStep - 1) / kStep * kStep;
  auto& free = pool();
  if (free.size() <= capacity / kStep) free.resize(capacity / kStep + 1);
  auto& list = free[capacity / kStep];
  Times* times;
  if (list.empty()) {
    times = static_cast<Times*>(std::malloc(offsetof(Times, at) + capacity * sizeof(uint32_t)));
  } else {
    times = list.back();
    list.pop_back();
  }
  times->references = 1;
  times->size = size;
  times->capacity = capacity;
  return times;
}

}  // namespace

void Known::release() {
  if (times_ == nullptr || --times_->references > 0) return;
  pool()[times_->capacity / kStep].push_back(times_);
}

Known Known::copy(const Known& from, uint32_t agents) {
  const uint32_t had = from.times_ != nullptr ? from.times_->size : 0;
  Known result;
  result.times_ = make(std::max(had, agents));
  if (had > 0) std::memcpy(result.times_->at, from.times_->at, had * sizeof(uint32_t));
  std::fill(result.times_->at + had, result.times_->at + result.times_->size, 0u);
  return result;
}

void Known::join(const Known& other) {
  if (other.times_ == nullptr || other.times_ == times_) return;
  if (times_ == nullptr || times_->size < other.times_->size)
    *this = copy(*this, other.times_->size);
  uint32_t* to = times_->at;
  const uint32_t* from = other.times_->at;
  for (uint32_t i = 0; i < other.times_->size; ++i) to[i] = to[i] < from[i] ? from[i] : to[i];
}

bool Known::covers(const Known& other) const {
  if (other.times_ == nullptr || other.times_ == times_) return true;
  if (times_ == nullptr || times_->size < other.times_->size) return false;
  uint32_t behind = 0;
  for (uint32_t i = 0; i < other.times_->size; ++i) behind |= times_->at[i] < other.times_->at[i];
  return behind == 0;
}

Known Known::united(const Known& a, const Known& b) {
  if (a.covers(b)) return a;
  if (b.covers(a)) return b;
  Known both = copy(a, 0);
  both.join(b);
  return both;
}

Elsewhere united(const Elsewhere& a, const Elsewhere& b) {
  if (b == nullptr || a == b) return a;
  if (a == nullptr) return b;
  auto both = std::make_shared<Groups>(*a);
  for (const auto& [group, known] : *b) {
    Known& mine = (*both)[group];
    mine = Known::united(mine, known);
  }
  return both;
}

void Gathered::add(const Clock& clock, uint32_t agents, uint32_t thread_agents) {
  if (!known) {
    known = Known::copy(clock.known, agents);
    last_known_ = clock.known;
  } else if (!(clock.known == last_known_)) {
    known.join(clock.known);
    last_known_ = clock.known;
  }
  known.set(clock.agent, clock.time);
  if (clock.published || clock.published_time > 0 || clock.published_global_time > 0) {
    if (!published) {
      published = Known::copy(clock.published, 2 * thread_agents);
      last_published_ = clock.published;
    } else if (!(clock.published == last_published_)) {
      published.join(clock.published);
      last_published_ = clock.published;
    }
    published.set(clock.agent, clock.published_time);
    published.set(thread_agents + clock.agent, clock.published_global_time);
  }
  elsewhere = united(elsewhere, clock.elsewhere);
}

void Gathered::give(Clock& clock) const {
  clock.known = Known::united(known, clock.known);
  clock.published = Known::united(published, clock.published);
  clock.elsewhere = united(elsewhere, clock.elsewhere);
}

}  // namespace hadal::simt
