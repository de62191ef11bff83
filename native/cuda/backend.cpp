// See backend.h.
#include "cuda/backend.h"

#include "cuda/device.h"
#include "cuda/kernels_file.h"
#include "cuda/ops.h"

namespace hadal::cuda {

std::vector<const char*> op_names() {
  std::vector<const char*> names;
  for (const CudaOp* op : all_ops()) names.push_back(op->name);
  return names;
}

BackendFacts facts(const Driver& driver, const std::string& kernels) {
  const Found found = find_gpu(driver);
  if (!kernels.empty()) read_kernels(kernels);
  return {found.name, found.driver_version, found.memory_total};
}

std::shared_ptr<Device> open(const Driver& driver, const std::string& kernels) {
  const Found found = find_gpu(driver);
  std::vector<char> bytes;
  if (!kernels.empty()) bytes = read_kernels(kernels);
  return std::make_shared<CudaDevice>(std::make_shared<Gpu>(driver, found, std::move(bytes)));
}

}  // namespace hadal::cuda
