// The vocabulary as a trie over bytes, in preorder: a subtree is a run of nodes, a node's tokens are a run
// of ids. Built once per tokenizer and immutable after, so it is shared by grammars and threads.
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace hadal::grammar {

struct TrieNode {
  uint32_t end;    // one past the last node of this subtree
  uint32_t first;  // index into ids() of this node's first token; the next node's first ends them
  uint16_t depth;  // bytes from the root
  uint16_t deepest;  // the largest depth in this subtree
  uint8_t byte;    // the last of them
};

class Vocabulary {
 public:
  // offsets: count + 1 ascending positions in `bytes`; token i is the bytes between offsets i and i + 1. An
  // empty token (a special one) never matches bytes. `size` ≥ count: ids of a mask. `ends`: ids that end a text.
  Vocabulary(const uint8_t* bytes, std::span<const int32_t> offsets, uint32_t size,
             std::span<const int32_t> ends);

  uint32_t size() const { return size_; }
  uint32_t words() const { return (size_ + 31) / 32; }
  // Preorder, the root first; one node more than there are, so that [i + 1].first always exists.
  const std::vector<TrieNode>& nodes() const { return nodes_; }
  const std::vector<int32_t>& ids() const { return ids_; }
  std::span<const uint8_t> token(int32_t id) const;
  const std::vector<int32_t>& ends() const { return ends_; }
  bool is_end(int32_t id) const;
  // Bytes of the longest token.
  uint32_t longest() const { return longest_; }
  // Tokens of more than `bytes` bytes.
  std::span<const int32_t> longer_than(uint32_t bytes) const;
  // Bytes that are tokens of their own. A text of these bytes can always be spelt to its end.
  const std::bitset<256>& spellable() const { return spellable_; }

 private:
  void build(std::vector<int32_t> sorted);

  uint32_t size_;
  uint32_t longest_ = 0;
  std::vector<uint8_t> bytes_;
  std::vector<int32_t> offsets_, ends_, ids_;
  std::vector<int32_t> by_length_;   // ids, longest first
  std::vector<uint32_t> longer_;     // per length: how many of them are longer
  std::vector<TrieNode> nodes_;
  std::bitset<256> spellable_;
};

}  // namespace hadal::grammar
