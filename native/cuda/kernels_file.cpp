// See kernels_file.h. The header of a fatbin: magic, version, bytes of the header, bytes after it.
#include "cuda/kernels_file.h"

#include <dlfcn.h>

#include <cstring>
#include <fstream>
#include <iterator>

namespace hadal::cuda {
namespace {

constexpr uint32_t kMagic = 0xba55ed50;

struct FatbinHeader {
  uint32_t magic;
  uint16_t version;
  uint16_t header_bytes;
  uint64_t body_bytes;
};

}  // namespace

std::string kernels_beside() {
  Dl_info info;
  std::string file;
  if (dladdr(reinterpret_cast<void*>(&kernels_beside), &info) != 0 && info.dli_fname != nullptr) file = info.dli_fname;
  const size_t slash = file.rfind('/');
  return (slash == std::string::npos ? "." : file.substr(0, slash)) + "/kernels.sm_90a.fatbin";
}

std::vector<char> read_kernels(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream)
    fail(HADAL_ERROR_UNSUPPORTED, "CUDA: no kernels file: %s is not there (it is built where nvcc is)", file.c_str());
  std::vector<char> bytes(std::istreambuf_iterator<char>(stream), {});
  if (stream.bad()) fail(HADAL_ERROR_UNSUPPORTED, "CUDA: the kernels file %s cannot be read", file.c_str());
  fatbins_of(bytes);
  return bytes;
}

std::vector<size_t> fatbins_of(const std::vector<char>& bytes) {
  std::vector<size_t> offsets;
  for (size_t at = 0; at < bytes.size() || at == 0;) {
    FatbinHeader header{};
    const size_t left = bytes.size() - at;
    if (left >= sizeof header) std::memcpy(&header, bytes.data() + at, sizeof header);
    if (header.magic != kMagic || header.header_bytes < sizeof header || header.header_bytes > left ||
        header.body_bytes > left - header.header_bytes || (header.header_bytes + header.body_bytes) % 8 != 0)
      fail(HADAL_ERROR_UNSUPPORTED, "CUDA: the kernels file is damaged: expected a fatbin at byte %zu of %zu", at,
           bytes.size());
    offsets.push_back(at);
    at += header.header_bytes + header.body_bytes;
  }
  return offsets;
}

std::vector<DriverLibrary> load_kernels(const Driver& driver, const std::vector<char>& bytes) {
  const std::vector<size_t> offsets = bytes.empty() ? std::vector<size_t>{0} : fatbins_of(bytes);
  std::vector<DriverLibrary> libraries;
  for (const size_t offset : offsets) {
    DriverLibrary library = nullptr;
    const DriverResult result =
        driver.library_load(&library, bytes.data() + offset, nullptr, nullptr, 0, nullptr, nullptr, 0);
    if (result != 0)
      for (const DriverLibrary loaded : libraries) driver.library_unload(loaded);
    expect_success(driver, result, "loading the kernels (are they of a newer toolkit than the driver?)");
    libraries.push_back(library);
  }
  return libraries;
}

}  // namespace hadal::cuda
