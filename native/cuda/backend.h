// The backend as core opens it: facts and devices over a driver and a file of kernels.
#pragma once

#include <string>

#include "core/backend.h"
#include "cuda/driver.h"

namespace hadal::cuda {

std::vector<const char*> op_names();
// Throws UNSUPPORTED with one sentence, as find_gpu and read_kernels do; opens no context. kernels "": none needed.
BackendFacts facts(const Driver& driver, const std::string& kernels);
std::shared_ptr<Device> open(const Driver& driver, const std::string& kernels);

}  // namespace hadal::cuda
