// A grammar as the matcher reads it: nodes over bytes and token ids, in one array, children before parents;
// recursion goes through rules alone. Parsed and checked from words that a stranger may have written.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <span>
#include <vector>

namespace hadal::grammar {

enum class Kind : uint8_t { literal, bytes, token, sequence, choice, repeat, rule, back };

inline constexpr uint32_t kNoLimit = 0xffffffffu;
inline constexpr uint32_t kMagic = 0x31475248u;  // "HRG1"

struct Node {
  Kind kind;
  uint32_t a = 0;  // literal: offset in pool; bytes: index in classes; token: id; repeat: child; rule: rule;
                   // sequence, choice: offset in children
  uint32_t b = 0;  // literal: length; sequence, choice: count; repeat: fewest
  uint32_t c = 0;  // repeat: most, or kNoLimit
};

// The words, little-endian 32-bit: magic, nodes, rules, entries; then each node: kind, and
//   literal: length, bytes padded to words · bytes: 8 words of a 256-bit set · token: id ·
//   sequence, choice: count, nodes · repeat: node, fewest, most · rule: rule
// then the node of each rule, then the node of each entry.
//
// What parse() guarantees: children have lower numbers than parents; no rule and no repeated node matches the
// empty text; no rule begins with itself; every node that can be reached from an entry can be finished with
// spellable bytes (what cannot was taken out of its choices). So matching never runs into a dead end.
class Ir {
 public:
  static Ir parse(std::span<const uint32_t> words, const std::bitset<256>& spellable, uint32_t ids);

  std::vector<Node> nodes;
  std::vector<uint32_t> children;
  std::vector<uint8_t> pool;
  std::vector<std::bitset<256>> classes;
  std::vector<uint32_t> rules;    // node of each rule
  std::vector<uint32_t> entries;  // node of each entry
  uint32_t back = 0;              // the node that ends a rule; no other node refers to it

  std::span<const uint32_t> parts(const Node& n) const { return {children.data() + n.a, n.b}; }

 private:
  void check_empty();
  void check_recursion() const;
  void prune(const std::bitset<256>& spellable);
  std::vector<uint8_t> finishable(const std::bitset<256>& spellable) const;
  std::vector<uint32_t> lefts(uint32_t node) const;

  std::vector<uint8_t> empty_;  // node can match the empty text
};

}  // namespace hadal::grammar
