// See backend.h. HADAL_CUDA_DRIVER=simt takes the library that has the emulator in it, which is built with the
// tests and shipped with nothing.
#include "core/backend.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <mutex>

#include "core/host_device.h"
#include "core/status.h"

namespace hadal {
namespace {

// The folder of the library or program that this code is in.
std::string own_folder() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return ".";
  const std::string file = info.dli_fname;
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? "." : file.substr(0, slash);
}

std::string library_file(bool emulated) {
  const std::string folder = own_folder();
  if (!emulated) return folder + "/hadal_cuda.so";
  const std::string beside = folder + "/hadal_cuda_simt.so";
  return access(beside.c_str(), R_OK) == 0 ? beside : folder + "/tests/hadal_cuda_simt.so";
}

const BackendLibrary& open_library(bool emulated) {
  const std::string file = library_file(emulated);
  if (access(file.c_str(), R_OK) != 0)
    fail(HADAL_ERROR_UNSUPPORTED, "CUDA: this build has no CUDA backend (%s is not there)", file.c_str());
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    fail(HADAL_ERROR_UNSUPPORTED, "CUDA: %s cannot be loaded: %s", file.c_str(), dlerror());
  const auto entry = reinterpret_cast<BackendEntry>(dlsym(library, kBackendEntry));
  const BackendLibrary* backend = entry == nullptr ? nullptr : entry(kBackendInterface);
  if (backend == nullptr)
    fail(HADAL_ERROR_UNSUPPORTED, "CUDA: %s is of another version, expected one for \"%s\"", file.c_str(),
         kBackendInterface);
  return *backend;  // stays open: its code may run until the process ends
}

OpenedDevice open_host(const DeviceChoice& choice) {
  return {std::make_shared<HostDevice>(cpu_backend(), choice.threads, choice.isa.c_str()), ""};
}

std::string missing_ops(const BackendLibrary& backend) {
  std::string missing;
  for (const HostOp& op : cpu_backend().ops) {
    bool found = false;
    for (const char* name : backend.op_names()) found = found || std::strcmp(name, op.name) == 0;
    if (!found) missing += (missing.empty() ? "" : ", ") + std::string(op.name);
  }
  return missing;
}

OpenedDevice open_best(const DeviceChoice& choice) {
  std::string note;
  try {
    const BackendLibrary& backend = cuda_backend();
    const std::string missing = missing_ops(backend);
    if (missing.empty()) return {backend.open(), ""};
    note = "CUDA: no kernels yet for " + missing;
  } catch (const Error& error) {
    note = error.what();
  }
  OpenedDevice opened = open_host(choice);
  opened.note = note;
  return opened;
}

}  // namespace

const BackendLibrary& cuda_backend() {
  static std::mutex mutex;
  static const BackendLibrary* opened[2] = {};
  const char* wanted = std::getenv("HADAL_CUDA_DRIVER");
  const bool emulated = wanted != nullptr && std::strcmp(wanted, "simt") == 0;
  const std::lock_guard<std::mutex> lock(mutex);
  if (opened[emulated] == nullptr) opened[emulated] = &open_library(emulated);
  return *opened[emulated];
}

OpenedDevice open_device(const DeviceChoice& choice) {
  if (choice.kind == "cpu") return open_host(choice);
  HADAL_EXPECT(choice.kind == "cuda" || choice.kind == "auto",
               "device: expected \"auto\", \"cpu\" or \"cuda\", got \"%.64s\"", choice.kind.c_str());
  // An instruction set is the CPU's.
  if (choice.kind == "auto") return choice.isa.empty() ? open_best(choice) : open_host(choice);
  HADAL_EXPECT(choice.isa.empty(), "isa: expected none with device \"cuda\", got \"%.64s\"", choice.isa.c_str());
  return {cuda_backend().open(), ""};
}

}  // namespace hadal
