// Device memory for benchmark inputs. Arrays of random values are cut from pools that are made once on the host
// and copied on the device: the values of a 1 GiB array repeat every few MiB, which no kernel can notice.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "bench/cuda/bench.h"

namespace hadal::bench {

// One allocation, freed with the object.
class DeviceBlock {
 public:
  DeviceBlock(const cuda::Driver& driver, size_t bytes);
  ~DeviceBlock();
  DeviceBlock(const DeviceBlock&) = delete;
  DeviceBlock& operator=(const DeviceBlock&) = delete;
  cuda::DevicePointer address() const { return address_; }

 private:
  const cuda::Driver& driver_;
  cuda::DevicePointer address_ = 0;
};

// Random values on the device; one for the whole run.
class Pools {
 public:
  Pools(const cuda::Driver& driver, cuda::DriverStream stream, size_t values = size_t{1} << 22)
      : driver(driver), stream(stream), values_(values) {}

  enum class Kind { kBf16, kF32, kE4m3 };
  // Fills `count` values at `to` from the pool of this kind and scale.
  void fill(cuda::DevicePointer to, size_t count, Kind kind, float scale);

  const cuda::Driver& driver;
  const cuda::DriverStream stream;

 private:
  struct Pool {
    std::unique_ptr<DeviceBlock> block;
    size_t bytes_per_value;
  };
  const Pool& pool(Kind kind, float scale);

  size_t values_;
  std::map<std::pair<Kind, float>, Pool> pools_;
  uint64_t turn_ = 0;  // arrays begin at different places of a pool
};

// The inputs of one row.
class RowMemory final : public Memory {
 public:
  explicit RowMemory(Pools& pools) : pools_(pools) {}
  void* bytes(size_t count) override;
  void* bf16(size_t count, float scale) override;
  void* f32(size_t count, float scale) override;
  void* e4m3(size_t count) override;
  void* upload(const void* from, size_t bytes) override;
  size_t allocated() const { return allocated_; }

 private:
  Pools& pools_;
  std::vector<std::unique_ptr<DeviceBlock>> blocks_;
  size_t allocated_ = 0;
};

}  // namespace hadal::bench
