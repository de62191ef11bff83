// Where the elements of a wgmma operand lie in shared memory: the descriptor's fields and the
// address of each 16 bytes. PTX ISA, "Asynchronous warpgroup-level matrix: shared memory layout".
#pragma once

#include "simt/simt.h"

namespace hadal::simt {

struct Operand {
  uint32_t start, leading, stride, base_offset;
  uint32_t span;  // 16 (not swizzled), 32, 64 or 128
  bool mn_major;

  Operand(uint64_t descriptor, bool mn_major)
      : start(field(descriptor, 0)),
        leading(field(descriptor, 16)),
        stride(field(descriptor, 32)),
        base_offset(static_cast<uint32_t>(descriptor >> 49) & 7),
        span(descriptor >> 62 == 0 ? 16u : 256u >> (descriptor >> 62)),
        mn_major(mn_major) {}

  // K-major: 16 bytes of row `row`, from byte `16 * chunk` of the instruction's K.
  uint32_t k_major_address(uint32_t row, uint32_t chunk) const {
    const uint32_t block = start + row / 8 * stride + row % 8 * span;
    return swizzled(block + chunk * (span == 16 ? leading : 16));
  }
  // MN-major, two bytes an element: rows 8·eighth .. 8·eighth + 7 at one k.
  uint32_t mn_major_address(uint32_t eighth, uint32_t k) const {
    if (span == 16) return start + eighth * stride + k / 8 * leading + k % 8 * 16;
    const uint32_t eighths = span / 16;  // of one span
    return swizzled(start + eighth / eighths * leading + eighth % eighths * 16 + k / 8 * stride +
                    k % 8 * span);
  }

 private:
  static uint32_t field(uint64_t descriptor, int bit) {
    return static_cast<uint32_t>(descriptor >> bit & 0x3fff) << 4;
  }
  // The index of 16 bytes in its span is XORed with that of its 128 bytes, counted from where the
  // pattern begins.
  uint32_t swizzled(uint32_t address) const {
    return address ^ ((address - (base_offset << 7)) >> 3 & (span - 16));
  }
};

inline constexpr int kMaxN = 256, kBytesOfK = 32;  // of one instruction

// Tells the hazard model that the running thread's warp reads these rows; returns whether all of
// them lie in shared memory.
bool mark_reads(const Operand& operand, uint32_t from_row, uint32_t rows, uint32_t ticket,
                Site site);

// B as [k, n]. The four warps of a group ask for product `number` one after another: it is decoded
// once, if its bytes are still the same. Lives until other products are asked for.
const float* decode_b(const Operand& operand, bool bf16, int n, uint32_t number);
// 16 rows of A, from row 16 · quarter, as [16, k].
void decode_a(const Operand& operand, bool bf16, uint32_t quarter, float* values);

}  // namespace hadal::simt
