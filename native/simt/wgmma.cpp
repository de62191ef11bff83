// See wgmma.h. A stream is one warp's: its lanes queue the same products in the same order, the
// last to come to a wait has all 32 computed, 16 rows of D, and written into the lanes' arrays on
// their stacks.
#include "simt/wgmma.h"

#include <algorithm>
#include <vector>

#include "simt/machine.h"
#include "simt/operand.h"
#include "simt/product.h"

namespace hadal::simt {

uint64_t wgmma_arrays_in_flight = 0;

namespace {

constexpr uint32_t kPoison = 0x7fc0dead;  // what an accumulator holds between issue and wait

// An array of accumulators with products on their way, of one lane.
struct Flight {
  float* d;
  int n, products;
  Site site;                  // of the last of them
  std::vector<float> values;  // of those that have ended
};
struct Landed {  // accumulators, or A's registers, as they were last handed over
  const void* registers;
  uint64_t fences;
  uint32_t a[4];
};
struct Lane {
  bool used = false;
  uint64_t fences = 0;
  uint32_t issued = 0, groups = 0;
  std::vector<Flight> flights;
  std::vector<Landed> landed, sources;
};
struct Product {
  WgmmaCall call;
  Site site;
  uint32_t lanes = 0;  // that have issued it
  bool inside = true;  // its operands lie in shared memory
  float* d[32] = {};
  const uint32_t* a_registers[32] = {};
  uint32_t a[32][4] = {};
};
struct Stream {
  std::vector<Product> queue;
  uint32_t first = 0;                // number of its first product
  std::vector<uint32_t> group_ends;  // product numbers, of all groups so far
  uint32_t ended = 0;                // groups
};
// What the first of a warpgroup's four warps asked for, until the fourth has asked for the same.
struct Agreement {
  struct Entry {
    WgmmaCall call;
    Site site;
    int warps;
  };
  std::vector<Entry> entries;
  uint32_t first = 0;
  uint32_t threads_ended = 0;
};

std::vector<Lane> lanes;            // by slot
std::vector<Stream> streams;        // by the slot of the warp's first lane
std::vector<Agreement> agreements;  // by the slot of the warpgroup's first lane

void started(uint32_t slot) {
  if (slot >= lanes.size()) return;
  if (Agreement& agreement = agreements[slot];
      agreement.threads_ended > 0 || agreement.first > 0 || !agreement.entries.empty())
    agreement = Agreement{};
  if (Stream& stream = streams[slot];
      stream.first > 0 || !stream.queue.empty() || !stream.group_ends.empty())
    stream = Stream{};
  if (!lanes[slot].used) return;
  wgmma_arrays_in_flight -= lanes[slot].flights.size();
  lanes[slot] = Lane{};
}

void ended(uint32_t slot) {
  if (slot >= lanes.size()) return;
  Lane& lane = lanes[slot];
  if (!lane.flights.empty())
    report_problem("the thread ends with a wgmma in flight", "wgmma", lane.flights[0].site);
  wgmma_arrays_in_flight -= lane.flights.size();
  lane.flights.clear();
  Agreement& agreement = agreements[slot - self().thread % 128];
  if (++agreement.threads_ended == 128 && !agreement.entries.empty())
    report_problem("the warps of a warpgroup issued different numbers of products", "wgmma",
                   agreement.entries[0].site);
}

// The first product of the process brings this file into the machine.
void prepare() {
  static const bool hooked = [] {
    add_thread_hooks({started, ended});
    return true;
  }();
  (void)hooked;
  if (lanes.size() >= max_slots()) return;
  lanes.resize(max_slots());
  streams.resize(max_slots());
  agreements.resize(max_slots());
}

bool same_call(const WgmmaCall& x, const WgmmaCall& y) {
  return x.n == y.n && x.bf16 == y.bf16 && x.a_mn_major == y.a_mn_major &&
         x.b_mn_major == y.b_mn_major && x.add == y.add && x.a == y.a && x.b == y.b &&
         (x.a_registers == nullptr) == (y.a_registers == nullptr);
}

// ---- issue ----

void check_agreement(const Self& me, const WgmmaCall& call, uint32_t number, Site site) {
  Agreement& agreement = agreements[me.slot - me.thread % 128];
  const size_t index = number - agreement.first;
  if (index == agreement.entries.size()) {
    agreement.entries.push_back({call, site, 0});
  } else if (!same_call(agreement.entries[index].call, call)) {
    report_problem("the warps of a warpgroup disagree on shape, descriptors or whether to add",
                   "wgmma", site);
  }
  ++agreement.entries[index].warps;
  while (!agreement.entries.empty() && agreement.entries.front().warps == 4) {
    agreement.entries.erase(agreement.entries.begin());
    ++agreement.first;
  }
}

void check_call(const WgmmaCall& call, const Self& me, Site site) {
  if (call.n < 8 || call.n > kMaxN || call.n % 8 != 0)
    report_problem("N is no multiple of 8 from 8 to 256", "wgmma", site);
  if (me.thread / 128 * 128 + 128 > me.threads)
    report_problem("the block's last warps are not a whole warpgroup", "wgmma", site);
  if (!call.bf16 && (call.a_mn_major || call.b_mn_major))
    report_problem("E4M3 operands are K-major", "wgmma", site);
}

void take_off(Lane& lane, const WgmmaCall& call, Site site) {
  for (Flight& flight : lane.flights) {
    if (flight.d != call.d) continue;
    if (flight.n != call.n)
      report_problem("accumulators in flight are used with another N", "wgmma", site);
    ++flight.products;
    flight.site = site;
    return;
  }
  if (lane.fences == 0) report_problem("no wgmma_fence before the first product", "wgmma", site);
  for (size_t i = 0; i < lane.landed.size(); ++i) {
    if (lane.landed[i].registers != call.d) continue;
    if (lane.landed[i].fences == lane.fences)
      report_problem("no wgmma_fence since the wait for these accumulators", "wgmma", site);
    lane.landed.erase(lane.landed.begin() + static_cast<std::ptrdiff_t>(i));
    break;
  }
  lane.flights.push_back({call.d, call.n, 1, site, {call.d, call.d + call.n / 2}});
  ++wgmma_arrays_in_flight;
  for (int i = 0; i < call.n / 2; ++i) std::memcpy(call.d + i, &kPoison, sizeof kPoison);
}

void take_sources(Lane& lane, const uint32_t* a, Site site) {
  for (Landed& source : lane.sources) {
    if (source.registers != a) continue;
    if (source.fences == lane.fences && std::memcmp(source.a, a, sizeof source.a) != 0)
      report_problem("A's registers were written with no wgmma_fence after", "wgmma", site);
    source.fences = lane.fences;
    std::memcpy(source.a, a, sizeof source.a);
    return;
  }
  lane.sources.push_back({a, lane.fences, {a[0], a[1], a[2], a[3]}});
}

// ---- execution ----

// A from registers: register r of lane l has row l/4 (+ 8 if r is odd) and four bytes of K from
// 4·(l%4) (+ 16 from r = 2 on).
void decode_a_registers(const Product& product, float* values) {
  uint8_t raw[kWarpRows][kBytesOfK];
  for (int lane = 0; lane < 32; ++lane) {
    if (product.a_registers[lane] == nullptr) continue;
    if (std::memcmp(product.a_registers[lane], product.a[lane], sizeof product.a[lane]) != 0)
      report_problem("A's registers changed while the product was in flight", "wgmma",
                     product.site);
    for (int r = 0; r < 4; ++r)
      std::memcpy(&raw[lane / 4 + r % 2 * 8][lane % 4 * 4 + r / 2 * 16],
                  product.a_registers[lane] + r, 4);
  }
  for (auto& row : raw) values += decode_values(product.call.bf16, row, kBytesOfK, values);
}

Flight* flight_of(uint32_t slot, const float* d) {
  for (Flight& flight : lanes[slot].flights)
    if (flight.d == d) return &flight;
  return nullptr;
}

void land(Lane& lane, Flight& flight, Site site) {
  for (int i = 0; i < flight.n / 2; ++i)
    if (std::memcmp(flight.d + i, &kPoison, sizeof kPoison) != 0) {
      report_problem("accumulators were written while a product was in flight", "wgmma", site);
      break;
    }
  std::copy(flight.values.begin(), flight.values.end(), flight.d);
  lane.landed.push_back({flight.d, lane.fences, {}});
  lane.flights.erase(lane.flights.begin() + (&flight - lane.flights.data()));
  --wgmma_arrays_in_flight;
}

// Where element i of a lane's array lies in its warp's 16 rows of D.
size_t fragment_place(int lane, int i, int n) {
  return static_cast<size_t>((lane / 4 + i % 4 / 2 * 8) * n + i / 4 * 8 + lane % 4 * 2 + i % 2);
}

void execute(Product& product, uint32_t number, const Self& me) {
  static float a[kWarpRows * kBytesOfK], c[kWarpRows * kMaxN];
  const WgmmaCall& call = product.call;
  const int n = call.n;
  Flight* flights[32];
  for (int lane = 0; lane < 32; ++lane)
    flights[lane] = flight_of(me.slot - me.lane + static_cast<uint32_t>(lane), product.d[lane]);
  if (product.lanes != 32)
    report_problem("only " + std::to_string(product.lanes) + " lanes of a warp issued a product",
                   "wgmma", product.site);
  if (product.inside) {
    call.a_registers != nullptr
        ? decode_a_registers(product, a)
        : decode_a(Operand(call.a, call.a_mn_major), call.bf16, me.warp % 4, a);
    const float* b = decode_b(Operand(call.b, call.b_mn_major), call.bf16, n, number);
    std::fill_n(c, kWarpRows * n, 0.0f);
    for (int lane = 0; lane < 32 && call.add; ++lane)
      for (int i = 0; flights[lane] != nullptr && i < n / 2; ++i)
        c[fragment_place(lane, i, n)] = flights[lane]->values[static_cast<size_t>(i)];
    multiply_tile(c, a, b, n, call.bf16 ? 16 : 32, call.bf16);
  }
  for (int lane = 0; lane < 32; ++lane) {
    if (flights[lane] == nullptr) continue;
    for (int i = 0; i < n / 2; ++i)
      flights[lane]->values[static_cast<size_t>(i)] = c[fragment_place(lane, i, n)];
    if (--flights[lane]->products == 0)
      land(lanes[me.slot - me.lane + static_cast<uint32_t>(lane)], *flights[lane], product.site);
  }
}

}  // namespace

void wgmma(const WgmmaCall& call, Site site) {
  const Self me = self();
  prepare();
  Lane& lane = lanes[me.slot];
  Stream& stream = streams[me.slot - me.lane];
  lane.used = true;
  check_call(call, me, site);
  const uint32_t number = lane.issued++;
  if (number == stream.first + stream.queue.size()) {
    stream.queue.push_back({call, site});
    check_agreement(me, call, number, site);
  }
  if (number < stream.first) return;  // reported when it was computed without this lane
  Product& product = stream.queue[number - stream.first];
  if (!same_call(product.call, call))
    report_problem("the lanes of a warp disagree on shape, descriptors or whether to add", "wgmma",
                   site);
  ++product.lanes;
  product.d[me.lane] = call.d;
  product.a_registers[me.lane] = call.a_registers;
  if (call.a_registers != nullptr) {
    std::memcpy(product.a[me.lane], call.a_registers, sizeof product.a[me.lane]);
    take_sources(lane, call.a_registers, site);
  }
  take_off(lane, call, site);
  if (me.lane != 0) return;
  const uint32_t ticket = lane.groups + 1;
  if (call.a_registers == nullptr)
    product.inside = mark_reads(Operand(call.a, call.a_mn_major), me.warp % 4 * kWarpRows,
                                kWarpRows, ticket, site);
  product.inside &=
      mark_reads(Operand(call.b, call.b_mn_major), 0, static_cast<uint32_t>(call.n), ticket, site);
}

void wgmma_fence(Site site) {
  converge("wgmma_fence", site);
  const Self me = self();
  prepare();
  lanes[me.slot].used = true;
  ++lanes[me.slot].fences;
}

void wgmma_commit(Site site) {
  const Self me = self();
  prepare();
  Lane& lane = lanes[me.slot];
  Stream& stream = streams[me.slot - me.lane];
  lane.used = true;
  if (lane.groups == stream.group_ends.size()) {
    stream.group_ends.push_back(lane.issued);
  } else if (lane.groups < stream.group_ends.size() &&
             stream.group_ends[lane.groups] != lane.issued) {
    report_problem("the lanes of a warp commit different products", "wgmma_commit", site);
  }
  ++lane.groups;
}

void wgmma_wait(int pending, Site site) {
  converge("wgmma_wait", site);
  const Self me = self();
  prepare();
  const Lane& lane = lanes[me.slot];
  Stream& stream = streams[me.slot - me.lane];
  const auto left = static_cast<uint32_t>(pending);
  const uint32_t target = lane.groups > left ? lane.groups - left : 0;
  for (; stream.ended < target; ++stream.ended) {
    const uint32_t count = stream.group_ends[stream.ended] - stream.first;
    for (uint32_t i = 0; i < count; ++i) execute(stream.queue[i], stream.first + i, me);
    stream.queue.erase(stream.queue.begin(), stream.queue.begin() + count);
    stream.first += count;
  }
  if (target > 0) async_read_done(target);
}

void check_registers_in_flight(const void* address, size_t bytes, uint32_t place) {
  const uint32_t slot = self().slot;
  if (slot >= lanes.size()) return;
  const auto* from = static_cast<const uint8_t*>(address);
  for (const Flight& flight : lanes[slot].flights) {
    const auto* d = reinterpret_cast<const uint8_t*>(flight.d);
    if (from + bytes > d && from < d + static_cast<size_t>(flight.n) * 2)
      problem("accumulators of the " + describe("wgmma", flight.site) +
                  " touched before its wait (" + where(*machine.now) + ", " + describe(place) + ")",
              "accumulators in flight", place);
  }
}

}  // namespace hadal::simt
