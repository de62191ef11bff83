// See matrix.h. The lane tables are those of the PTX ISA (ldmatrix, stmatrix, mma.m16n8k16 and
// m16n8k32).
#include "simt/matrix.h"

#include <memory>
#include <vector>

#include "simt/hazards.h"
#include "simt/product.h"

namespace hadal::simt {
namespace {

// What the lanes of a warp bring. A lane that is through may be at the next call while another
// still reads, so all meet again before they go on.
struct Exchange {
  const void* rows[32];
  uint32_t a[32][4], b[32][2];
  float c[32][4];
};
std::vector<std::unique_ptr<Exchange>> exchanges;  // by the slot of the warp's first lane

Exchange& exchange(const Self& me) {
  if (exchanges.size() < max_slots()) exchanges.resize(max_slots());
  auto& of_warp = exchanges[me.slot - me.lane];
  if (of_warp == nullptr) of_warp = std::make_unique<Exchange>();
  return *of_warp;
}

// Value `index` (0, 1) of lane `lane` in an 8x8 tile.
struct Place {
  uint32_t row, column;
};
Place tile_place(uint32_t lane, uint32_t index, bool transposed) {
  const uint32_t across = lane % 4 * 2 + index, down = lane / 4;
  return transposed ? Place{across, down} : Place{down, across};
}

// The lanes whose rows are used check them; a bad one ends the call for the whole warp.
bool rows_are_aligned(const Exchange& all, int tiles, const Self& me, const char* call, Site site) {
  bool good = true;
  for (uint32_t lane = 0; lane < 8u * static_cast<uint32_t>(tiles); ++lane) {
    if (reinterpret_cast<uintptr_t>(all.rows[lane]) % 16 == 0) continue;
    good = false;
    if (lane == me.lane) report_problem("a tile's row is no multiple of 16 bytes", call, site);
  }
  return good;
}

}  // namespace

void load_matrix(uint32_t* registers, int tiles, bool transposed, const void* row, Site site) {
  const Self me = self();
  Exchange& all = exchange(me);
  all.rows[me.lane] = row;
  converge("load_matrix", site);
  for (int tile = 0; tile < tiles && rows_are_aligned(all, tiles, me, "load_matrix", site);
       ++tile) {
    uint16_t pair[2];
    for (uint32_t index = 0; index < 2; ++index) {
      const Place place = tile_place(me.lane, index, transposed);
      const void* value =
          static_cast<const uint16_t*>(all.rows[tile * 8 + static_cast<int>(place.row)]) +
          place.column;
      generic_read(value, 2, true, "load_matrix", site);
      std::memcpy(&pair[index], value, 2);
    }
    registers[tile] = pair[0] | static_cast<uint32_t>(pair[1]) << 16;
  }
  converge("load_matrix", site);
}

void store_matrix(const uint32_t* registers, int tiles, bool transposed, void* row, Site site) {
  const Self me = self();
  Exchange& all = exchange(me);
  all.rows[me.lane] = row;
  converge("store_matrix", site);
  for (int tile = 0; tile < tiles && rows_are_aligned(all, tiles, me, "store_matrix", site); ++tile)
    for (uint32_t index = 0; index < 2; ++index) {
      const Place place = tile_place(me.lane, index, transposed);
      auto* value = const_cast<uint16_t*>(
          static_cast<const uint16_t*>(all.rows[tile * 8 + static_cast<int>(place.row)]) +
          place.column);
      generic_write(value, 2, true, "store_matrix", site);
      const auto half = static_cast<uint16_t>(registers[tile] >> 16 * index);
      std::memcpy(value, &half, 2);
    }
  converge("store_matrix", site);
}

void mma(float* d, const uint32_t* a, const uint32_t* b, bool bf16, Site site) {
  const Self me = self();
  Exchange& all = exchange(me);
  std::memcpy(all.a[me.lane], a, sizeof all.a[0]);
  std::memcpy(all.b[me.lane], b, sizeof all.b[0]);
  std::memcpy(all.c[me.lane], d, sizeof all.c[0]);
  converge("mma", site);
  // Rows and columns as bytes along K, from all lanes; then the lane's four sums.
  const uint32_t g = me.lane / 4, t = me.lane % 4;
  for (uint32_t i = 0; i < 4; ++i) {
    const uint32_t upper = i / 2, column = 2 * t + i % 2;
    uint8_t bytes_a[32], bytes_b[32];
    for (uint32_t quarter = 0; quarter < 4; ++quarter)
      for (uint32_t half = 0; half < 2; ++half) {
        std::memcpy(bytes_a + half * 16 + quarter * 4, &all.a[g * 4 + quarter][half * 2 + upper],
                    4);
        std::memcpy(bytes_b + half * 16 + quarter * 4, &all.b[column * 4 + quarter][half], 4);
      }
    float values_a[32], values_b[32];
    const int k = decode_values(bf16, bytes_a, 32, values_a);
    decode_values(bf16, bytes_b, 32, values_b);
    d[i] = sum_products(all.c[me.lane][i], values_a, values_b, k);
  }
  converge("mma", site);
}

}  // namespace hadal::simt
