// A compiled grammar and the matchers that follow texts through it. A grammar may be used from any thread,
// one at a time: every call holds its lock. What it remembers is bounded: when it grows too large it is
// forgotten, and the states of the living matchers are carried over.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/ir.h"
#include "grammar/masks.h"
#include "grammar/vocabulary.h"

namespace hadal::grammar {

class Matcher;

class Grammar {
 public:
  // Checks the grammar and walks its beginnings and the insides of its first rules: the dear walks are done
  // before the first text, and a grammar that is too ambiguous fails here.
  Grammar(std::shared_ptr<const Vocabulary> vocabulary, std::span<const uint32_t> words);
  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;

  const Vocabulary& vocabulary() const { return *vocabulary_; }
  uint32_t entries() const { return static_cast<uint32_t>(ir_.entries.size()); }
  size_t memory() const { return automaton_->memory() + masks_->memory(); }
  // For tests: forgets everything that can be found again.
  void forget();

 private:
  friend class Matcher;
  void begin_call();  // frees memory when there is too much, and grants the work of one call
  void warm();
  State entry(uint32_t index) { return automaton_->open(automaton_->push(ir_.entries[index], kEnd)); }

  std::shared_ptr<const Vocabulary> vocabulary_;
  const Ir ir_;
  std::unique_ptr<Automaton> automaton_;
  std::unique_ptr<Masks> masks_;
  std::vector<Matcher*> matchers_;
  std::mutex mutex_;
};

class Matcher {
 public:
  Matcher(std::shared_ptr<Grammar> grammar, uint32_t entry);
  ~Matcher();
  Matcher(const Matcher&) = delete;
  Matcher& operator=(const Matcher&) = delete;

  // The ids that may come next; returns how many. After an end id: the end ids.
  uint32_t mask(std::span<uint32_t> words);
  // Follows one id; false, and nothing changes, when it is not allowed.
  bool accept(int32_t id);
  // Takes back the last `tokens` ids; at most kHistory are remembered.
  void rollback(uint32_t tokens);
  void reset();
  // Nothing may follow but the end.
  bool done() const { return at_.finished || only_end_; }
  // The text may end here.
  bool can_end() const { return at_.finished || can_end_; }

  static constexpr uint32_t kHistory = 256;

 private:
  friend class Grammar;
  struct Place {
    State state = kDead;
    bool finished = false;  // an end id was accepted
  };
  State next(int32_t id);
  void move(Place to);

  std::shared_ptr<Grammar> grammar_;
  uint32_t entry_;
  Place at_;
  bool only_end_ = false, can_end_ = false;
  std::deque<Place> history_;
};

}  // namespace hadal::grammar
