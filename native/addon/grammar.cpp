// Vocabularies, grammars and matchers. Arrays are copied, or filled before the call returns; a handle keeps
// what it was made from alive by itself, so handles may be released or collected in any order.
#include "addon/bindings.h"
#include "addon/states.h"

namespace hadal::addon {
namespace {

using Info = Napi::CallbackInfo;

template <typename Native, int kNumber>
struct SharedState {
  static constexpr const char* kName = kNumber == 4 ? "vocabulary" : kNumber == 5 ? "grammar" : "matcher";
  static constexpr napi_type_tag kTag = {0x8d3a4c0e5b7f4f10 + kNumber, 0xa1c25e0d9b6e7700 + kNumber};

  void release() {
    released = true;
    native.reset();
  }

  std::shared_ptr<Native> native;
  bool released = false;
};
using VocabularyState = SharedState<hadal_vocabulary, 4>;
using GrammarState = SharedState<hadal_grammar, 5>;
using MatcherState = SharedState<hadal_matcher, 6>;

template <typename State, typename Native>
Napi::Value share(Napi::Env env, Native* native, void (*release)(Native*)) {
  auto state = std::make_shared<State>();
  state->native.reset(native, release);
  return make_handle(env, std::move(state));
}

template <typename State>
Napi::Value release(const Info& info) {
  state_of<State>(info[0], State::kName)->release();
  return info.Env().Undefined();
}

struct Words {
  const int32_t* data;
  uint32_t count;
};

Words words_of(Napi::Value value, const char* name) {
  const Bytes bytes = host_bytes(value, name);
  if (bytes.size % 4 != 0 || bytes.size / 4 > UINT32_MAX)
    invalid("%s: expected 32-bit words, got %zu bytes", name, bytes.size);
  return {static_cast<const int32_t*>(bytes.data), static_cast<uint32_t>(bytes.size / 4)};
}

Napi::Value vocabulary_create(const Info& info) {
  const Bytes bytes = host_bytes(info[0], "bytes");
  const Words offsets = words_of(info[1], "offsets");
  const auto size = static_cast<uint32_t>(integer(info[2], "size", 1, UINT32_MAX));
  const Words ends = words_of(info[3], "endIds");
  if (offsets.count == 0) invalid("offsets: expected one more entry than tokens, got none");
  hadal_vocabulary* vocabulary = nullptr;
  expect_ok(hadal_vocabulary_create(&vocabulary, static_cast<const uint8_t*>(bytes.data), offsets.data,
                                    offsets.count - 1, bytes.size, size, ends.data, ends.count));
  return share<VocabularyState>(info.Env(), vocabulary, hadal_vocabulary_release);
}

Napi::Value grammar_compile(const Info& info) {
  const auto vocabulary = live<VocabularyState>(info[0], "vocabulary");
  const Words words = words_of(info[1], "words");
  hadal_grammar* grammar = nullptr;
  expect_ok(hadal_grammar_compile(&grammar, vocabulary->native.get(),
                                  reinterpret_cast<const uint32_t*>(words.data), words.count));
  return share<GrammarState>(info.Env(), grammar, hadal_grammar_release);
}

Napi::Value matcher_create(const Info& info) {
  const auto grammar = live<GrammarState>(info[0], "grammar");
  const auto entry = static_cast<uint32_t>(integer(info[1], "entry", 0, UINT32_MAX));
  hadal_matcher* matcher = nullptr;
  expect_ok(hadal_matcher_create(&matcher, grammar->native.get(), entry));
  return share<MatcherState>(info.Env(), matcher, hadal_matcher_release);
}

Napi::Value matcher_mask(const Info& info) {
  const auto matcher = live<MatcherState>(info[0], "matcher");
  const Bytes words = host_bytes(info[1], "words");
  if (words.size % 4 != 0) invalid("words: expected 32-bit words, got %zu bytes", words.size);
  uint32_t allowed = 0;
  expect_ok(hadal_matcher_mask(matcher->native.get(), static_cast<uint32_t*>(words.data),
                               static_cast<uint32_t>(words.size / 4), &allowed));
  return Napi::Number::New(info.Env(), allowed);
}

Napi::Value matcher_accept(const Info& info) {
  const auto matcher = live<MatcherState>(info[0], "matcher");
  const auto id = static_cast<int32_t>(integer(info[1], "id", 0, INT32_MAX));
  int32_t accepted = 0;
  expect_ok(hadal_matcher_accept(matcher->native.get(), id, &accepted));
  return Napi::Boolean::New(info.Env(), accepted != 0);
}

Napi::Value matcher_rollback(const Info& info) {
  const auto matcher = live<MatcherState>(info[0], "matcher");
  const auto tokens = static_cast<uint32_t>(integer(info[1], "tokens", 0, UINT32_MAX));
  expect_ok(hadal_matcher_rollback(matcher->native.get(), tokens));
  return info.Env().Undefined();
}

Napi::Value matcher_reset(const Info& info) {
  expect_ok(hadal_matcher_reset(live<MatcherState>(info[0], "matcher")->native.get()));
  return info.Env().Undefined();
}

Napi::Value matcher_state(const Info& info) {
  const auto matcher = live<MatcherState>(info[0], "matcher");
  return Napi::Number::New(info.Env(), hadal_matcher_state(matcher->native.get()));
}

}  // namespace

std::span<const Binding> grammar_bindings() {
  static constexpr Binding kBindings[] = {
      {"vocabularyCreate", entry<vocabulary_create>},
      {"vocabularyRelease", entry<release<VocabularyState>>},
      {"grammarCompile", entry<grammar_compile>},
      {"grammarRelease", entry<release<GrammarState>>},
      {"matcherCreate", entry<matcher_create>},
      {"matcherRelease", entry<release<MatcherState>>},
      {"matcherMask", entry<matcher_mask>},
      {"matcherAccept", entry<matcher_accept>},
      {"matcherRollback", entry<matcher_rollback>},
      {"matcherReset", entry<matcher_reset>},
      {"matcherState", entry<matcher_state>},
  };
  return kBindings;
}

}  // namespace hadal::addon
