// Vocabulary, grammar and matcher against a slow oracle: an id is in the mask exactly when accept() takes it, and
// a token is accepted exactly when its bytes are, one by one. Then hostile words, memory, and use from threads.
#include "grammar/matcher.h"

#include <atomic>
#include <thread>

#include "tests/case.h"

using namespace hadal;
using namespace hadal::grammar;
using hadal::testing::Random;
using hadal::testing::test;
using hadal::testing::throws;

namespace {

constexpr int32_t kMarker = 256, kEndId = 257;

// Ids 0..255 are the bytes, 256 a marker, 257 the end, then longer tokens; `extra` ids stand behind the tokenizer's.
std::shared_ptr<const Vocabulary> vocabulary(const std::vector<std::string>& words, uint32_t extra = 5) {
  std::vector<uint8_t> bytes;
  std::vector<int32_t> offsets = {0};
  for (int b = 0; b < 256; ++b) {
    bytes.push_back(static_cast<uint8_t>(b));
    offsets.push_back(static_cast<int32_t>(bytes.size()));
  }
  offsets.insert(offsets.end(), {256, 256});
  for (const std::string& word : words) {
    bytes.insert(bytes.end(), word.begin(), word.end());
    offsets.push_back(static_cast<int32_t>(bytes.size()));
  }
  const int32_t ends[] = {kEndId};
  return std::make_shared<const Vocabulary>(bytes.data(), offsets, static_cast<uint32_t>(offsets.size() - 1 + extra), ends);
}

// Writes the words of ir.h.
class Writer {
 public:
  uint32_t literal(const std::string& text) {
    std::vector<uint32_t> words = {0, static_cast<uint32_t>(text.size())};
    for (size_t i = 0; i < text.size(); i += 4) {
      uint32_t word = 0;
      for (size_t j = 0; j < 4 && i + j < text.size(); ++j)
        word |= static_cast<uint32_t>(static_cast<uint8_t>(text[i + j])) << (8 * j);
      words.push_back(word);
    }
    return add(words);
  }
  uint32_t bytes(uint8_t low, uint8_t high) {
    std::vector<uint32_t> words(9, 0);
    words[0] = 1;
    for (uint32_t b = low; b <= high; ++b) words[1 + b / 32] |= 1u << (b % 32);
    return add(words);
  }
  uint32_t token(uint32_t id) { return add({2, id}); }
  uint32_t sequence(std::vector<uint32_t> parts) { return list(3, parts); }
  uint32_t choice(std::vector<uint32_t> parts) { return list(4, parts); }
  uint32_t repeat(uint32_t node, uint32_t low, uint32_t high) { return add({5, node, low, high}); }
  uint32_t rule(uint32_t rule) { return add({6, rule}); }

  std::vector<uint32_t> finish(std::vector<uint32_t> rules, std::vector<uint32_t> entries) const {
    std::vector<uint32_t> words = {kMagic, count_, static_cast<uint32_t>(rules.size()), static_cast<uint32_t>(entries.size())};
    words.insert(words.end(), words_.begin(), words_.end());
    words.insert(words.end(), rules.begin(), rules.end());
    words.insert(words.end(), entries.begin(), entries.end());
    return words;
  }

 private:
  uint32_t add(const std::vector<uint32_t>& words) {
    words_.insert(words_.end(), words.begin(), words.end());
    return count_++;
  }
  uint32_t list(uint32_t kind, const std::vector<uint32_t>& parts) {
    std::vector<uint32_t> words = {kind, static_cast<uint32_t>(parts.size())};
    words.insert(words.end(), parts.begin(), parts.end());
    return add(words);
  }
  std::vector<uint32_t> words_;
  uint32_t count_ = 0;
};

const std::vector<std::string> kWords = {"ab", "abc", "\"a", "a\"", "\",", "\"]", "],", "]]", "[[", "aaaa", "aaaaaaaa",
                                         "aaaaaaaaaaaaaaaaaaaaaaaa", "a\"]", "b\"", "\"\"", ",\"", "x", "xyz", "ab"};

// Nested lists of strings of up to `most` letters, or a marker.
std::vector<uint32_t> lists(uint32_t most) {
  Writer w;
  const uint32_t quote = w.literal("\""), letters = w.repeat(w.bytes('a', 'z'), 0, most);
  const uint32_t string = w.sequence({quote, letters, quote});
  const uint32_t value = w.choice({w.rule(1), w.rule(0), w.token(kMarker)});
  const uint32_t more = w.repeat(w.sequence({w.literal(","), value}), 0, kNoLimit);
  const uint32_t items = w.choice({w.sequence({value, more}), w.sequence({})});
  const uint32_t list = w.sequence({w.literal("["), items, w.literal("]")});
  const uint32_t after = w.sequence({w.repeat(w.literal("\n"), 0, 2), list});
  return w.finish({list, string}, {list, after});
}

std::vector<uint32_t> exploding() {
  Writer w;
  uint32_t node = w.bytes('a', 'b');
  for (int i = 0; i < 6; ++i) node = w.repeat(w.choice({node, w.repeat(node, 2, 60)}), 1, 60);
  return w.finish({}, {node});
}

bool bit(const std::vector<uint32_t>& words, int32_t id) { return (words[static_cast<size_t>(id) / 32] >> (id % 32) & 1) != 0; }

// Every id: mask against accept(), and accept() against the token's bytes one after the other.
bool agrees(Matcher& matcher, const Vocabulary& v) {
  std::vector<uint32_t> words(v.words());
  const uint32_t count = matcher.mask(words);
  uint32_t set = 0;
  for (int32_t id = 0; id < static_cast<int32_t>(v.size()); ++id) {
    const bool taken = matcher.accept(id);
    set += bit(words, id);
    if (taken) matcher.rollback(1);
    if (taken != bit(words, id)) return false;
    const auto text = v.token(id);
    if (text.size() < 2) continue;
    uint32_t steps = 0;
    while (steps < text.size() && matcher.accept(text[steps])) ++steps;
    matcher.rollback(steps);
    if (taken != (steps == text.size())) return false;
  }
  return set == count;
}

void test_masks() {
  const auto v = vocabulary(kWords);
  for (const uint32_t most : {1u, 3u, 7u, 8u, 9u, 24u, 40u, 1000u, kNoLimit - 1, kNoLimit}) {
    test("masks agree with accept(), strings of at most " + std::to_string(most), [&] {
      const auto grammar = std::make_shared<Grammar>(v, lists(most));
      Random random(most);
      for (int walk = 0; walk < 12; ++walk) {
        Matcher matcher(grammar, walk % 2);
        for (int step = 0; step < 40 && !matcher.done(); ++step) {
          CHECK(agrees(matcher, *v));
          if (!testing::current_ok) return;
          std::vector<uint32_t> words(v->words());
          int64_t pick = random.below(matcher.mask(words));
          int32_t id = 0;
          for (; !bit(words, id) || pick-- > 0; ++id) {
          }
          CHECK(matcher.accept(id));
          if (walk % 3 == 0 && step % 5 == 4) grammar->forget();  // living matchers are carried over
        }
      }
    });
  }
}

void test_ends() {
  const auto v = vocabulary(kWords);
  test("the end is allowed where the text may end, and nowhere else", [&] {
    Writer w;
    const uint32_t root = w.sequence({w.literal("a"), w.repeat(w.literal("b"), 0, 2)});
    const auto grammar = std::make_shared<Grammar>(v, w.finish({}, {root}));
    Matcher matcher(grammar, 0);
    CHECK(!matcher.can_end() && !matcher.accept(kEndId));
    CHECK(matcher.accept('a') && matcher.can_end() && !matcher.done());
    CHECK(matcher.accept('b') && matcher.accept('b') && matcher.done());
    CHECK(!matcher.accept('b') && matcher.accept(kEndId) && !matcher.accept('b') && matcher.done());
    matcher.rollback(2);
    CHECK(matcher.can_end() && !matcher.done());
    matcher.reset();
    CHECK(!matcher.can_end());
    CHECK(throws(HADAL_ERROR_INVALID, "at most 0", [&] { matcher.rollback(1); }));
    CHECK(!matcher.accept(-1) && !matcher.accept(INT32_MAX) && !matcher.accept(static_cast<int32_t>(v->size())));
  });
  test("what cannot be spelt to its end is not begun", [&] {
    const uint8_t bytes[] = {'a', 'b', 'a', 'c'};
    const int32_t offsets[] = {0, 1, 2, 4}, ends[] = {3};
    const auto small = std::make_shared<const Vocabulary>(bytes, offsets, 4, ends);
    Writer w;
    const uint32_t root = w.choice({w.literal("ab"), w.literal("ac"), w.sequence({w.literal("b"), w.repeat(w.bytes('c', 'z'), 1, 3)})});
    const auto grammar = std::make_shared<Grammar>(small, w.finish({}, {root}));
    Matcher matcher(grammar, 0);
    std::vector<uint32_t> words(1);
    CHECK(matcher.mask(words) == 1 && words[0] == 1);  // not "b", not "ac": no byte c
    Writer none;
    const uint32_t c = none.literal("c");
    CHECK(throws(HADAL_ERROR_INVALID, "got none", [&] { Grammar(small, none.finish({}, {c})); }));
  });
}

void test_refusals() {
  const auto v = vocabulary({});
  const auto refuses = [&](const char* part, const std::vector<uint32_t>& words) {
    return throws(HADAL_ERROR_INVALID, part, [&] { Grammar(v, words); });
  };
  test("wrong grammars are refused", [&] {
    CHECK(refuses("the end", {}));
    CHECK(refuses("magic", {1, 1, 0, 1, 0}));
    CHECK(refuses("nodes", {kMagic, 1u << 30, 0, 1}));
    CHECK(refuses("no words after", [] { auto w = lists(3); w.push_back(0); return w; }()));
    Writer w;
    const uint32_t a = w.literal("a"), star = w.repeat(a, 0, 5);
    CHECK(refuses("below", [&] { Writer x; x.repeat(7, 0, 1); return x.finish({}, {0}); }()));
    CHECK(refuses("ascending", [&] { Writer x = w; return x.finish({}, {x.repeat(a, 3, 2)}); }()));
    CHECK(refuses("empty text", [&] { Writer x = w; return x.finish({}, {x.repeat(star, 0, 2)}); }()));
    CHECK(refuses("empty text", [&] { Writer x = w; return x.finish({star}, {x.rule(0)}); }()));
    CHECK(refuses("begins with itself", [&] { Writer x = w; const uint32_t r = x.rule(0); return x.finish({x.choice({x.sequence({star, r}), a})}, {r}); }()));
    CHECK(refuses("got none", [&] { Writer x = w; const uint32_t r = x.rule(0); return x.finish({x.sequence({a, r})}, {r}); }()));
    CHECK(refuses("token id", [&] { Writer x; return x.finish({}, {x.token(100000)}); }()));
  });
  test("a grammar with too many readings fails by name, and so do its masks", [&] {
    const auto run = [&] {
      const auto grammar = std::make_shared<Grammar>(v, exploding());
      Matcher matcher(grammar, 0);
      std::vector<uint32_t> words(v->words());
      for (int i = 0; i < 2000; ++i) {
        matcher.mask(words);
        CHECK(matcher.accept('a'));
      }
    };
    CHECK(throws(HADAL_ERROR_UNSUPPORTED, "expected at most", run));
  });
  test("20,000 mutated grammars are refused or followed", [&] {
    Random random(5);
    const std::vector<uint32_t> valid = lists(9);
    for (int i = 0; i < 20000; ++i) {
      std::vector<uint32_t> words = valid;
      for (int64_t j = 0; j <= random.below(3); ++j)
        words[static_cast<size_t>(random.below(static_cast<int64_t>(words.size())))] =
            static_cast<uint32_t>(random.below(2) ? random.below(24) : random.below(int64_t{1} << 32));
      if (random.below(5) == 0) words.resize(static_cast<size_t>(random.below(static_cast<int64_t>(words.size()))));
      try {
        const auto grammar = std::make_shared<Grammar>(v, words);
        Matcher matcher(grammar, 0);
        std::vector<uint32_t> mask(v->words());
        matcher.mask(mask);
      } catch (const Error&) {
      }
    }
  });
  test("wrong vocabularies are refused", [&] {
    const uint8_t bytes[] = {1, 2};
    const auto make = [&](std::vector<int32_t> offsets, uint32_t size, std::vector<int32_t> ends) {
      return [=, &bytes] { Vocabulary(bytes, offsets, size, ends); };
    };
    CHECK(throws(HADAL_ERROR_INVALID, "offsets[0]", make({1, 2}, 1, {})));
    CHECK(throws(HADAL_ERROR_INVALID, "token 1", make({0, 2, 1}, 2, {})));
    CHECK(throws(HADAL_ERROR_INVALID, "no more tokens", make({0, 1, 2}, 1, {})));
    CHECK(throws(HADAL_ERROR_INVALID, "end id", make({0, 1}, 1, {-1})));
    CHECK(throws(HADAL_ERROR_INVALID, "token 0", make({0, 5000}, 1, {})));
  });
}

void test_bounds() {
  const auto v = vocabulary(kWords);
  test("memory stays bounded over 60,000 levels, and the way back is right", [&] {
    const auto grammar = std::make_shared<Grammar>(v, lists(9));
    Matcher matcher(grammar, 0);
    std::vector<uint32_t> words(v->words());
    size_t most = 0;
    for (int i = 0; i < 60000; ++i) {
      matcher.mask(words);
      CHECK(matcher.accept('['));
      most = std::max(most, grammar->memory());
      if (!testing::current_ok) return;
    }
    CHECK(most < (48u << 20));
    for (int i = 0; i < 60000; ++i) CHECK(matcher.accept(']'));
    CHECK(matcher.done());
  });
  test("matchers of one grammar in four threads", [&] {
    const auto grammar = std::make_shared<Grammar>(v, lists(24));
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        Random random(static_cast<uint64_t>(t));
        std::vector<uint32_t> words(v->words());
        for (int walk = 0; walk < 20; ++walk) {
          Matcher matcher(grammar, 0);
          for (int step = 0; step < 60 && !matcher.done(); ++step) {
            int64_t pick = random.below(matcher.mask(words));
            int32_t id = 0;
            for (; !bit(words, id) || pick-- > 0; ++id) {
            }
            if (!matcher.accept(id)) ++wrong;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
  });
}

}  // namespace

int main() {
  test_masks();
  test_ends();
  test_refusals();
  test_bounds();
  return hadal::testing::finish();
}
