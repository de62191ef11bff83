// Which tokens may come next in a state. The trie is walked with the automaton's transitions; a subtree whose
// byte leads nowhere is skipped whole.
//
// Most of a walk depends on the innermost rule alone (a string's body is the same wherever the string stands).
// So a stack is cut where its innermost rule ends: the part above, ended by kOpen, is its segment. A segment's
// walk is kept: the tokens that stay inside it, and its exits, the trie nodes at which it was finished with
// bytes of the token to spare. A state's mask is its segments' masks and short walks from the exits.
//
// A repeat with n rounds left behaves like one without a limit for n bytes, so its segment's walk is that one's,
// and only tokens longer than that are walked again.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/vocabulary.h"

namespace hadal::grammar {

class Masks {
 public:
  Masks(const Vocabulary& vocabulary, Automaton& automaton);

  // Sets the bits of the allowed ids, clears all others; returns how many are set.
  uint32_t mask(State state, std::span<uint32_t> words);
  // Walks the segments of a state, as a rule's body has them, before they are needed.
  void warm(State state);
  // Bytes of memory in use, roughly.
  size_t memory() const { return memory_; }

 private:
  // A set of ids: their list when that is shorter than the bits.
  struct Set {
    std::vector<uint32_t> data;
    bool list = false;
    uint32_t count = 0;
  };
  struct Segment {
    Set tokens;
    std::vector<uint32_t> exits;
  };
  struct Cut {
    Stack segment;
    Stack rest;  // below the segment; kEnd when the segment goes to the bottom itself
  };

  // A segment state whose counts are all at their largest, and the bytes during which both behave alike.
  struct Base {
    State state;
    uint32_t bytes;
  };
  struct Walk {
    std::span<uint32_t> words;
    std::vector<uint32_t>* exits = nullptr;  // where to note them, or nowhere
    uint32_t above = 0;                      // only tokens and exits of more bytes than this
  };

  Cut cut(Stack stack);
  std::vector<std::pair<Stack, Stack>> cuts_of(State state);  // rest and segment, sorted
  Base base_of(State state);
  const Segment& segment(State state);
  void walk(State state, uint32_t node, const Walk& to);
  void build(State state, std::span<uint32_t> words);
  static Set pack(std::span<const uint32_t> words);
  static void unite(const Set& set, std::span<uint32_t> words);
  static void set_bit(std::span<uint32_t> words, int32_t id) {
    words[static_cast<uint32_t>(id) / 32] |= 1u << (static_cast<uint32_t>(id) % 32);
  }

  const Vocabulary& vocabulary_;
  Automaton& automaton_;
  std::unordered_map<State, Segment> segments_;
  std::unordered_map<State, Set> masks_;
  std::unordered_map<Stack, Cut> cuts_;
  std::vector<State> path_;  // of the walk, by depth
  size_t memory_ = 0;
};

}  // namespace hadal::grammar
