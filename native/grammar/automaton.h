// The pushdown automaton of a grammar, made deterministic as it is used. A stack is a list of frames that
// are still to be matched, each stored once; a state is a set of stacks whose tops all match a byte or a
// token id (or are one of the two bottoms), stored once with its transitions. Owned by a grammar, under its lock.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "grammar/ir.h"

namespace hadal::grammar {

using Stack = uint32_t;
using State = uint32_t;

// Bottoms. kEnd: the text may end. kOpen: what follows is not known (a segment, see masks.h).
inline constexpr Stack kEnd = 0, kOpen = 1;
inline constexpr State kDead = 0;

struct Frame {
  uint32_t node;
  uint32_t a;  // literal: bytes matched; sequence: parts done; repeat: still needed
  uint32_t b;  // repeat: still allowed, or kNoLimit
  Stack tail;
};

class Automaton {
 public:
  explicit Automaton(const Ir& ir);

  // The state in which a stack's top is to be matched.
  State open(Stack stack);
  Stack push(uint32_t node, Stack tail) { return intern(fresh(node, tail)); }
  Stack intern(const Frame& frame);
  // The same with a repeat's counts, as far as they have a limit, at most `most`.
  Stack intern_clamped(Frame frame, uint32_t most);
  // The state that holds these stacks; each must match a byte or an id, or be a bottom.
  State state_of(std::vector<Stack>& stacks);

  State step(State state, uint8_t byte) {
    const uint32_t* next = states_[state].next.get();
    return next != nullptr && next[byte] != kUnknown ? next[byte] : step_slowly(state, byte);
  }
  State step_token(State state, int32_t id);

  std::span<const Stack> stacks(State state) const {
    const Entry& e = states_[state];
    return {members_.data() + e.begin, e.count};
  }
  const Frame& frame(Stack stack) const { return frames_[stack]; }
  const Node& node(Stack stack) const { return ir_.nodes[frames_[stack].node]; }
  bool is_repeat(const Frame& frame) const { return ir_.nodes[frame.node].kind == Kind::repeat; }
  bool is_back(Stack stack) const { return stack > kOpen && frames_[stack].node == ir_.back; }
  bool has_end(State state) const { return states_[state].end; }
  bool has_open(State state) const { return states_[state].open; }
  bool has_tokens(State state) const { return states_[state].tokens; }
  bool only_bottom(State state) const {
    const Entry& e = states_[state];
    return e.count == 1 && (e.end || e.open);
  }

  // The byte of a state that allows one byte and nothing else, or -1.
  int only_byte(State state) const;

  // Bytes of memory in use, roughly.
  size_t memory() const;
  // Work allowed until the next call; a grammar so ambiguous that it needs more throws UNSUPPORTED.
  void allow_work() { work_ = kMostWork; }
  void spend(size_t work);

 private:
  static constexpr uint32_t kUnknown = 0xffffffffu;
  static constexpr size_t kMostWork = 1u << 21;
  static constexpr size_t kMostStacks = 4096;

  struct Entry {
    uint32_t begin = 0, count = 0;
    bool end = false, open = false, tokens = false;
    std::unique_ptr<uint32_t[]> next;  // 256 states, made at first use
  };

  Frame fresh(uint32_t node, Stack tail) const;
  void expand(Stack stack, std::vector<Stack>& work);
  void add_closure(Stack stack, std::vector<Stack>& out);
  State step_slowly(State state, uint8_t byte);
  void grow_frames();
  void grow_states();

  const Ir& ir_;
  std::vector<Frame> frames_;
  std::vector<uint32_t> frame_slots_;
  std::vector<State> opened_;  // per stack: the state of open(), or kUnknown
  std::vector<uint32_t> seen_;  // per stack: the expansion that met it last
  uint32_t expansion_ = 0;
  std::vector<Entry> states_;
  std::vector<Stack> members_;
  std::vector<uint32_t> state_slots_;
  size_t with_next_ = 0;
  size_t work_ = kMostWork;
};

}  // namespace hadal::grammar
