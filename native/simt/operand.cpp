// See operand.h.
#include "simt/operand.h"

#include <algorithm>

#include "simt/hazards.h"
#include "simt/product.h"

namespace hadal::simt {
namespace {

// One operand's bytes, decoded. The four warps of a group ask for the same B one after another;
// whether it still is the same is seen from the bytes.
struct DecodedB {
  int n = 0;
  bool bf16 = false, mn_major = false;
  uint8_t raw[kMaxN * kBytesOfK];
  float values[kBytesOfK * kMaxN];  // [k, n]
};
DecodedB decoded[8];

void read16(uint32_t address, uint8_t* to) {
  std::memcpy(to, shared_pointer(address), 16);
}

// Two neighbouring 16-byte pieces that are one aligned piece of 32, as swizzling leaves them, or
// two.
bool read_pair(uint32_t x, uint32_t y, uint32_t ticket, Site site) {
  if ((x ^ y) == 16) return async_read(std::min(x, y), 32, ticket, "wgmma", site);
  const bool first = async_read(x, 16, ticket, "wgmma", site);
  return async_read(y, 16, ticket, "wgmma", site) && first;
}

}  // namespace

bool mark_reads(const Operand& operand, uint32_t from_row, uint32_t rows, uint32_t ticket,
                Site site) {
  bool inside = true;
  if (!operand.mn_major) {
    for (uint32_t row = from_row; row < from_row + rows; ++row)
      inside &=
          read_pair(operand.k_major_address(row, 0), operand.k_major_address(row, 1), ticket, site);
    return inside;
  }
  const uint32_t end = (from_row + rows) / 8;
  for (uint32_t k = 0; k < 16; ++k)
    for (uint32_t eighth = from_row / 8; eighth < end; eighth += 2) {
      const uint32_t address = operand.mn_major_address(eighth, k);
      inside &= eighth + 1 == end
                    ? async_read(address, 16, ticket, "wgmma", site)
                    : read_pair(address, operand.mn_major_address(eighth + 1, k), ticket, site);
    }
  return inside;
}

const float* decode_b(const Operand& operand, bool bf16, int n, uint32_t number) {
  static uint8_t raw[kMaxN * kBytesOfK];
  const size_t bytes = static_cast<size_t>(n) * kBytesOfK;
  if (operand.mn_major) {
    for (int k = 0; k < 16; ++k)
      for (int eighth = 0; eighth < n / 8; ++eighth)
        read16(operand.mn_major_address(static_cast<uint32_t>(eighth), static_cast<uint32_t>(k)),
               raw + (k * n + eighth * 8) * 2);
  } else {
    for (int row = 0; row < n; ++row)
      for (int chunk = 0; chunk < 2; ++chunk)
        read16(operand.k_major_address(static_cast<uint32_t>(row), static_cast<uint32_t>(chunk)),
               raw + row * kBytesOfK + chunk * 16);
  }
  DecodedB& b = decoded[number % 8];
  if (b.n == n && b.bf16 == bf16 && b.mn_major == operand.mn_major &&
      std::memcmp(b.raw, raw, bytes) == 0)
    return b.values;
  b.n = n;
  b.bf16 = bf16;
  b.mn_major = operand.mn_major;
  std::memcpy(b.raw, raw, bytes);
  if (operand.mn_major) {
    decode_values(true, raw, static_cast<int>(bytes), b.values);
    return b.values;
  }
  float row_values[kBytesOfK];
  for (int row = 0; row < n; ++row) {
    const int k = decode_values(bf16, raw + row * kBytesOfK, kBytesOfK, row_values);
    for (int i = 0; i < k; ++i) b.values[i * n + row] = row_values[i];
  }
  return b.values;
}

void decode_a(const Operand& operand, bool bf16, uint32_t quarter, float* values) {
  const uint32_t from_row = quarter * kWarpRows;
  uint8_t raw[kBytesOfK];
  if (!operand.mn_major) {
    for (uint32_t row = 0; row < kWarpRows; ++row) {
      for (uint32_t chunk = 0; chunk < 2; ++chunk)
        read16(operand.k_major_address(from_row + row, chunk), raw + chunk * 16);
      values += decode_values(bf16, raw, kBytesOfK, values);
    }
    return;
  }
  float column[16];
  for (uint32_t k = 0; k < 16; ++k) {
    for (uint32_t eighth = 0; eighth < 2; ++eighth)
      read16(operand.mn_major_address(from_row / 8 + eighth, k), raw + eighth * 16);
    decode_values(true, raw, kBytesOfK, column);
    for (uint32_t row = 0; row < kWarpRows; ++row) values[row * 16 + k] = column[row];
  }
}

}  // namespace hadal::simt
