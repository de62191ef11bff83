// See memory.h.
#include "bench/cuda/memory.h"

#include <cmath>
#include <cstring>
#include <random>

namespace hadal::bench {
namespace {

uint16_t to_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

std::vector<uint8_t> random_values(size_t count, Pools::Kind kind, float scale) {
  std::mt19937_64 engine(static_cast<uint64_t>(kind) + 1);
  if (kind == Pools::Kind::kE4m3) {
    std::vector<uint8_t> codes(count);
    for (uint8_t& code : codes) {
      const uint64_t bits = engine();
      code = static_cast<uint8_t>(bits % 127 | (bits >> 63) << 7);  // 0x7f and 0xff are NaN
    }
    return codes;
  }
  const size_t size = kind == Pools::Kind::kF32 ? 4 : 2;
  std::vector<uint8_t> bytes(count * size);
  std::normal_distribution<float> normal(0, scale);
  for (size_t i = 0; i < count; ++i) {
    const float value = normal(engine);
    const uint16_t half = to_bf16(value);
    std::memcpy(bytes.data() + i * size, size == 4 ? static_cast<const void*>(&value) : &half, size);
  }
  return bytes;
}

}  // namespace

DeviceBlock::DeviceBlock(const cuda::Driver& driver, size_t bytes) : driver_(driver) {
  cuda::expect_success(driver, driver.memory_allocate(&address_, std::max<size_t>(bytes, 1)), "cuMemAlloc");
}
DeviceBlock::~DeviceBlock() { driver_.memory_free(address_); }

const Pools::Pool& Pools::pool(Kind kind, float scale) {
  Pool& pool = pools_[{kind, scale}];
  if (pool.block) return pool;
  const std::vector<uint8_t> values = random_values(values_, kind, scale);
  pool.bytes_per_value = values.size() / values_;
  pool.block = std::make_unique<DeviceBlock>(driver, values.size());
  cuda::expect_success(driver,
                       driver.copy_to_device(pool.block->address(), values.data(), values.size(), stream),
                       "upload");
  cuda::expect_success(driver, driver.stream_synchronize(stream), "cuStreamSynchronize");
  return pool;
}

void Pools::fill(cuda::DevicePointer to, size_t count, Kind kind, float scale) {
  const Pool& from = pool(kind, scale);
  size_t at = ++turn_ * 12345 * 16 % values_;
  for (size_t done = 0; done < count; at = 0) {
    const size_t piece = std::min(count - done, values_ - at), size = from.bytes_per_value;
    cuda::expect_success(
        driver,
        driver.copy_on_device(to + done * size, from.block->address() + at * size, piece * size, stream),
        "cuMemcpyDtoD");
    done += piece;
  }
}

void* RowMemory::bytes(size_t count) {
  blocks_.push_back(std::make_unique<DeviceBlock>(pools_.driver, count));
  allocated_ += count;
  return reinterpret_cast<void*>(blocks_.back()->address());
}
void* RowMemory::bf16(size_t count, float scale) {
  void* memory = bytes(2 * count);
  pools_.fill(blocks_.back()->address(), count, Pools::Kind::kBf16, scale);
  return memory;
}
void* RowMemory::f32(size_t count, float scale) {
  void* memory = bytes(4 * count);
  pools_.fill(blocks_.back()->address(), count, Pools::Kind::kF32, scale);
  return memory;
}
void* RowMemory::e4m3(size_t count) {
  void* memory = bytes(count);
  pools_.fill(blocks_.back()->address(), count, Pools::Kind::kE4m3, 1);
  return memory;
}
void* RowMemory::upload(const void* from, size_t count) {
  void* memory = bytes(count);
  cuda::expect_success(
      pools_.driver,
      pools_.driver.copy_to_device(blocks_.back()->address(), from, count, pools_.stream), "upload");
  cuda::expect_success(pools_.driver, pools_.driver.stream_synchronize(pools_.stream),
                       "cuStreamSynchronize");
  return memory;
}

}  // namespace hadal::bench
