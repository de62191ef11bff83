// See tensor_map.h. The conditions are those of the driver API's page on cuTensorMapEncodeTiled.
#include "simt/tensor_map.h"

#include <cstring>

namespace hadal::simt {
namespace {

constexpr uint32_t kMagic = 0x48544d31;

uint8_t element_bytes(cuda::TensorMapType type) {
  switch (type) {
    case cuda::TensorMapType::kU8:
      return 1;
    case cuda::TensorMapType::kU16:
    case cuda::TensorMapType::kF16:
    case cuda::TensorMapType::kBF16:
      return 2;
    case cuda::TensorMapType::kU32:
    case cuda::TensorMapType::kI32:
    case cuda::TensorMapType::kF32:
      return 4;
  }
  return 0;
}

std::string number(uint64_t value) {
  return std::to_string(value);
}

std::string check_dimension(uint32_t d, const uint64_t* extents, const uint64_t* strides,
                            const uint32_t* box, const uint32_t* element_strides, uint32_t rank) {
  const std::string which = " of dimension " + number(d);
  if (extents[d] == 0 || extents[d] > uint64_t{1} << 32)
    return "an extent" + which + " from 1 to 2^32, got " + number(extents[d]);
  if (box[d] == 0 || box[d] > 256)
    return "a box" + which + " from 1 to 256 elements, got " + number(box[d]);
  if (element_strides[d] != 1)
    return "element strides of 1 (others are not emulated), got " + number(element_strides[d]) +
           which;
  if (d + 1 < rank && (strides[d] % 16 != 0 || strides[d] >= uint64_t{1} << 40))
    return "a stride of dimension " + number(d + 1) +
           " that is a multiple of 16 bytes below 2^40, got " + number(strides[d]);
  return "";
}

}  // namespace

uint32_t EncodedMap::rows() const {
  uint32_t count = 1;
  for (int d = 1; d < rank; ++d) count *= box[d];
  return count;
}

std::string encode_map(cuda::TensorMap* map, cuda::TensorMapType type, uint32_t rank, void* address,
                       const uint64_t* extents, const uint64_t* strides, const uint32_t* box,
                       const uint32_t* element_strides, int interleave,
                       cuda::TensorMapSwizzle swizzle, int fill) {
  constexpr uint32_t kSpan[] = {0, 32, 64, 128};
  EncodedMap encoded{};
  encoded.magic = kMagic;
  encoded.element_bytes = element_bytes(type);
  if (reinterpret_cast<uintptr_t>(map) % 64 != 0) return "a map at a multiple of 64 bytes";
  if (encoded.element_bytes == 0)
    return "a data type that is emulated, got " + number(static_cast<uint64_t>(type));
  if (rank < 1 || rank > 5) return "1 to 5 dimensions, got " + number(rank);
  if (reinterpret_cast<uintptr_t>(address) % 16 != 0)
    return "a global address that is a multiple of 16";
  if (interleave != 0 || fill != 0)
    return "no interleave and a fill of zeros (others are not emulated)";
  if (static_cast<uint32_t>(swizzle) > 3)
    return "a swizzle of 0 to 3, got " + number(static_cast<uint64_t>(swizzle));
  for (uint32_t d = 0; d < rank; ++d) {
    const std::string wrong = check_dimension(d, extents, strides, box, element_strides, rank);
    if (!wrong.empty()) return wrong;
    encoded.extents_less[d] = static_cast<uint32_t>(extents[d] - 1);
    encoded.box[d] = static_cast<uint16_t>(box[d]);
    if (d + 1 < rank) encoded.strides[d] = strides[d];
  }
  const uint32_t inner = box[0] * encoded.element_bytes, span = kSpan[static_cast<int>(swizzle)];
  if (inner % 16 != 0) return "an inner box that is a multiple of 16 bytes, got " + number(inner);
  if (span != 0 && inner > span)
    return "an inner box of at most the swizzle's " + number(span) + " bytes, got " + number(inner);
  encoded.rank = static_cast<uint8_t>(rank);
  encoded.type = static_cast<uint8_t>(type);
  encoded.swizzle = static_cast<uint8_t>(swizzle);
  encoded.start = static_cast<uint8_t*>(address);
  std::memset(map, 0, sizeof *map);
  std::memcpy(map, &encoded, sizeof encoded);
  return "";
}

const EncodedMap* decode_map(const void* map) {
  const auto* encoded = static_cast<const EncodedMap*>(map);
  return reinterpret_cast<uintptr_t>(map) % 64 == 0 && encoded->magic == kMagic ? encoded : nullptr;
}

}  // namespace hadal::simt
