// The C ABI over vocabularies, grammars and matchers, in the manner of core/abi.cpp.
#include <memory>
#include <vector>

#include "core/guard.h"
#include "grammar/matcher.h"
#include "hadal/hadal.h"

struct hadal_vocabulary {
  std::shared_ptr<const hadal::grammar::Vocabulary> impl;
};
struct hadal_grammar {
  std::shared_ptr<hadal::grammar::Grammar> impl;
};
struct hadal_matcher {
  std::unique_ptr<hadal::grammar::Matcher> impl;
};

using hadal::expect_pointer;
using hadal::guard;

extern "C" {

hadal_status hadal_vocabulary_create(hadal_vocabulary** vocabulary, const uint8_t* bytes,
                                     const int32_t* offsets, uint32_t count, uint64_t byte_count,
                                     uint32_t size, const int32_t* end_ids, uint32_t end_count) {
  return guard([&] {
    expect_pointer(vocabulary, "vocabulary");
    *vocabulary = nullptr;
    expect_pointer(offsets, "offsets");
    if (byte_count > 0) expect_pointer(bytes, "bytes");
    if (end_count > 0) expect_pointer(end_ids, "end_ids");
    HADAL_EXPECT(offsets[count] >= 0 && static_cast<uint64_t>(offsets[count]) == byte_count,
                 "vocabulary: offsets[%u]: expected %llu, the number of bytes, got %d", count,
                 static_cast<unsigned long long>(byte_count), offsets[count]);
    using hadal::grammar::Vocabulary;
    const std::span<const int32_t> all(offsets, static_cast<size_t>(count) + 1);
    auto impl = std::make_shared<const Vocabulary>(bytes, all, size, std::span(end_ids, end_count));
    *vocabulary = new hadal_vocabulary{std::move(impl)};
  });
}

void hadal_vocabulary_release(hadal_vocabulary* vocabulary) { delete vocabulary; }

hadal_status hadal_grammar_compile(hadal_grammar** grammar, const hadal_vocabulary* vocabulary,
                                   const uint32_t* words, uint64_t count) {
  return guard([&] {
    expect_pointer(grammar, "grammar");
    *grammar = nullptr;
    expect_pointer(vocabulary, "vocabulary");
    if (count > 0) expect_pointer(words, "words");
    using hadal::grammar::Grammar;
    auto impl = std::make_shared<Grammar>(vocabulary->impl, std::span(words, count));
    *grammar = new hadal_grammar{std::move(impl)};
  });
}

void hadal_grammar_release(hadal_grammar* grammar) { delete grammar; }

hadal_status hadal_matcher_create(hadal_matcher** matcher, const hadal_grammar* grammar, uint32_t entry) {
  return guard([&] {
    expect_pointer(matcher, "matcher");
    *matcher = nullptr;
    expect_pointer(grammar, "grammar");
    auto impl = std::make_unique<hadal::grammar::Matcher>(grammar->impl, entry);
    *matcher = new hadal_matcher{std::move(impl)};
  });
}

void hadal_matcher_release(hadal_matcher* matcher) { delete matcher; }

hadal_status hadal_matcher_mask(hadal_matcher* matcher, uint32_t* words, uint32_t count, uint32_t* allowed) {
  return guard([&] {
    expect_pointer(matcher, "matcher");
    expect_pointer(words, "words");
    expect_pointer(allowed, "allowed");
    *allowed = matcher->impl->mask({words, count});
  });
}

hadal_status hadal_matcher_accept(hadal_matcher* matcher, int32_t id, int32_t* accepted) {
  return guard([&] {
    expect_pointer(matcher, "matcher");
    expect_pointer(accepted, "accepted");
    *accepted = matcher->impl->accept(id) ? 1 : 0;
  });
}

hadal_status hadal_matcher_rollback(hadal_matcher* matcher, uint32_t tokens) {
  return guard([&] {
    expect_pointer(matcher, "matcher");
    matcher->impl->rollback(tokens);
  });
}

hadal_status hadal_matcher_reset(hadal_matcher* matcher) {
  return guard([&] {
    expect_pointer(matcher, "matcher");
    matcher->impl->reset();
  });
}

int32_t hadal_matcher_state(const hadal_matcher* matcher) {
  if (matcher == nullptr) return 0;
  return (matcher->impl->can_end() ? HADAL_MATCHER_CAN_END : 0) |
         (matcher->impl->done() ? HADAL_MATCHER_DONE : 0);
}

}  // extern "C"
