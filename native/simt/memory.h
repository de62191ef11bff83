// Global memory of the emulated device: allocations in an address space of their own, so that every
// access in it that is not in a living allocation is a mistake with a name. Addresses are never
// used a second time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hadal::simt {

// 256-byte aligned, uninitialised (bytes 0xff: NaN in every type that Hadal has); null when nothing
// is left.
void* allocate_global(size_t bytes);
bool free_global(void* start);  // false: not an allocation's start
// What copies and fills of the host do, in bytes that are now written.
void mark_written(void* start, size_t bytes);
// The same for a copy between two places on the device: unwritten bytes stay so.
void copy_written(void* to, const void* from, size_t bytes);
// Empty, or what is wrong with so many bytes there.
const char* check_global(const void* start, size_t bytes);

// Host memory that kernels may touch, too.
void pin_host(void* start, size_t bytes);
void unpin_host(const void* start);

}  // namespace hadal::simt
