// Tensor maps of the emulator: what cuTensorMapEncodeTiled is given, after the checks that the
// driver makes.
#pragma once

#include <string>

#include "cuda/driver_api.h"

namespace hadal::simt {

struct EncodedMap {
  uint32_t magic;
  uint8_t rank, type, swizzle, element_bytes;
  uint8_t* start;
  uint64_t strides[4];       // bytes, of dimensions 1 and up
  uint32_t extents_less[5];  // less 1
  uint16_t box[5];

  uint64_t extent(int d) const { return uint64_t{extents_less[d]} + 1; }
  uint32_t row_bytes() const { return uint32_t{box[0]} * element_bytes; }
  uint32_t rows() const;
  uint32_t bytes() const { return row_bytes() * rows(); }
};
static_assert(sizeof(EncodedMap) <= sizeof(cuda::TensorMap));

// Empty, or what cuTensorMapEncodeTiled would refuse, with what it wants.
std::string encode_map(cuda::TensorMap* map, cuda::TensorMapType type, uint32_t rank, void* address,
                       const uint64_t* extents, const uint64_t* strides, const uint32_t* box,
                       const uint32_t* element_strides, int interleave,
                       cuda::TensorMapSwizzle swizzle, int fill);
// Null: no map that encode_map has made.
const EncodedMap* decode_map(const void* map);

// The offset of a byte in shared memory, with the 16-byte pieces of its row exchanged as the
// swizzle has them.
inline uint32_t swizzled(uint32_t offset, uint8_t swizzle) {
  constexpr uint32_t kBits[] = {0, 0x10, 0x30, 0x70};
  return offset ^ ((offset >> 3) & kBits[swizzle]);
}

}  // namespace hadal::simt
