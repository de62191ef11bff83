// The copy engine: bulk copies and tiles of tensor maps between global and shared memory. The
// hazard model sees a copy when it is issued; its bytes move at a random later tick, and until then
// the target holds 0xff.
#include <algorithm>
#include <unordered_map>

#include "simt/async.h"
#include "simt/machine.h"
#include "simt/tensor_map.h"

namespace hadal::simt {
namespace {

// What a thread has issued from shared to global memory.
struct Stores {
  uint32_t read_agent = 0, write_agent = 0;
  uint32_t committed = 0;   // groups
  uint32_t open = 0;        // copies in the group that is not committed yet
  uint32_t read_known = 0;  // groups whose reads the thread has waited for
  std::vector<uint32_t>
      left;  // copies of each group that have not happened; the last is the open one
  uint64_t changes = 0;
};
std::unordered_map<uint32_t, std::shared_ptr<Stores>> stores;  // by slot

Stores& stores_of(Thread& thread) {
  auto& mine = stores[thread.slot];
  if (mine == nullptr) {
    mine = std::make_shared<Stores>();
    Group& group = *thread.block->group;
    mine->read_agent = group.add_agent({"a bulk store", "a bulk store", thread.number});
    mine->write_agent = group.add_agent({"a bulk store", "a bulk store", thread.number});
    mine->left.push_back(0);
  }
  return *mine;
}

bool alive(uint32_t group) {
  return std::any_of(machine.groups.begin(), machine.groups.end(),
                     [&](auto& g) { return g->number == group; });
}

uint64_t delay() {
  return 1 + machine.next_random() % 64;
}

// One contiguous piece of a copy.
struct Piece {
  uint8_t* global;  // null: out of the tensor, zeros
  uint32_t shared;  // offset
  uint32_t bytes;
};

// The rows of a tile, 16 bytes at a time where a swizzle parts them. `base`: of the tile in shared
// memory.
template <typename Fn>
void for_pieces(const EncodedMap& map, const Tile& tile, uint32_t base, const Fn& fn) {
  const uint32_t row_bytes = map.row_bytes(), step = map.swizzle != 0 ? 16 : row_bytes;
  for (uint32_t row = 0, rows = map.rows(); row < rows; ++row) {
    uint8_t* start = map.start;
    bool inside = true;
    uint32_t left = row;
    for (int d = 1; d < map.rank; ++d) {
      const int64_t at = int64_t{tile.at[d]} + left % map.box[d];
      left /= map.box[d];
      inside = inside && at >= 0 && at < static_cast<int64_t>(map.extent(d));
      start += at * static_cast<int64_t>(map.strides[d - 1]);
    }
    for (uint32_t i = 0; i < row_bytes; i += step) {
      // The inner edge may cut a piece.
      const int64_t first = int64_t{tile.at[0]} * map.element_bytes + i;
      const int64_t end = static_cast<int64_t>(map.extent(0)) * map.element_bytes;
      const int64_t from = std::clamp<int64_t>(-first, 0, step),
                    to = std::clamp<int64_t>(end - first, 0, step);
      const uint32_t shared = swizzled(base + row * row_bytes + i, map.swizzle);
      const auto piece = [&](int64_t a, int64_t b, bool in) {
        if (a < b)
          fn(Piece{in ? start + first + a : nullptr, shared + static_cast<uint32_t>(a),
                   static_cast<uint32_t>(b - a)});
      };
      if (!inside || from >= to) {
        piece(0, step, false);
      } else {
        piece(0, from, false);
        piece(from, to, true);
        piece(to, step, false);
      }
    }
  }
}

const EncodedMap* checked_map(const Tile& tile, uint32_t shared, const char* call, Site site) {
  const EncodedMap* map = decode_map(tile.map);
  if (map == nullptr) {
    report_problem("no tensor map at this address (a parameter made by encode_tensor_map?)", call,
                   site);
    return nullptr;
  }
  if (map->rank != tile.rank) {
    report_problem("a tensor map of " + std::to_string(map->rank) + " dimensions, the call has " +
                       std::to_string(tile.rank) + " coordinates",
                   call, site);
    return nullptr;
  }
  const uint32_t alignment = map->swizzle == 0 ? 128 : 128u << map->swizzle;
  if ((shared & 0xffffff) % alignment != 0)
    report_problem("a tile at shared+" + std::to_string(shared & 0xffffff) +
                       ": its swizzle wants a multiple of " + std::to_string(alignment),
                   call, site);
  return map;
}

// A barrier that a copy reports to must have been made known to the asynchronous proxy.
MemoryBarrier* counting_barrier(uint32_t address, const char* call, Site site, Block** owner) {
  MemoryBarrier* barrier = find_barrier(address, call, site, owner);
  if (barrier != nullptr && !barrier->published)
    report_problem("mbarrier initialised without fence_barrier_init before a copy uses it", call,
                   site);
  return barrier;
}

// The bytes of a finished copy count in the phase that was current when it was issued, or somebody
// miscounted.
void arrive_bytes(Block* owner, uint32_t offset, uint64_t phase, uint32_t bytes, Place place) {
  for (MemoryBarrier& barrier : owner->memory_barriers) {
    if (barrier.offset != offset || !barrier.valid) continue;
    if (barrier.phase != phase)
      problem("wrong transaction bytes: a copy of phase " + std::to_string(phase) +
                  " ends in phase " + std::to_string(barrier.phase) + " of mbarrier at shared+" +
                  std::to_string(offset) + ": fewer bytes were expected than were copied, " +
                  describe(place),
              "transaction bytes", place);
    return complete_bytes(barrier, *owner, bytes);
  }
}

struct Target {
  Block* block;
  uint32_t offset;
  uint32_t barrier;
  uint64_t phase;
};

// What both loads do at their issue for one block: the rules, the poison, the barrier's phase.
bool issue_load(Block& block, uint32_t to, uint32_t barrier_offset, uint32_t bytes,
                const char* call, Site site, std::vector<Target>& targets,
                MemoryBarrier** counted) {
  const Place place = place_of(call, site);
  Block* owner = nullptr;
  MemoryBarrier* barrier =
      counting_barrier((block.rank + 1) << 24 | barrier_offset, call, site, &owner);
  Found found;
  if (barrier == nullptr || !find_memory(block.shared + to, bytes, true, place, &found))
    return false;
  if (machine.options.hazards) {
    if (!check_alive(block)) return false;
    touch_async(found.region, found.offset, bytes, true, barrier->agent,
                static_cast<uint32_t>(barrier->phase + 1), place);
  }
  std::fill_n(block.shared + to, bytes, uint8_t{0xff});
  barrier->last_copy = static_cast<uint32_t>(barrier->phase + 1);
  targets.push_back({&block, to, barrier_offset, barrier->phase});
  *counted = barrier;
  return true;
}

bool read_global(const uint8_t* from, uint32_t bytes, const MemoryBarrier& barrier, Place place) {
  Found found;
  if (!find_memory(from, bytes, false, place, &found)) return false;
  if (machine.options.hazards)
    touch_async(found.region, found.offset, bytes, false, barrier.agent,
                static_cast<uint32_t>(barrier.phase + 1), place);
  return true;
}

bool write_global(uint8_t* to, uint32_t bytes, const Stores& mine, Place place) {
  Found found;
  if (!find_memory(to, bytes, true, place, &found)) return false;
  if (machine.options.hazards)
    touch_async(found.region, found.offset, bytes, true, mine.write_agent, mine.committed + 1,
                place);
  return true;
}

bool read_shared(uint32_t from, uint32_t bytes, const Stores& mine, Place place) {
  Found found;
  if (!find_memory(machine.now->block->shared + from, bytes, false, place, &found)) return false;
  if (machine.options.hazards)
    touch_async(found.region, found.offset, bytes, false, mine.read_agent, mine.committed + 1,
                place);
  return true;
}

std::vector<Block*> blocks_of(uint32_t mask, const char* call, Site site) {
  Block* self = machine.now->block;
  if (mask == 0) return {self};
  std::vector<Block*> blocks;
  for (uint32_t rank = 0; rank < 16; ++rank) {
    if ((mask >> rank & 1) == 0) continue;
    if (rank < self->group->blocks.size()) {
      blocks.push_back(self->group->blocks[rank]);
    } else {
      report_problem(
          "multicast to block " + std::to_string(rank) + ", which the cluster does not have", call,
          site);
    }
  }
  return blocks;
}

void start_store(Stores& mine, std::function<void()> copy) {
  const size_t group = mine.committed;
  ++mine.open;
  ++mine.left[group];
  after_ticks(delay(), [its = stores[machine.now->slot], group, copy = std::move(copy)] {
    copy();
    --its->left[group];
    ++its->changes;
  });
}

}  // namespace

void tma_load(uint32_t to, const Tile& tile, uint32_t barrier, uint32_t mask, Site site) {
  enter("tma_load", site);
  const EncodedMap* map = checked_map(tile, to, "tma_load", site);
  if (map == nullptr) return;
  std::vector<Target> targets;
  MemoryBarrier* counted = nullptr;
  for (Block* block : blocks_of(mask, "tma_load", site))
    issue_load(*block, to, barrier, map->bytes(), "tma_load", site, targets, &counted);
  if (targets.empty()) return;
  const Place place = place_of("tma_load", site);
  bool readable = true;
  for_pieces(*map, tile, to, [&](const Piece& piece) {
    if (piece.global != nullptr)
      readable = readable && read_global(piece.global, piece.bytes, *counted, place);
  });
  const uint32_t number = machine.now->block->group->number;
  after_ticks(delay(), [map = *map, tile, to, targets, place, number, readable] {
    if (!alive(number)) return;
    for (const Target& target : targets) {
      for_pieces(map, tile, to, [&](const Piece& piece) {
        uint8_t* shared = target.block->shared + piece.shared;
        if (piece.global == nullptr || !readable) {
          std::fill_n(shared, piece.bytes, uint8_t{0});
        } else {
          std::memcpy(shared, piece.global, piece.bytes);
        }
      });
      arrive_bytes(target.block, target.barrier, target.phase, map.bytes(), place);
    }
  });
}

void tma_store(const Tile& tile, uint32_t from, bool add, Site site) {
  const char* call = add ? "tma_add" : "tma_store";
  enter(call, site);
  const EncodedMap* map = checked_map(tile, from, call, site);
  if (map == nullptr) return;
  Stores& mine = stores_of(*machine.now);
  const Place place = place_of(call, site);
  if (!read_shared(from, map->bytes(), mine, place)) return;
  bool writable = true;
  for_pieces(*map, tile, from, [&](const Piece& piece) {
    if (piece.global != nullptr)
      writable = writable && write_global(piece.global, piece.bytes, mine, place);
  });
  if (!writable) return;
  uint8_t* shared = machine.now->block->shared;
  start_store(mine, [map = *map, tile, from, shared, add] {
    for_pieces(map, tile, from, [&](const Piece& piece) {
      if (piece.global == nullptr) return;
      if (!add) {
        std::memcpy(piece.global, shared + piece.shared, piece.bytes);
        return;
      }
      for (uint32_t i = 0; i < piece.bytes; i += 4) {
        float a, b;
        std::memcpy(&a, piece.global + i, 4);
        std::memcpy(&b, shared + piece.shared + i, 4);
        a += b;
        std::memcpy(piece.global + i, &a, 4);
      }
    });
  });
}

namespace {

void check_bulk(const void* global, uint32_t shared, uint32_t bytes, const char* call, Site site) {
  if (bytes % 16 != 0 || bytes == 0)
    report_problem("a bulk copy of " + std::to_string(bytes) + " bytes: expected a multiple of 16",
                   call, site);
  if (reinterpret_cast<uintptr_t>(global) % 16 != 0 || shared % 16 != 0)
    report_problem("misaligned access: a bulk copy wants addresses that are multiples of 16", call,
                   site);
}

}  // namespace

void bulk_load(uint32_t to, const void* from, uint32_t bytes, uint32_t barrier, uint32_t mask,
               Site site) {
  enter("bulk_load", site);
  check_bulk(from, to, bytes, "bulk_load", site);
  std::vector<Target> targets;
  MemoryBarrier* counted = nullptr;
  for (Block* block : blocks_of(mask, "bulk_load", site))
    issue_load(*block, to, barrier, bytes, "bulk_load", site, targets, &counted);
  const Place place = place_of("bulk_load", site);
  if (targets.empty() || !read_global(static_cast<const uint8_t*>(from), bytes, *counted, place))
    return;
  const uint32_t number = machine.now->block->group->number;
  after_ticks(delay(), [=] {
    if (!alive(number)) return;
    for (const Target& target : targets) {
      std::memcpy(target.block->shared + to, from, bytes);
      arrive_bytes(target.block, target.barrier, target.phase, bytes, place);
    }
  });
}

void bulk_store(void* to, uint32_t from, uint32_t bytes, Site site) {
  enter("bulk_store", site);
  check_bulk(to, from, bytes, "bulk_store", site);
  Stores& mine = stores_of(*machine.now);
  const Place place = place_of("bulk_store", site);
  if (!read_shared(from, bytes, mine, place) ||
      !write_global(static_cast<uint8_t*>(to), bytes, mine, place))
    return;
  const uint8_t* shared = machine.now->block->shared + from;
  start_store(mine, [=] { std::memcpy(to, shared, bytes); });
}

void bulk_commit(Site site) {
  enter("bulk_commit", site);
  Stores& mine = stores_of(*machine.now);
  ++mine.committed;
  mine.open = 0;
  mine.left.push_back(0);
}

void bulk_wait(uint32_t groups, bool read_only, Site site) {
  enter(read_only ? "bulk_wait_read" : "bulk_wait", site);
  Thread& self = *machine.now;
  Stores& mine = stores_of(self);
  const uint32_t done = mine.committed > groups ? mine.committed - groups : 0;
  while (std::any_of(mine.left.begin(), mine.left.begin() + done,
                     [](uint32_t left) { return left > 0; }))
    wait_while(&mine.changes, mine.changes);
  mine.read_known = std::max(mine.read_known, done);
  if (!machine.options.hazards) return;
  learn(self, mine.read_agent, done);
  if (!read_only) learn(self, mine.write_agent, done);
}

void start_copies() {
  stores.clear();
}

void end_copies(Thread& thread) {
  const auto found = stores.find(thread.slot);
  if (found == stores.end()) return;
  const Stores& mine = *found->second;
  if (machine.options.hazards && (mine.open > 0 || mine.read_known < mine.committed))
    report_problem("ends without waiting for its bulk stores, which still read shared memory",
                   thread.call, thread.site);
  stores.erase(found);
}

bool async_read(uint32_t address, uint32_t bytes, uint32_t ticket, const char* call, Site site) {
  Thread& self = *machine.now;
  Block& block = *self.block;
  if (block.tensor_streams.empty()) block.tensor_streams.assign(block.warps.size(), 0);
  uint32_t& stream = block.tensor_streams[self.warp()];
  if (stream == 0) stream = block.group->add_agent({"a wgmma", "a wgmma", self.number});
  const Place place = place_of(call, site);
  Found found;
  if (!find_memory(shared_pointer(address), bytes, false, place, &found)) return false;
  if (machine.options.hazards)
    touch_async(found.region, found.offset, bytes, false, stream, ticket, place);
  return true;
}

void async_read_done(uint32_t ticket) {
  const std::vector<uint32_t>& streams = machine.now->block->tensor_streams;
  if (!streams.empty() && streams[machine.now->warp()] != 0 && machine.options.hazards)
    learn(*machine.now, streams[machine.now->warp()], ticket);
}

}  // namespace hadal::simt
