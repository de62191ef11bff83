// Reads and checks a serialised grammar; see ir.h for the format and for what is guaranteed after.
#include "grammar/ir.h"

#include <algorithm>

#include "core/status.h"

namespace hadal::grammar {

namespace {

constexpr size_t kMostWords = 1u << 23;
constexpr uint32_t kMostNodes = 1u << 20;

class Reader {
 public:
  explicit Reader(std::span<const uint32_t> words) : words_(words) {}
  uint32_t next() {
    HADAL_EXPECT(at_ < words_.size(), "grammar: word %zu: expected more words, got the end", at_);
    return words_[at_++];
  }
  uint32_t below(uint32_t limit, const char* what) {
    const uint32_t value = next();
    HADAL_EXPECT(value < limit, "grammar: word %zu: %s: expected below %u, got %u", at_ - 1, what,
                 limit, value);
    return value;
  }
  // A count of things that take at least one word each, so that no allocation outgrows the input.
  uint32_t count(const char* what) {
    const uint32_t value = next();
    HADAL_EXPECT(value <= words_.size() - at_, "grammar: word %zu: %s: expected at most %zu, got %u",
                 at_ - 1, what, words_.size() - at_, value);
    return value;
  }
  bool done() const { return at_ == words_.size(); }

 private:
  std::span<const uint32_t> words_;
  size_t at_ = 0;
};

void read_literal(Reader& reader, Ir& ir, Node& node) {
  node.b = reader.next();
  node.a = static_cast<uint32_t>(ir.pool.size());
  HADAL_EXPECT(node.b > 0 && node.b <= 4 * kMostWords,
               "grammar: literal: expected 1 to %zu bytes, got %u", 4 * kMostWords, node.b);
  for (uint32_t i = 0, word = 0; i < node.b; ++i) {
    if (i % 4 == 0) word = reader.next();
    ir.pool.push_back(static_cast<uint8_t>(word >> (i % 4 * 8)));
  }
}

void read_class(Reader& reader, Ir& ir, Node& node) {
  node.a = static_cast<uint32_t>(ir.classes.size());
  std::bitset<256>& set = ir.classes.emplace_back();
  for (uint32_t w = 0; w < 8; ++w) {
    const uint32_t word = reader.next();
    for (uint32_t i = 0; i < 32; ++i) set[w * 32 + i] = (word >> i & 1) != 0;
  }
}

void read_list(Reader& reader, Ir& ir, Node& node, uint32_t index) {
  node.b = reader.count("parts");
  node.a = static_cast<uint32_t>(ir.children.size());
  for (uint32_t i = 0; i < node.b; ++i) ir.children.push_back(reader.below(index, "part"));
}

void read_node(Reader& reader, Ir& ir, uint32_t index, uint32_t rules, uint32_t ids) {
  Node node{static_cast<Kind>(reader.below(static_cast<uint32_t>(Kind::back), "kind"))};
  switch (node.kind) {
    case Kind::literal: read_literal(reader, ir, node); break;
    case Kind::bytes: read_class(reader, ir, node); break;
    case Kind::token: node.a = reader.below(ids, "token id"); break;
    case Kind::sequence:
    case Kind::choice: read_list(reader, ir, node, index); break;
    case Kind::repeat:
      node.a = reader.below(index, "repeated node");
      node.b = reader.next();
      node.c = reader.next();
      HADAL_EXPECT(node.b <= node.c && node.b < kNoLimit && node.c > 0,
                   "grammar: repeat: expected ascending bounds, got %u to %u", node.b, node.c);
      break;
    default: node.a = reader.below(rules, "rule");
  }
  ir.nodes.push_back(node);
}

}  // namespace

Ir Ir::parse(std::span<const uint32_t> words, const std::bitset<256>& spellable, uint32_t ids) {
  HADAL_EXPECT(words.size() <= kMostWords, "grammar: expected at most %zu words, got %zu", kMostWords,
               words.size());
  Reader reader(words);
  const uint32_t magic = reader.next();
  HADAL_EXPECT(magic == kMagic, "grammar: expected the magic %08x, got %08x", kMagic, magic);
  const uint32_t nodes = reader.count("nodes"), rules = reader.count("rules");
  const uint32_t entries = reader.count("entries");
  HADAL_EXPECT(nodes > 0 && nodes <= kMostNodes && entries > 0,
               "grammar: expected 1 to %u nodes and an entry, got %u nodes, %u entries", kMostNodes,
               nodes, entries);
  Ir ir;
  ir.nodes.reserve(nodes + 1);
  for (uint32_t i = 0; i < nodes; ++i) read_node(reader, ir, i, rules, ids);
  for (uint32_t i = 0; i < rules; ++i) ir.rules.push_back(reader.below(nodes, "node of a rule"));
  for (uint32_t i = 0; i < entries; ++i) ir.entries.push_back(reader.below(nodes, "entry"));
  HADAL_EXPECT(reader.done(), "grammar: expected no words after the entries");
  ir.check_empty();
  ir.check_recursion();
  ir.prune(spellable);
  ir.back = nodes;
  ir.nodes.push_back({Kind::back});
  return ir;
}

// Which nodes can match nothing, and that no repeated node and no rule does. References count as non-empty,
// which the check of the rules then makes true.
void Ir::check_empty() {
  empty_.assign(nodes.size(), 0);
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node& n = nodes[i];
    const auto can = [&](uint32_t child) { return empty_[child] != 0; };
    if (n.kind == Kind::sequence) empty_[i] = std::all_of(parts(n).begin(), parts(n).end(), can);
    if (n.kind == Kind::choice) empty_[i] = std::any_of(parts(n).begin(), parts(n).end(), can);
    if (n.kind != Kind::repeat) continue;
    empty_[i] = n.b == 0;
    HADAL_EXPECT(!can(n.a), "grammar: node %zu repeats node %u, which matches the empty text", i, n.a);
  }
  for (size_t i = 0; i < rules.size(); ++i)
    HADAL_EXPECT(!empty_[rules[i]], "grammar: rule %zu matches the empty text", i);
}

// Nodes that a match of `node` may begin with.
std::vector<uint32_t> Ir::lefts(uint32_t node) const {
  const Node& n = nodes[node];
  std::vector<uint32_t> out;
  if (n.kind == Kind::rule) out.push_back(rules[n.a]);
  if (n.kind == Kind::repeat) out.push_back(n.a);
  if (n.kind == Kind::choice) out.assign(parts(n).begin(), parts(n).end());
  if (n.kind == Kind::sequence) {
    for (const uint32_t child : parts(n)) {
      out.push_back(child);
      if (!empty_[child]) break;
    }
  }
  return out;
}

// A rule that begins with itself would be expanded for ever. Depth-first, with a stack of our own.
void Ir::check_recursion() const {
  enum : uint8_t { unseen, open, closed };
  std::vector<uint8_t> colour(nodes.size(), unseen);
  struct Visit {
    uint32_t node;
    std::vector<uint32_t> rest;
  };
  for (const uint32_t root : rules) {
    if (colour[root] != unseen) continue;
    std::vector<Visit> stack;
    colour[root] = open;
    stack.push_back({root, lefts(root)});
    while (!stack.empty()) {
      Visit& top = stack.back();
      if (top.rest.empty()) {
        colour[top.node] = closed;
        stack.pop_back();
        continue;
      }
      const uint32_t next = top.rest.back();
      top.rest.pop_back();
      HADAL_EXPECT(colour[next] != open, "grammar: node %u: a rule begins with itself", next);
      if (colour[next] == closed) continue;
      colour[next] = open;
      stack.push_back({next, lefts(next)});
    }
  }
}

// Nodes that some text of spellable bytes can finish; linear in the size (a counter per sequence).
std::vector<uint8_t> Ir::finishable(const std::bitset<256>& spellable) const {
  std::vector<std::vector<uint32_t>> users(nodes.size());
  std::vector<uint32_t> missing(nodes.size(), 1);
  std::vector<uint32_t> work;
  for (uint32_t i = 0; i < nodes.size(); ++i) {
    const Node& n = nodes[i];
    bool at_once = n.kind == Kind::token || (n.kind == Kind::repeat && n.b == 0);
    if (n.kind == Kind::bytes) at_once = (classes[n.a] & spellable).any();
    if (n.kind == Kind::literal)
      at_once = std::all_of(pool.begin() + n.a, pool.begin() + n.a + n.b,
                            [&](uint8_t byte) { return spellable[byte]; });
    if (n.kind == Kind::sequence || n.kind == Kind::choice)
      for (const uint32_t child : parts(n)) users[child].push_back(i);
    if (n.kind == Kind::sequence) missing[i] = n.b;
    if (n.kind == Kind::sequence && n.b == 0) at_once = true;
    if (n.kind == Kind::repeat) users[n.a].push_back(i);
    if (n.kind == Kind::rule) users[rules[n.a]].push_back(i);
    if (at_once) work.push_back(i);
  }
  std::vector<uint8_t> good(nodes.size(), 0);
  while (!work.empty()) {
    const uint32_t node = work.back();
    work.pop_back();
    if (good[node]) continue;
    good[node] = 1;
    for (const uint32_t user : users[node])
      if (!good[user] && --missing[user] == 0) work.push_back(user);
  }
  return good;
}

void Ir::prune(const std::bitset<256>& spellable) {
  const std::vector<uint8_t> good = finishable(spellable);
  for (std::bitset<256>& set : classes) set &= spellable;
  for (Node& n : nodes) {
    if (n.kind == Kind::repeat && !good[n.a]) n = {Kind::sequence, 0, 0, 0};  // matches nothing but nothing
    if (n.kind != Kind::choice) continue;
    uint32_t* first = children.data() + n.a;
    n.b = static_cast<uint32_t>(std::remove_if(first, first + n.b, [&](uint32_t c) { return !good[c]; }) - first);
  }
  for (size_t i = 0; i < entries.size(); ++i)
    HADAL_EXPECT(good[entries[i]],
                 "grammar: entry %zu: expected a text that the vocabulary can spell, got none", i);
}

}  // namespace hadal::grammar
