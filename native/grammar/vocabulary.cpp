// See vocabulary.h.
#include "grammar/vocabulary.h"

#include <algorithm>
#include <cstring>

#include "core/status.h"

namespace hadal::grammar {

namespace {

constexpr uint32_t kMostIds = 1u << 24;
constexpr int32_t kMostBytes = 1 << 28;
constexpr uint32_t kLongestToken = 4096;

}  // namespace

Vocabulary::Vocabulary(const uint8_t* bytes, std::span<const int32_t> offsets, uint32_t size,
                       std::span<const int32_t> ends)
    : size_(size), offsets_(offsets.begin(), offsets.end()), ends_(ends.begin(), ends.end()) {
  const size_t count = offsets.size() - 1;
  HADAL_EXPECT(size > 0 && size <= kMostIds && count <= size,
               "vocabulary: expected 1 to %u ids and no more tokens than ids, got %u ids, %zu tokens",
               kMostIds, size, count);
  HADAL_EXPECT(offsets[0] == 0, "vocabulary: offsets[0]: expected 0, got %d", offsets[0]);
  std::vector<int32_t> present;
  present.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const int64_t length = static_cast<int64_t>(offsets[i + 1]) - offsets[i];
    HADAL_EXPECT(length >= 0 && length <= kLongestToken && offsets[i + 1] <= kMostBytes,
                 "vocabulary: token %zu: expected 0 to %u bytes, got %lld", i, kLongestToken,
                 static_cast<long long>(length));
    if (length > 0) present.push_back(static_cast<int32_t>(i));
    longest_ = std::max(longest_, static_cast<uint32_t>(length));
  }
  for (const int32_t id : ends)
    HADAL_EXPECT(id >= 0 && static_cast<uint32_t>(id) < size,
                 "vocabulary: end id: expected 0 to %u, got %d", size - 1, id);
  bytes_.assign(bytes, bytes + offsets[count]);
  build(std::move(present));
}

std::span<const uint8_t> Vocabulary::token(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) + 1 >= offsets_.size()) return {};
  const auto i = static_cast<size_t>(id);
  return {bytes_.data() + offsets_[i], static_cast<size_t>(offsets_[i + 1] - offsets_[i])};
}

bool Vocabulary::is_end(int32_t id) const {
  return std::find(ends_.begin(), ends_.end(), id) != ends_.end();
}

void Vocabulary::build(std::vector<int32_t> sorted) {
  std::sort(sorted.begin(), sorted.end(), [this](int32_t a, int32_t b) {
    const auto x = token(a), y = token(b);
    const int order = std::memcmp(x.data(), y.data(), std::min(x.size(), y.size()));
    if (order != 0) return order < 0;
    return x.size() != y.size() ? x.size() < y.size() : a < b;
  });
  std::vector<uint32_t> open = {0};  // nodes from the root to the last token's
  nodes_.push_back({0, 0, 0, 0, 0});
  std::span<const uint8_t> before;
  const auto close = [&](size_t depth) {
    for (; open.size() > depth + 1; open.pop_back()) {
      TrieNode& node = nodes_[open.back()];
      TrieNode& parent = nodes_[open[open.size() - 2]];
      node.end = static_cast<uint32_t>(nodes_.size());
      node.deepest = std::max(node.deepest, node.depth);
      parent.deepest = std::max(parent.deepest, node.deepest);
    }
  };
  for (size_t i = 0; i < sorted.size(); ++i) {
    const auto text = token(sorted[i]);
    if (text.size() == 1) spellable_.set(text[0]);
    const size_t most = std::min(text.size(), before.size());
    const auto shared = static_cast<size_t>(
        std::mismatch(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(most), before.begin()).first -
        text.begin());
    close(shared);
    for (size_t d = shared; d < text.size(); ++d) {
      open.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({0, static_cast<uint32_t>(i), static_cast<uint16_t>(d + 1), 0, text[d]});
    }
    before = text;
  }
  close(0);
  nodes_[0].end = static_cast<uint32_t>(nodes_.size());
  nodes_.push_back({0, static_cast<uint32_t>(sorted.size()), 0, 0, 0});
  ids_ = std::move(sorted);
  by_length_ = ids_;
  std::stable_sort(by_length_.begin(), by_length_.end(),
                   [this](int32_t a, int32_t b) { return token(a).size() > token(b).size(); });
  longer_.assign(longest_ + 1, 0);
  for (const int32_t id : ids_)
    for (size_t length = 0; length < token(id).size(); ++length) ++longer_[length];
}

std::span<const int32_t> Vocabulary::longer_than(uint32_t bytes) const {
  if (bytes >= longer_.size()) return {};
  return {by_length_.data(), longer_[bytes]};
}

}  // namespace hadal::grammar
