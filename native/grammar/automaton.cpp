// See automaton.h. Expansion terminates because no rule begins with itself and no repeated node is empty.
#include "grammar/automaton.h"

#include <algorithm>

#include "core/status.h"

namespace hadal::grammar {

namespace {

uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
  return x ^ (x >> 32);
}

uint64_t hash(const Frame& f) {
  return mix(mix(static_cast<uint64_t>(f.node) << 32 | f.tail) + (static_cast<uint64_t>(f.a) << 32 | f.b));
}

bool same(const Frame& x, const Frame& y) {
  return x.node == y.node && x.a == y.a && x.b == y.b && x.tail == y.tail;
}

uint64_t hash(std::span<const Stack> stacks) {
  uint64_t h = stacks.size();
  for (const Stack s : stacks) h = mix(h * 31 + s);
  return h;
}

}  // namespace

Automaton::Automaton(const Ir& ir) : ir_(ir) {
  frames_.assign(2, {0xffffffffu, 0, 0, 0});  // the bottoms; never looked up
  frame_slots_.assign(1024, kUnknown);
  state_slots_.assign(1024, kUnknown);
  states_.emplace_back();  // kDead: no stacks, and every step from it stays
  states_[kDead].next = std::make_unique<uint32_t[]>(256);
}

void Automaton::spend(size_t work) {
  if (work > work_)
    fail(HADAL_ERROR_UNSUPPORTED,
         "grammar: expected at most %zu steps for one token, needed more: too many readings at once "
         "(nested or neighbouring repeats of the same text?)",
         kMostWork);
  work_ -= work;
}

size_t Automaton::memory() const {
  return frames_.capacity() * (sizeof(Frame) + 8) + frame_slots_.size() * 4 +
         states_.capacity() * sizeof(Entry) + members_.capacity() * 4 + state_slots_.size() * 4 +
         with_next_ * 1024;
}

Frame Automaton::fresh(uint32_t node, Stack tail) const {
  const Node& n = ir_.nodes[node];
  if (n.kind == Kind::repeat) return {node, n.b, n.c, tail};
  return {node, 0, 0, tail};
}

Stack Automaton::intern(const Frame& frame) {
  const size_t mask = frame_slots_.size() - 1;
  size_t slot = hash(frame) & mask;
  for (; frame_slots_[slot] != kUnknown; slot = (slot + 1) & mask)
    if (same(frames_[frame_slots_[slot]], frame)) return frame_slots_[slot];
  const auto id = static_cast<Stack>(frames_.size());
  frame_slots_[slot] = id;
  frames_.push_back(frame);
  if (frames_.size() * 2 > frame_slots_.size()) grow_frames();
  return id;
}

Stack Automaton::intern_clamped(Frame frame, uint32_t most) {
  if (ir_.nodes[frame.node].kind == Kind::repeat) {
    frame.a = std::min(frame.a, most);
    if (frame.b != kNoLimit) frame.b = std::min(frame.b, most);
  }
  return intern(frame);
}

void Automaton::grow_frames() {
  std::vector<uint32_t> slots(frame_slots_.size() * 2, kUnknown);
  const size_t mask = slots.size() - 1;
  for (Stack id = kOpen + 1; id < frames_.size(); ++id) {
    size_t slot = hash(frames_[id]) & mask;
    while (slots[slot] != kUnknown) slot = (slot + 1) & mask;
    slots[slot] = id;
  }
  frame_slots_.swap(slots);
}

// Replaces a stack by those that its top stands for.
void Automaton::expand(Stack stack, std::vector<Stack>& work) {
  const Frame f = frames_[stack];
  const Node& n = ir_.nodes[f.node];
  switch (n.kind) {
    case Kind::sequence:
      if (f.a >= n.b) {
        work.push_back(f.tail);
      } else {
        const Stack rest = f.a + 1 < n.b ? intern({f.node, f.a + 1, 0, f.tail}) : f.tail;
        work.push_back(push(ir_.parts(n)[f.a], rest));
      }
      break;
    case Kind::choice:
      for (const uint32_t part : ir_.parts(n)) work.push_back(push(part, f.tail));
      break;
    case Kind::repeat: {
      if (f.a == 0) work.push_back(f.tail);
      const uint32_t left = f.b == kNoLimit ? kNoLimit : f.b - 1;
      const Stack rest = left == 0 ? f.tail : intern({f.node, f.a > 0 ? f.a - 1 : 0, left, f.tail});
      work.push_back(push(n.a, rest));
      break;
    }
    case Kind::rule: {
      // A call in last place needs no way back of its own.
      const bool last = f.tail <= kOpen || is_back(f.tail);
      work.push_back(push(ir_.rules[n.a], last ? f.tail : intern({ir_.back, 0, 0, f.tail})));
      break;
    }
    default: work.push_back(f.tail);  // back
  }
}

// Appends the stacks with a matchable top that `stack` stands for.
void Automaton::add_closure(Stack stack, std::vector<Stack>& out) {
  std::vector<Stack> work = {stack};
  ++expansion_;
  while (!work.empty()) {
    const Stack s = work.back();
    work.pop_back();
    if (s >= seen_.size()) seen_.resize(std::max<size_t>(frames_.size(), seen_.size() * 2), 0);
    if (seen_[s] == expansion_) continue;
    seen_[s] = expansion_;
    spend(1);
    if (s > kOpen && ir_.nodes[frames_[s].node].kind > Kind::token) {
      expand(s, work);
      continue;
    }
    out.push_back(s);
  }
}

State Automaton::open(Stack stack) {
  if (stack < opened_.size() && opened_[stack] != kUnknown) return opened_[stack];
  std::vector<Stack> stacks;
  add_closure(stack, stacks);
  const State state = state_of(stacks);
  if (stack >= opened_.size()) opened_.resize(frames_.size(), kUnknown);
  opened_[stack] = state;
  return state;
}

State Automaton::state_of(std::vector<Stack>& stacks) {
  std::sort(stacks.begin(), stacks.end());
  stacks.erase(std::unique(stacks.begin(), stacks.end()), stacks.end());
  if (stacks.empty()) return kDead;
  if (stacks.size() > kMostStacks)
    fail(HADAL_ERROR_UNSUPPORTED,
         "grammar: expected at most %zu readings of a text at once, got %zu (nested or neighbouring "
         "repeats of the same text?)",
         kMostStacks, stacks.size());
  const size_t mask = state_slots_.size() - 1;
  size_t slot = hash(stacks) & mask;
  for (; state_slots_[slot] != kUnknown; slot = (slot + 1) & mask) {
    const auto other = this->stacks(state_slots_[slot]);
    if (std::equal(other.begin(), other.end(), stacks.begin(), stacks.end())) return state_slots_[slot];
  }
  const auto id = static_cast<State>(states_.size());
  state_slots_[slot] = id;
  Entry& entry = states_.emplace_back();
  entry.begin = static_cast<uint32_t>(members_.size());
  entry.count = static_cast<uint32_t>(stacks.size());
  members_.insert(members_.end(), stacks.begin(), stacks.end());
  for (const Stack s : stacks) {
    entry.end |= s == kEnd;
    entry.open |= s == kOpen;
    entry.tokens |= s > kOpen && node(s).kind == Kind::token;
  }
  if (states_.size() * 2 > state_slots_.size()) grow_states();
  return id;
}

void Automaton::grow_states() {
  std::vector<uint32_t> slots(state_slots_.size() * 2, kUnknown);
  const size_t mask = slots.size() - 1;
  for (State id = kDead + 1; id < states_.size(); ++id) {
    size_t slot = hash(stacks(id)) & mask;
    while (slots[slot] != kUnknown) slot = (slot + 1) & mask;
    slots[slot] = id;
  }
  state_slots_.swap(slots);
}

State Automaton::step_slowly(State state, uint8_t byte) {
  std::vector<Stack> out;
  // By index: members_ may move while stacks are opened.
  const uint32_t begin = states_[state].begin, count = states_[state].count;
  spend(count);
  for (uint32_t i = 0; i < count; ++i) {
    const Stack s = members_[begin + i];
    if (s <= kOpen) continue;
    const Node& n = node(s);
    const Frame f = frames_[s];
    if (n.kind == Kind::literal && ir_.pool[n.a + f.a] == byte) {
      if (f.a + 1 < n.b) {
        out.push_back(intern({f.node, f.a + 1, 0, f.tail}));
        continue;
      }
    } else if (n.kind != Kind::bytes || !ir_.classes[n.a][byte]) {
      continue;
    }
    const auto after = stacks(open(f.tail));
    out.insert(out.end(), after.begin(), after.end());
  }
  const State next = state_of(out);
  Entry& entry = states_[state];
  if (!entry.next) {
    entry.next = std::make_unique<uint32_t[]>(256);
    std::fill_n(entry.next.get(), 256, kUnknown);
    ++with_next_;
  }
  entry.next[byte] = next;
  return next;
}

int Automaton::only_byte(State state) const {
  const auto all = stacks(state);
  if (all.size() != 1 || all[0] <= kOpen) return -1;
  const Node& n = node(all[0]);
  if (n.kind == Kind::literal) return ir_.pool[n.a + frames_[all[0]].a];
  if (n.kind != Kind::bytes || ir_.classes[n.a].count() != 1) return -1;
  int byte = 0;
  while (!ir_.classes[n.a][static_cast<size_t>(byte)]) ++byte;
  return byte;
}

State Automaton::step_token(State state, int32_t id) {
  std::vector<Stack> out;
  const uint32_t begin = states_[state].begin, count = states_[state].count;
  for (uint32_t i = 0; i < count; ++i) {
    const Stack s = members_[begin + i];
    if (s <= kOpen || node(s).kind != Kind::token || node(s).a != static_cast<uint32_t>(id)) continue;
    const auto after = stacks(open(frames_[s].tail));
    out.insert(out.end(), after.begin(), after.end());
  }
  return state_of(out);
}

}  // namespace hadal::grammar
