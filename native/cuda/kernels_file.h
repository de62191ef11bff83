// The kernels' file: fatbins (one per .cu) one behind the other. Each says its own size, so that there is no index.
#pragma once

#include <string>
#include <vector>

#include "cuda/driver.h"

namespace hadal::cuda {

// "…/kernels.sm_90a.fatbin" beside the library or program that this code is in.
std::string kernels_beside();
// The bytes of the file. Throws UNSUPPORTED: not there, or not readable.
std::vector<char> read_kernels(const std::string& file);
// Offsets of the fatbins. Throws UNSUPPORTED for a file that is none, or cut.
std::vector<size_t> fatbins_of(const std::vector<char>& bytes);
// Loads all of them into the current context; `bytes` must stay. No bytes: what the driver has by itself (the
// emulator's kernels are compiled in).
std::vector<DriverLibrary> load_kernels(const Driver& driver, const std::vector<char>& bytes);

}  // namespace hadal::cuda
