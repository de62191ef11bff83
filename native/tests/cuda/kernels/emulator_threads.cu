// Mistakes with ordinary loads and stores, barriers, warp collectives and flags. `good` leaves the mistake out.
#include "cuda/device/atomic.cuh"
#include "cuda/device/dependent.cuh"
#include "cuda/device/memory.cuh"
#include "cuda/device/warp.cuh"
#include "tests/cuda/kernels/emulator_kernels.h"

namespace hadal::device {

using Params = testing::EmulatorParams;

struct EmulatorShared {
  float values[256];
  uint8_t bytes[256];
  uint32_t word;
};

HADAL_DEVICE EmulatorShared& storage() { return shared<EmulatorShared>(); }
HADAL_DEVICE int thread() { return static_cast<int>(threadIdx.x); }

template <bool good>
HADAL_DEVICE void read_write_race(const Params& p) {
  auto& s = storage();
  s.values[thread()] = static_cast<float>(thread());
  if (good) sync_block();
  p.out[thread()] = s.values[(thread() + 37) % 64];
}
template <bool good>
HADAL_DEVICE void write_after_read(const Params& p) {
  auto& s = storage();
  s.values[thread()] = 1;
  sync_block();
  float sum = 0;
  for (int i = 0; i < 64; ++i) sum += s.values[i];
  if (good) sync_block();
  s.values[thread()] = sum;
  sync_block();
  p.out[thread()] = s.values[thread()];
}
template <bool good>
HADAL_DEVICE void write_write_race(const Params& p) {
  auto& s = storage();
  if (!good || thread() == 7) s.values[0] = 3;
  sync_block();
  p.out[thread()] = s.values[0];
}
// Neighbouring bytes are no race; the same byte is.
template <bool good>
HADAL_DEVICE void byte_race(const Params& p) {
  auto& s = storage();
  s.bytes[good ? thread() : thread() / 2] = static_cast<uint8_t>(thread());
  sync_block();
  p.out[thread()] = static_cast<float>(s.bytes[thread() / 2]);
}
// A shuffle orders no memory.
template <bool good>
HADAL_DEVICE void shuffle_is_no_fence(const Params& p) {
  auto& s = storage();
  s.values[thread()] = 2;
  if (good) sync_warp();
  const float other = shuffle_xor(1.0f, 1);
  p.out[thread()] = other + s.values[thread() ^ 1];
}
template <bool good>
HADAL_DEVICE void shared_unwritten(const Params& p) {
  auto& s = storage();
  if (good || thread() > 0) s.values[thread()] = 1;
  p.out[thread()] = s.values[thread()];
}
template <bool good>
HADAL_DEVICE void shared_bounds(const Params& p) {
  auto& s = storage();
  s.values[thread() + (good ? 0 : 1100)] = 1;
  p.out[thread()] = 1;
}
template <bool good>
HADAL_DEVICE void global_bounds(const Params& p) {
  p.out[thread()] = p.in[good ? thread() : 961 + thread()];
}
template <bool good>
HADAL_DEVICE void global_write_bounds(const Params& p) {
  p.out[thread()] = 0;
  if (!good && thread() == 0) p.out[-1] = 0;
}
template <bool good>
HADAL_DEVICE void global_unwritten(const Params& p) {
  if (good) p.out[thread()] = 0;
  p.out[thread()] += 1;
}
template <bool good>
HADAL_DEVICE void misaligned(const Params& p) {
  const Vec16 v = load16(p.bytes + 16 * thread() + (good || thread() != 5 ? 0 : 4));
  store16(p.out + 4 * thread(), v);
}
template <bool good>
HADAL_DEVICE void global_race(const Params& p) {
  p.out[thread()] = 1;
  if (good) sync_block();
  p.out[(thread() + 1) % 64 + 64] = p.out[(thread() + 1) % 64];
}
// Every block reads what block 0 writes.
template <bool good>
HADAL_DEVICE void block_race(const Params& p) {
  if (blockIdx.x == 0) p.out[thread()] = 1;
  if (!good || blockIdx.x == 0) p.out[64 + 64 * static_cast<int>(blockIdx.x) + thread()] = p.out[thread()];
}
template <bool good>
HADAL_DEVICE void missing_lane(const Params& p) {
  float sum = 1;
  if (good || thread() != 9) sum = warp_sum(sum);
  p.out[thread()] = sum;
}
template <bool good>
HADAL_DEVICE void divergent(const Params& p) {
  float value = 1;
  if (good || thread() % 32 < 16) {
    value = shuffle_xor(value, 16);
  } else {
    value = shuffle_xor(value, 8);
  }
  p.out[thread()] = value;
}
template <bool good>
HADAL_DEVICE void different_calls(const Params& p) {
  if (good || thread() != 3) {
    p.out[thread()] = static_cast<float>(ballot(true));
  } else {
    p.out[thread()] = shuffle(1.0f, 0);
  }
}
// A barrier of the block in both branches of a warp.
template <bool good>
HADAL_DEVICE void divergent_barrier(const Params& p) {
  p.out[thread()] = 1;
  if (good || thread() % 2 == 0) {
    sync_block();
  } else {
    sync_block();
  }
}
template <bool good>
HADAL_DEVICE void exits_early(const Params& p) {
  if (!good && thread() == 40) return;
  p.out[thread()] = 1;
  sync_block();
}
template <bool good>
HADAL_DEVICE void named_counts(const Params& p) {
  sync_named(1, good || thread() < 32 ? 64 : 96);
  p.out[thread()] = 1;
}
template <bool good>
HADAL_DEVICE void named_partial(const Params& p) {
  sync_named(1, good ? 64 : 48);
  p.out[thread()] = 1;
}
template <bool good>
HADAL_DEVICE void named_too_few(const Params& p) {
  if (good || thread() < 32) sync_named(2, 64);
  p.out[thread()] = 1;
}
// A producer warp arrives, a consumer warp waits.
template <bool good>
HADAL_DEVICE void named_arrive(const Params& p) {
  auto& s = storage();
  if (thread() < 32) {
    if (good) s.values[thread()] = 5;
    arrive_named(3, 64);
    if (!good) s.values[thread()] = 5;
  } else {
    sync_named(3, 64);
    p.out[thread()] = s.values[thread() - 32];
  }
}
// Blocks add their part; the last one reads all.
template <bool good>
HADAL_DEVICE void last_block(const Params& p) {
  auto& s = storage();
  const int block = static_cast<int>(blockIdx.x), blocks = static_cast<int>(gridDim.x);
  p.out[64 * block + thread()] = 1;
  sync_block();
  if (thread() == 0) {
    if (good) fence_device();
    s.word = atomic_add(p.words, 1u);
    if (good) fence_device();
  }
  sync_block();
  if (s.word != static_cast<uint32_t>(blocks - 1)) return;
  float sum = 0;
  for (int b = 0; b < blocks; ++b) sum += p.out[64 * b + thread()];
  p.in[thread()] = sum;
}
// The same with the order in the atomic itself.
template <bool good>
HADAL_DEVICE void last_block_acquire(const Params& p) {
  auto& s = storage();
  const int block = static_cast<int>(blockIdx.x), blocks = static_cast<int>(gridDim.x);
  p.out[64 * block + thread()] = 1;
  sync_block();
  if (thread() == 0) s.word = good ? atomic_add_acquire_release(p.words, 1u) : atomic_add(p.words, 1u);
  sync_block();
  if (s.word != static_cast<uint32_t>(blocks - 1)) return;
  float sum = 0;
  for (int b = 0; b < blocks; ++b) sum += p.out[64 * b + thread()];
  p.in[thread()] = sum;
}
// Block 1 waits for block 0's flag.
template <bool good>
HADAL_DEVICE void flag(const Params& p) {
  const bool producer = blockIdx.x == 0;
  if (producer) {
    p.out[thread()] = 4;
    sync_block();
    if (thread() == 0) {
      if (good) {
        store_release(p.words, 1);
      } else {
        atomic_exchange(p.words, 1u);
      }
    }
  } else {
    if (thread() == 0)
      while (load_acquire(p.words) == 0) {}
    sync_block();
    p.out[64 * static_cast<int>(blockIdx.x) + thread()] = p.out[thread()];
  }
}
template <bool good>
HADAL_DEVICE void flag_never_set(const Params& p) {
  if (good && blockIdx.x == 0 && thread() == 0) store_release(p.words, 1);
  while (load_acquire(p.words) == 0) {}
  p.out[64 * static_cast<int>(blockIdx.x) + thread()] = 1;
}
// Spins on a word that another warp writes plainly.
template <bool good>
HADAL_DEVICE void plain_flag(const Params& p) {
  if (thread() == 0) {
    if (good) {
      while (load_acquire(p.words) == 0) {}
    } else {
      while (*static_cast<volatile uint32_t*>(p.words) == 0) {}
    }
    p.out[0] = 1;
  } else if (thread() == 32) {
    if (good) {
      store_release(p.words, 1);
    } else {
      *static_cast<volatile uint32_t*>(p.words) = 1;
    }
  }
}
// A histogram by atomics, read by another thread.
template <bool good>
HADAL_DEVICE void atomic_then_read(const Params& p) {
  atomic_add(p.words + thread() % 4, 1u);
  if (good) sync_block();
  p.out[thread()] = static_cast<float>(p.words[thread() % 4]);
}
// Starts before the kernel before it has ended.
HADAL_DEVICE void writes_out(const Params& p) { p.out[thread()] = p.in[thread()]; }
template <bool good>
HADAL_DEVICE void dependent_read(const Params& p) {
  if (good) wait_for_previous_kernel();
  p.in[512 + thread()] = p.out[thread()];
  if (!good) wait_for_previous_kernel();
}
template <bool good>
HADAL_DEVICE void dependent_write(const Params& p) {
  if (good) wait_for_previous_kernel();
  p.in[thread()] = 1;  // which the kernel before reads
  if (!good) wait_for_previous_kernel();
}
// One thread waits, a barrier passes it on.
template <bool good>
HADAL_DEVICE void dependent_barrier(const Params& p) {
  if (thread() == 0) wait_for_previous_kernel();
  if (good) sync_block();
  p.in[512 + thread()] = p.out[thread()];
}
template <bool good>
HADAL_DEVICE void dependent_never(const Params& p) {
  if (good) wait_for_previous_kernel();
  p.in[512 + thread()] = 1;
}

}  // namespace hadal::device

using hadal::testing::EmulatorParams;

#define HADAL_TWINS(name)                                                                       \
  HADAL_KERNEL(emulator_##name##_good, EmulatorParams, 64, 1) { hadal::device::name<true>(p); } \
  HADAL_KERNEL(emulator_##name##_bad, EmulatorParams, 64, 1) { hadal::device::name<false>(p); }

HADAL_TWINS(read_write_race)
HADAL_TWINS(write_after_read)
HADAL_TWINS(write_write_race)
HADAL_TWINS(byte_race)
HADAL_TWINS(shuffle_is_no_fence)
HADAL_TWINS(shared_unwritten)
HADAL_TWINS(shared_bounds)
HADAL_TWINS(global_bounds)
HADAL_TWINS(global_write_bounds)
HADAL_TWINS(global_unwritten)
HADAL_TWINS(misaligned)
HADAL_TWINS(global_race)
HADAL_TWINS(block_race)
HADAL_TWINS(missing_lane)
HADAL_TWINS(divergent)
HADAL_TWINS(different_calls)
HADAL_TWINS(divergent_barrier)
HADAL_TWINS(exits_early)
HADAL_TWINS(named_counts)
HADAL_TWINS(named_partial)
HADAL_TWINS(named_too_few)
HADAL_TWINS(named_arrive)
HADAL_TWINS(last_block)
HADAL_TWINS(last_block_acquire)
HADAL_TWINS(flag)
HADAL_TWINS(flag_never_set)
HADAL_TWINS(plain_flag)
HADAL_TWINS(atomic_then_read)
HADAL_TWINS(dependent_read)
HADAL_TWINS(dependent_write)
HADAL_TWINS(dependent_barrier)
HADAL_TWINS(dependent_never)
HADAL_KERNEL(emulator_writes_out, EmulatorParams, 64, 1) { hadal::device::writes_out(p); }
