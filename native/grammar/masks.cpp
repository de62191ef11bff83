// See masks.h.
#include "grammar/masks.h"

#include <algorithm>
#include <bit>

namespace hadal::grammar {

namespace {

// Bytes from which on it is worth to begin with the walk of the unlimited repeat.
constexpr uint32_t kAlike = 6;

}  // namespace

Masks::Masks(const Vocabulary& vocabulary, Automaton& automaton)
    : vocabulary_(vocabulary), automaton_(automaton), path_(vocabulary.longest() + 1, kDead) {}

Masks::Set Masks::pack(std::span<const uint32_t> words) {
  Set set;
  for (const uint32_t w : words) set.count += static_cast<uint32_t>(std::popcount(w));
  set.list = set.count < words.size();
  if (!set.list) {
    set.data.assign(words.begin(), words.end());
    return set;
  }
  set.data.reserve(set.count);
  for (uint32_t i = 0; i < words.size(); ++i)
    for (uint32_t w = words[i]; w != 0; w &= w - 1)
      set.data.push_back(i * 32 + static_cast<uint32_t>(std::countr_zero(w)));
  return set;
}

void Masks::unite(const Set& set, std::span<uint32_t> words) {
  if (set.list) {
    for (const uint32_t id : set.data) words[id / 32] |= 1u << (id % 32);
  } else {
    for (size_t i = 0; i < words.size(); ++i) words[i] |= set.data[i];
  }
}

uint32_t Masks::mask(State state, std::span<uint32_t> words) {
  std::fill(words.begin(), words.end(), 0u);
  auto found = masks_.find(state);
  if (found != masks_.end()) {
    unite(found->second, words);
    return found->second.count;
  }
  build(state, words);
  Set set = pack(words);
  memory_ += 64 + set.data.size() * 4;
  const uint32_t count = set.count;
  masks_.emplace(state, std::move(set));
  return count;
}

std::vector<std::pair<Stack, Stack>> Masks::cuts_of(State state) {
  std::vector<std::pair<Stack, Stack>> cuts;
  const std::vector<Stack> stacks(automaton_.stacks(state).begin(), automaton_.stacks(state).end());
  for (const Stack s : stacks) {
    if (s <= kOpen || automaton_.node(s).kind == Kind::token) continue;
    const Cut c = cut(s);
    cuts.emplace_back(c.rest, c.segment);
  }
  std::sort(cuts.begin(), cuts.end());
  return cuts;
}

void Masks::build(State state, std::span<uint32_t> words) {
  if (automaton_.has_end(state))
    for (const int32_t id : vocabulary_.ends()) set_bit(words, id);
  for (const Stack s : automaton_.stacks(state))
    if (s > kOpen && automaton_.node(s).kind == Kind::token)
      set_bit(words, static_cast<int32_t>(automaton_.node(s).a));
  // Stacks with the same rest make one segment state, or an enum of a thousand texts would take a thousand walks.
  const auto cuts = cuts_of(state);
  for (size_t i = 0; i < cuts.size();) {
    const Stack rest = cuts[i].first;
    std::vector<Stack> group;
    for (; i < cuts.size() && cuts[i].first == rest; ++i) group.push_back(cuts[i].second);
    const Segment& s = segment(automaton_.state_of(group));
    unite(s.tokens, words);
    if (s.exits.empty()) continue;
    const State after = automaton_.open(rest);
    for (const uint32_t node : s.exits) walk(after, node, {words});
  }
}

void Masks::warm(State state) {
  std::vector<Stack> group;
  for (const auto& [rest, segment] : cuts_of(state)) group.push_back(segment);
  if (!group.empty()) segment(automaton_.state_of(group));
}

const Masks::Segment& Masks::segment(State state) {
  const auto found = segments_.find(state);
  if (found != segments_.end()) return found->second;
  Segment made;
  std::vector<uint32_t> words(vocabulary_.words(), 0u);
  const Base base = base_of(state);
  if (base.bytes >= kAlike) {
    const Segment& alike = segment(base.state);
    unite(alike.tokens, words);
    for (const int32_t id : vocabulary_.longer_than(base.bytes))
      words[static_cast<uint32_t>(id) / 32] &= ~(1u << (static_cast<uint32_t>(id) % 32));
    for (const uint32_t node : alike.exits)
      if (vocabulary_.nodes()[node].depth <= base.bytes) made.exits.push_back(node);
    walk(state, 0, {words, &made.exits, base.bytes});
  } else {
    walk(state, 0, {words, &made.exits});
  }
  made.tokens = pack(words);
  memory_ += 96 + (made.tokens.data.size() + made.exits.size()) * 4;
  return segments_.emplace(state, std::move(made)).first->second;
}

// A round takes a byte or more. One byte less than the smallest count, because a text may end, or must go on,
// right after the last round.
Masks::Base Masks::base_of(State state) {
  const uint32_t most = vocabulary_.longest() + 1;
  uint32_t smallest = most;
  std::vector<Stack> full;
  const std::vector<Stack> stacks(automaton_.stacks(state).begin(), automaton_.stacks(state).end());
  for (const Stack stack : stacks) {
    std::vector<Frame> frames;
    Stack s = stack;
    for (; s > kOpen; s = automaton_.frame(s).tail) frames.push_back(automaton_.frame(s));
    for (; !frames.empty(); frames.pop_back()) {
      Frame f = frames.back();
      f.tail = s;
      if (automaton_.is_repeat(f)) {
        for (uint32_t* count : {&f.a, &f.b}) {
          if (*count == 0 || *count >= most) continue;
          smallest = std::min(smallest, *count);
          *count = most;
        }
      }
      s = automaton_.intern(f);
    }
    full.push_back(s);
  }
  if (smallest == most) return {state, 0};
  return {automaton_.state_of(full), smallest - 1};
}

// The frames down to the innermost rule's end, on a bottom of their own. A token of n bytes repeats anything
// n times at most, so larger counts all behave the same, and a limit of 1,000 costs no more walks than one of
// the longest token's bytes.
Masks::Cut Masks::cut(Stack stack) {
  const auto found = cuts_.find(stack);
  if (found != cuts_.end()) return found->second;
  std::vector<Frame> frames;
  Stack s = stack;
  for (; s > kOpen && !automaton_.is_back(s); s = automaton_.frame(s).tail) frames.push_back(automaton_.frame(s));
  Cut made{s > kOpen ? kOpen : s, s > kOpen ? automaton_.frame(s).tail : kEnd};
  const uint32_t most = vocabulary_.longest() + 1;
  for (; !frames.empty(); frames.pop_back()) {
    Frame f = frames.back();
    f.tail = made.segment;
    made.segment = automaton_.intern_clamped(f, most);
  }
  memory_ += 48;
  cuts_.emplace(stack, made);
  return made;
}

void Masks::walk(State state, uint32_t node, const Walk& to) {
  const TrieNode* trie = vocabulary_.nodes().data();
  const int32_t* ids = vocabulary_.ids().data();
  const uint32_t end = trie[node].end;
  path_[trie[node].depth] = state;
  size_t visited = 0;
  for (uint32_t i = node + 1; i < end; ++visited) {
    const TrieNode& n = trie[i];
    const State next = n.deepest > to.above ? automaton_.step(path_[n.depth - 1], n.byte) : kDead;
    if (next == kDead) {
      i = n.end;
      continue;
    }
    for (uint32_t t = n.first; t < trie[i + 1].first; ++t) set_bit(to.words, ids[t]);
    if (to.exits != nullptr && n.end > i + 1 && n.depth > to.above && automaton_.has_open(next))
      to.exits->push_back(i);
    path_[n.depth] = next;
    i = automaton_.only_bottom(next) ? n.end : i + 1;
  }
  automaton_.spend(visited / 8);
}

}  // namespace hadal::grammar
