// See masks.h.
#include "grammar/masks.h"

#include <algorithm>
#include <bit>

namespace hadal::grammar {

Masks::Masks(const Vocabulary& vocabulary, Automaton& automaton)
    : vocabulary_(vocabulary), automaton_(automaton), path_(vocabulary.longest() + 1, kDead) {}

void Masks::clear() {
  segments_.clear();
  masks_.clear();
  cuts_.clear();
  memory_ = 0;
}

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

void Masks::build(State state, std::span<uint32_t> words) {
  if (automaton_.has_end(state))
    for (const int32_t id : vocabulary_.ends()) set_bit(words, id);
  // Stacks with the same rest make one segment state, or an enum of a thousand texts would take a thousand walks.
  std::vector<std::pair<Stack, Stack>> cuts;  // rest, segment
  const std::vector<Stack> stacks(automaton_.stacks(state).begin(), automaton_.stacks(state).end());
  for (const Stack s : stacks) {
    if (s <= kOpen) continue;
    const Node& n = automaton_.node(s);
    if (n.kind == Kind::token) {
      set_bit(words, static_cast<int32_t>(n.a));
      continue;
    }
    const Cut c = cut(s);
    cuts.emplace_back(c.rest, c.segment);
  }
  std::sort(cuts.begin(), cuts.end());
  for (size_t i = 0; i < cuts.size();) {
    const Stack rest = cuts[i].first;
    std::vector<Stack> group;
    for (; i < cuts.size() && cuts[i].first == rest; ++i) group.push_back(cuts[i].second);
    const Segment& s = segment(automaton_.state_of(group));
    unite(s.tokens, words);
    if (s.exits.empty()) continue;
    const State after = automaton_.open(rest);
    for (const uint32_t node : s.exits) walk(after, node, words, nullptr);
  }
}

const Masks::Segment& Masks::segment(State state) {
  const auto found = segments_.find(state);
  if (found != segments_.end()) return found->second;
  Segment made;
  std::vector<uint32_t> words(vocabulary_.words(), 0u);
  walk(state, 0, words, &made.exits);
  made.tokens = pack(words);
  memory_ += 96 + (made.tokens.data.size() + made.exits.size()) * 4;
  return segments_.emplace(state, std::move(made)).first->second;
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

void Masks::walk(State state, uint32_t node, std::span<uint32_t> words, std::vector<uint32_t>* exits) {
  const TrieNode* trie = vocabulary_.nodes().data();
  const int32_t* ids = vocabulary_.ids().data();
  const uint32_t end = trie[node].end;
  path_[trie[node].depth] = state;
  size_t visited = 0;
  for (uint32_t i = node + 1; i < end; ++visited) {
    const TrieNode& n = trie[i];
    const State next = automaton_.step(path_[n.depth - 1], n.byte);
    if (next == kDead) {
      i = n.end;
      continue;
    }
    for (uint32_t t = n.first; t < trie[i + 1].first; ++t) set_bit(words, ids[t]);
    if (exits != nullptr && n.end > i + 1 && automaton_.has_open(next)) exits->push_back(i);
    path_[n.depth] = next;
    i = automaton_.only_bottom(next) ? n.end : i + 1;
  }
  automaton_.spend(visited / 8);
}

}  // namespace hadal::grammar
