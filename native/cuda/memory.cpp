// See memory.h.
#include "cuda/memory.h"

#include <algorithm>
#include <cinttypes>
#include <cstring>

#include "cuda/device.h"

namespace hadal::cuda {
namespace {

constexpr uint64_t kAlign = 256;
constexpr uint64_t kSlab = 64 << 20;
constexpr uint64_t kFirstChunk = 1 << 20;

uint64_t rounded(uint64_t bytes) { return (std::max<uint64_t>(bytes, 1) + kAlign - 1) / kAlign * kAlign; }

DevicePointer allocate(const Driver& driver, uint64_t bytes, const char* what) {
  DevicePointer memory = 0;
  const DriverResult result = driver.memory_allocate(&memory, bytes);
  if (result == kDriverOutOfMemory)
    fail(HADAL_ERROR_NO_MEMORY, "CUDA: %s: the GPU has no %" PRIu64 " bytes left", what, bytes);
  expect_success(driver, result, what);
  return memory;
}

}  // namespace

Transfers::Transfers(const Driver& driver) : driver_(driver) {
  try {
    expect_success(driver, driver.stream_create(&stream_, kStreamNonBlocking), "a stream for copies");
    expect_success(driver, driver.event_create(&handed_over_, kEventDisableTiming), "an event");
    for (Half& half : halves_) {
      expect_success(driver, driver.host_allocate(reinterpret_cast<void**>(&half.memory), kHalf, 0),
                     "pinned host memory");
      expect_success(driver, driver.event_create(&half.sent, kEventDisableTiming), "an event");
    }
  } catch (...) {
    free_all();
    throw;
  }
}

Transfers::~Transfers() { free_all(); }

void Transfers::free_all() {
  if (stream_ != nullptr) driver_.stream_synchronize(stream_);
  for (Half& half : halves_) {
    if (half.memory != nullptr) driver_.host_free(half.memory);
    if (half.sent != nullptr) driver_.event_destroy(half.sent);
  }
  if (handed_over_ != nullptr) driver_.event_destroy(handed_over_);
  if (stream_ != nullptr) driver_.stream_destroy(stream_);
}

// To the other half, once what was copied from it is on the device.
void Transfers::flip() {
  Half& full = halves_[current_];
  expect_success(driver_, driver_.event_record(full.sent, stream_), "recording an event");
  full.in_flight = true;
  current_ ^= 1;
  used_ = 0;
  Half& next = halves_[current_];
  if (next.in_flight) expect_success(driver_, driver_.event_synchronize(next.sent), "waiting for a copy");
  next.in_flight = false;
}

void Transfers::upload(DevicePointer to, const void* from, uint64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto* source = static_cast<const char*>(from);
  while (bytes > 0) {
    if (used_ == kHalf) flip();
    const uint64_t piece = std::min(bytes, kHalf - used_);
    char* pinned = halves_[current_].memory + used_;
    std::memcpy(pinned, source, piece);
    expect_success(driver_, driver_.copy_to_device(to, pinned, piece, stream_), "a copy to the GPU");
    used_ += piece;
    source += piece;
    to += piece;
    bytes -= piece;
  }
}

void Transfers::clear(DevicePointer to, uint64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  expect_success(driver_, driver_.fill_bytes(to, 0, bytes, stream_), "clearing memory");
}

void Transfers::download(void* to, DevicePointer from, uint64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto* target = static_cast<char*>(to);
  flip();  // what waits in the current half stays valid, and the next one is free
  while (bytes > 0) {
    const uint64_t piece = std::min(bytes, kHalf);
    char* pinned = halves_[current_].memory;
    expect_success(driver_, driver_.copy_to_host(pinned, from, piece, stream_), "a copy from the GPU");
    expect_success(driver_, driver_.stream_synchronize(stream_), "a copy from the GPU");
    std::memcpy(target, pinned, piece);
    target += piece;
    from += piece;
    bytes -= piece;
  }
}

void Transfers::finish() {
  const std::lock_guard<std::mutex> lock(mutex_);
  expect_success(driver_, driver_.stream_synchronize(stream_), "waiting for copies");
}

void Transfers::order_before(DriverStream stream) {
  const std::lock_guard<std::mutex> lock(mutex_);
  expect_success(driver_, driver_.event_record(handed_over_, stream_), "recording an event");
  expect_success(driver_, driver_.stream_wait_event(stream, handed_over_, 0), "waiting for an event");
}

DeviceArena::~DeviceArena() {
  for (const Chunk& chunk : chunks_) driver_.memory_free(chunk.memory);
}

void* DeviceArena::allocate(uint64_t bytes) {
  const uint64_t wanted = rounded(bytes);
  if (chunks_.empty() || chunks_.back().size - used_ < wanted) {
    const uint64_t size = std::max({wanted, kFirstChunk, 2 * capacity()});
    chunks_.push_back({cuda::allocate(driver_, size, "scratch memory"), size});
    used_ = 0;
  }
  const DevicePointer piece = chunks_.back().memory + used_;
  used_ += wanted;
  return reinterpret_cast<void*>(piece);
}

uint64_t DeviceArena::capacity() const {
  uint64_t total = 0;
  for (const Chunk& chunk : chunks_) total += chunk.size;
  return total;
}

DeviceBuffer::DeviceBuffer(std::shared_ptr<Gpu> gpu, uint64_t bytes) : gpu_(std::move(gpu)) {
  if (bytes == 0) return;
  gpu_->enter();
  memory_ = allocate(gpu_->driver(), bytes, "buffer");
  size_ = bytes;
  gpu_->transfers().clear(memory_, bytes);
}

DeviceBuffer::~DeviceBuffer() {
  if (memory_ == 0) return;
  gpu_->free_behind_copies([&] { gpu_->driver().memory_free(memory_); });
}

char* DeviceBuffer::locate(uint64_t offset, uint64_t) {
  return memory_ == 0 ? nullptr : reinterpret_cast<char*>(memory_ + offset);
}

void DeviceBuffer::store(uint64_t offset, const void* data, uint64_t bytes) {
  gpu_->enter();
  gpu_->transfers().upload(memory_ + offset, data, bytes);
}

void DeviceBuffer::load(uint64_t offset, void* data, uint64_t bytes) const {
  gpu_->enter();
  gpu_->transfers().download(data, memory_ + offset, bytes);
}

void DeviceBuffer::clear(uint64_t offset, uint64_t bytes) {
  gpu_->enter();
  gpu_->transfers().clear(memory_ + offset, bytes);
}

DeviceFile::DeviceFile(std::shared_ptr<Gpu> gpu, std::shared_ptr<Buffer> mapped)
    : gpu_(std::move(gpu)), mapped_(std::move(mapped)) {
  size_ = mapped_->size();
}

DeviceFile::~DeviceFile() {
  gpu_->free_behind_copies([&] {
    for (const DevicePointer slab : slabs_) gpu_->driver().memory_free(slab);
  });
}

DevicePointer DeviceFile::place(uint64_t bytes) {
  const uint64_t wanted = rounded(bytes);
  if (left_ < wanted) {
    const uint64_t slab = std::max(wanted, std::min(kSlab, rounded(size_)));
    const DevicePointer memory = allocate(gpu_->driver(), slab, file());
    slabs_.push_back(memory);
    // A large tensor has a slab of its own, and the slab before goes on.
    if (slab - wanted < left_) return memory;
    free_ = memory;
    left_ = slab;
  }
  const DevicePointer memory = free_;
  free_ += wanted;
  left_ -= wanted;
  return memory;
}

char* DeviceFile::locate(uint64_t offset, uint64_t bytes) {
  if (bytes == 0) return nullptr;
  const std::lock_guard<std::mutex> lock(mutex_);
  auto after = ranges_.upper_bound(offset);
  if (after != ranges_.begin()) {
    const auto& [first, range] = *std::prev(after);
    if (offset + bytes <= range.end) return reinterpret_cast<char*>(range.memory + (offset - first));
  }
  mapped_->check_unchanged();
  gpu_->enter();
  const DevicePointer memory = place(bytes);
  gpu_->transfers().upload(memory, mapped_->locate(offset, bytes), bytes);
  mapped_->check_faults();  // zeros came from beyond the new end of a truncated file
  ranges_.insert_or_assign(offset, Range{offset + bytes, memory});
  return reinterpret_cast<char*>(memory);
}

}  // namespace hadal::cuda
