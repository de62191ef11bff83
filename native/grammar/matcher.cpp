// See matcher.h.
#include "grammar/matcher.h"

#include <algorithm>
#include <unordered_map>

#include "core/status.h"

namespace hadal::grammar {

namespace {

constexpr size_t kMostMemory = 32u << 20;
constexpr size_t kWarmRules = 16;
constexpr int kWarmBytes = 4;

// Copies stacks and states from one automaton to another of the same grammar.
class Carrier {
 public:
  Carrier(const Automaton& from, Automaton& to) : from_(from), to_(to) {}

  State carry(State state) {
    if (state == kDead) return kDead;
    const auto found = states_.find(state);
    if (found != states_.end()) return found->second;
    std::vector<Stack> stacks;
    for (const Stack s : from_.stacks(state)) stacks.push_back(carry_stack(s));
    return states_[state] = to_.state_of(stacks);
  }

 private:
  Stack carry_stack(Stack stack) {
    std::vector<Stack> frames;
    Stack s = stack;
    for (; s > kOpen && !stacks_.contains(s); s = from_.frame(s).tail) frames.push_back(s);
    Stack made = s > kOpen ? stacks_[s] : s;
    for (; !frames.empty(); frames.pop_back()) {
      Frame f = from_.frame(frames.back());
      f.tail = made;
      made = stacks_[frames.back()] = to_.intern(f);
    }
    return made;
  }

  const Automaton& from_;
  Automaton& to_;
  std::unordered_map<Stack, Stack> stacks_;
  std::unordered_map<State, State> states_;
};

}  // namespace

Grammar::Grammar(std::shared_ptr<const Vocabulary> vocabulary, std::span<const uint32_t> words)
    : vocabulary_(std::move(vocabulary)),
      ir_(Ir::parse(words, vocabulary_->spellable(), vocabulary_->size())),
      automaton_(std::make_unique<Automaton>(ir_)),
      masks_(std::make_unique<Masks>(*vocabulary_, *automaton_)) {
  std::vector<uint32_t> first(vocabulary_->words());
  for (uint32_t i = 0; i < entries(); ++i) {
    automaton_->allow_work();
    masks_->mask(entry(i), first);
  }
  warm();
}

// Inside a rule: after the bytes that it surely begins with, as a string with its quote.
void Grammar::warm() {
  const size_t count = std::min<size_t>(ir_.rules.size(), kWarmRules);
  for (size_t i = 0; i < count; ++i) {
    automaton_->allow_work();
    State state = automaton_->open(automaton_->push(ir_.rules[i], kOpen));
    for (int steps = 0; steps < kWarmBytes; ++steps) {
      const int byte = automaton_->only_byte(state);
      if (byte < 0) break;
      state = automaton_->step(state, static_cast<uint8_t>(byte));
    }
    if (state != kDead) masks_->warm(state);
  }
}

void Grammar::forget() {
  auto fresh = std::make_unique<Automaton>(ir_);
  Carrier carrier(*automaton_, *fresh);
  // Nothing of a matcher changes before all was carried over, which may run out of memory.
  std::vector<std::vector<State>> states;
  for (const Matcher* m : matchers_) {
    std::vector<State>& list = states.emplace_back(1, carrier.carry(m->at_.state));
    for (const auto& place : m->history_) list.push_back(carrier.carry(place.state));
  }
  auto masks = std::make_unique<Masks>(*vocabulary_, *fresh);
  for (size_t i = 0; i < matchers_.size(); ++i) {
    matchers_[i]->at_.state = states[i][0];
    for (size_t j = 0; j < matchers_[i]->history_.size(); ++j) matchers_[i]->history_[j].state = states[i][j + 1];
  }
  masks_ = std::move(masks);
  automaton_ = std::move(fresh);
}

void Grammar::begin_call() {
  if (memory() > kMostMemory) forget();
  automaton_->allow_work();
}

Matcher::Matcher(std::shared_ptr<Grammar> grammar, uint32_t entry) : grammar_(std::move(grammar)), entry_(entry) {
  HADAL_EXPECT(entry < grammar_->entries(), "matcher: entry: expected below %u, got %u", grammar_->entries(), entry);
  const std::lock_guard lock(grammar_->mutex_);
  grammar_->begin_call();
  move({grammar_->entry(entry_)});
  grammar_->matchers_.push_back(this);
}

Matcher::~Matcher() {
  const std::lock_guard lock(grammar_->mutex_);
  std::erase(grammar_->matchers_, this);
}

void Matcher::move(Place to) {
  const Automaton& automaton = *grammar_->automaton_;
  at_ = to;
  can_end_ = automaton.has_end(to.state);
  only_end_ = can_end_ && automaton.only_bottom(to.state);
}

uint32_t Matcher::mask(std::span<uint32_t> words) {
  const Vocabulary& vocabulary = grammar_->vocabulary();
  HADAL_EXPECT(words.size() == vocabulary.words(), "matcher: mask: expected %u words for %u ids, got %zu",
               vocabulary.words(), vocabulary.size(), words.size());
  const std::lock_guard lock(grammar_->mutex_);
  grammar_->begin_call();
  if (!at_.finished) return grammar_->masks_->mask(at_.state, words);
  std::fill(words.begin(), words.end(), 0u);
  for (const int32_t id : vocabulary.ends())
    words[static_cast<uint32_t>(id) / 32] |= 1u << (static_cast<uint32_t>(id) % 32);
  return static_cast<uint32_t>(vocabulary.ends().size());
}

State Matcher::next(int32_t id) {
  Automaton& automaton = *grammar_->automaton_;
  State by_bytes = kDead;
  const auto bytes = grammar_->vocabulary().token(id);
  if (!bytes.empty()) {
    by_bytes = at_.state;
    for (size_t i = 0; i < bytes.size() && by_bytes != kDead; ++i) by_bytes = automaton.step(by_bytes, bytes[i]);
  }
  if (!automaton.has_tokens(at_.state)) return by_bytes;
  const State by_id = automaton.step_token(at_.state, id);
  if (by_id == kDead || by_bytes == kDead) return by_id == kDead ? by_bytes : by_id;
  std::vector<Stack> both(automaton.stacks(by_id).begin(), automaton.stacks(by_id).end());
  both.insert(both.end(), automaton.stacks(by_bytes).begin(), automaton.stacks(by_bytes).end());
  return automaton.state_of(both);
}

bool Matcher::accept(int32_t id) {
  const std::lock_guard lock(grammar_->mutex_);
  grammar_->begin_call();
  const bool ends = can_end() && grammar_->vocabulary().is_end(id);
  if (at_.finished && !ends) return false;
  const Place to = ends ? Place{at_.state, true} : Place{next(id), false};
  if (to.state == kDead) return false;
  history_.push_back(at_);
  if (history_.size() > kHistory) history_.pop_front();
  move(to);
  return true;
}

void Matcher::rollback(uint32_t tokens) {
  HADAL_EXPECT(tokens <= history_.size(), "matcher: rollback: expected at most %zu tokens, got %u",
               history_.size(), tokens);
  if (tokens == 0) return;
  const std::lock_guard lock(grammar_->mutex_);
  const Place to = history_[history_.size() - tokens];
  history_.resize(history_.size() - tokens);
  move(to);
}

void Matcher::reset() {
  const std::lock_guard lock(grammar_->mutex_);
  grammar_->begin_call();
  history_.clear();
  move({grammar_->entry(entry_)});
}

}  // namespace hadal::grammar
