// The C ABI over the core. Every function turns exceptions into a status and this thread's error text;
// a handle is a heap cell around a shared pointer, so that a program outlives the handles it names.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/cpu_info.h"
#include "core/guard.h"
#include "core/host_buffer.h"
#include "core/host_device.h"
#include "core/last_error.h"
#include "core/program.h"
#include "core/status.h"
#include "hadal/hadal.h"

struct hadal_device {
  std::shared_ptr<hadal::Device> impl;
  std::string name, note;
};
struct hadal_buffer {
  std::shared_ptr<hadal::Buffer> impl;
};
struct hadal_program {
  std::shared_ptr<hadal::Program> impl;
};

namespace {

using hadal::guard;

void expect(const void* pointer, const char* name) { hadal::expect_pointer(pointer, name); }

template <size_t N>
void copy_text(char (&to)[N], const std::string& from) {
  const size_t length = std::min(from.size(), N - 1);
  std::memcpy(to, from.data(), length);
  to[length] = '\0';
}

hadal::Dims dims_of(const int64_t* dims, const char* name) {
  expect(dims, name);
  return {dims[0], dims[1], dims[2]};
}

hadal::View view_of(const hadal_tensor& tensor) {
  HADAL_EXPECT(tensor.buffer != nullptr, "tensor: expected a buffer, got NULL");
  HADAL_EXPECT(tensor.rank >= 0 && tensor.rank <= HADAL_MAX_RANK,
               "tensor: expected rank 0 to %d, got %d", HADAL_MAX_RANK, tensor.rank);
  hadal::View view;
  view.buffer = tensor.buffer->impl;
  view.offset = tensor.offset;
  view.dtype = tensor.dtype;
  view.rank = tensor.rank;
  std::copy_n(tensor.shape, tensor.rank, view.shape);
  std::copy_n(tensor.strides, tensor.rank, view.strides);
  return view;
}

// One string for the life of the process, leaked so that no exit handler takes it away from a thread.
const char* op_list() {
  static const std::string* const list = [] {
    auto* names = new std::string;
    for (const hadal::HostOp& op : hadal::cpu_backend().ops) names->append(op.name).push_back('\0');
    return names;
  }();
  return list->c_str();
}

// The same; a backend that cannot be opened is looked for again at the next call.
const char* cuda_op_list() {
  static const std::string* const list = [] {
    const hadal::BackendLibrary& backend = hadal::cuda_backend();
    auto* names = new std::string;
    for (const char* name : backend.op_names()) names->append(name).push_back('\0');
    return names;
  }();
  return list->c_str();
}

hadal::DeviceChoice choice_of(const hadal_device_options* options) {
  hadal::DeviceChoice choice;
  if (options == nullptr) return choice;
  constexpr size_t kWithoutDevice = offsetof(hadal_device_options, device);
  HADAL_EXPECT(options->struct_size == sizeof(hadal_device_options) || options->struct_size == kWithoutDevice,
               "hadal_device_options.struct_size: expected %zu, got %u", sizeof(hadal_device_options),
               options->struct_size);
  choice.threads = options->threads;
  if (options->isa != nullptr) choice.isa = options->isa;
  if (options->struct_size > kWithoutDevice && options->device != nullptr) choice.kind = options->device;
  HADAL_EXPECT(choice.threads >= 0 && choice.threads <= 4096, "threads: expected 0 to 4096, got %d",
               choice.threads);
  return choice;
}

}  // namespace

extern "C" {

uint32_t hadal_abi_version(void) { return HADAL_ABI_VERSION; }
const char* hadal_version(void) { return HADAL_VERSION; }
const char* hadal_last_error(void) { return hadal::last_error(); }

hadal_status hadal_cpu(hadal_cpu_info* out) {
  return guard([&] {
    expect(out, "info");
    HADAL_EXPECT(out->struct_size == sizeof(hadal_cpu_info),
                 "hadal_cpu_info.struct_size: expected %zu, got %u", sizeof(hadal_cpu_info),
                 out->struct_size);
    const hadal::CpuInfo info = hadal::cpu_info();
    const hadal::HostBackend& backend = hadal::cpu_backend();
    copy_text(out->vendor, info.vendor);
    copy_text(out->model, info.model);
    copy_text(out->isa, backend.isa_name(backend.kernels("")));
    copy_text(out->features, info.features);
    out->logical_cores = info.logical_cores;
    out->physical_cores = info.physical_cores;
    out->memory_total = info.memory_total;
    out->memory_available = info.memory_available;
  });
}

const char* hadal_op_list(void) {
  try {
    return op_list();
  } catch (...) {
    hadal::set_last_error("out of memory");
    return "\0";
  }
}

const char* hadal_cuda_op_list(void) {
  try {
    return cuda_op_list();
  } catch (const std::exception& error) {
    hadal::set_last_error(error.what());
    return "\0";
  }
}

hadal_status hadal_cuda(hadal_cuda_info* out) {
  return guard([&] {
    expect(out, "info");
    HADAL_EXPECT(out->struct_size == sizeof(hadal_cuda_info),
                 "hadal_cuda_info.struct_size: expected %zu, got %u", sizeof(hadal_cuda_info),
                 out->struct_size);
    *out = hadal_cuda_info{};
    out->struct_size = sizeof(hadal_cuda_info);
    try {
      const hadal::BackendFacts facts = hadal::cuda_backend().facts();
      copy_text(out->name, facts.name);
      out->driver_version = facts.driver_version;
      out->memory_total = facts.memory_total;
    } catch (const std::exception& error) {
      copy_text(out->problem, error.what());
    }
  });
}

hadal_status hadal_device_create(hadal_device** device, const hadal_device_options* options) {
  return guard([&] {
    expect(device, "device");
    *device = nullptr;
    hadal::OpenedDevice opened = hadal::open_device(choice_of(options));
    std::string name = opened.device->name();
    *device = new hadal_device{std::move(opened.device), std::move(name), std::move(opened.note)};
  });
}

void hadal_device_release(hadal_device* device) { delete device; }

int32_t hadal_device_threads(const hadal_device* device) {
  return device == nullptr ? 0 : device->impl->threads();
}

const char* hadal_device_isa(const hadal_device* device) {
  return device == nullptr ? "" : device->impl->isa();
}

const char* hadal_device_kind(const hadal_device* device) {
  return device == nullptr ? "" : device->impl->kind();
}

const char* hadal_device_name(const hadal_device* device) {
  return device == nullptr ? "" : device->name.c_str();
}

const char* hadal_device_note(const hadal_device* device) {
  return device == nullptr ? "" : device->note.c_str();
}

hadal_status hadal_device_memory(const hadal_device* device, uint64_t* total, uint64_t* available) {
  return guard([&] {
    expect(device, "device");
    expect(total, "total");
    expect(available, "available");
    const hadal::MemoryFacts memory = device->impl->memory();
    *total = memory.total;
    *available = memory.available;
  });
}

hadal_status hadal_buffer_allocate(hadal_buffer** buffer, hadal_device* device, uint64_t bytes) {
  return guard([&] {
    expect(buffer, "buffer");
    *buffer = nullptr;
    expect(device, "device");
    *buffer = new hadal_buffer{device->impl->allocate(bytes)};
  });
}

hadal_status hadal_buffer_map(hadal_buffer** buffer, hadal_device* device, const char* path,
                              uint64_t size, int64_t mtime_ns) {
  return guard([&] {
    expect(buffer, "buffer");
    *buffer = nullptr;
    expect(device, "device");
    expect(path, "path");
    *buffer = new hadal_buffer{device->impl->adopt(hadal::HostBuffer::map(path, size, mtime_ns))};
  });
}

void hadal_buffer_release(hadal_buffer* buffer) { delete buffer; }

uint64_t hadal_buffer_size(const hadal_buffer* buffer) {
  return buffer == nullptr ? 0 : buffer->impl->size();
}

hadal_status hadal_buffer_write(hadal_buffer* buffer, uint64_t offset, const void* data,
                                uint64_t bytes) {
  return guard([&] {
    expect(buffer, "buffer");
    if (bytes > 0) expect(data, "data");
    buffer->impl->write(offset, data, bytes);
  });
}

hadal_status hadal_buffer_read(const hadal_buffer* buffer, uint64_t offset, void* data,
                               uint64_t bytes) {
  return guard([&] {
    expect(buffer, "buffer");
    if (bytes > 0) expect(data, "data");
    buffer->impl->read(offset, data, bytes);
  });
}

hadal_status hadal_buffer_discard(hadal_buffer* buffer, uint64_t offset, uint64_t bytes) {
  return guard([&] {
    expect(buffer, "buffer");
    buffer->impl->discard(offset, bytes);
  });
}

hadal_status hadal_program_create(hadal_program** program, hadal_device* device,
                                  hadal_precision precision, const int64_t* max_dims) {
  return guard([&] {
    expect(program, "program");
    *program = nullptr;
    expect(device, "device");
    const hadal::Dims dims = dims_of(max_dims, "max_dims");
    auto impl = std::make_shared<hadal::Program>(device->impl, precision, dims);
    *program = new hadal_program{std::move(impl)};
  });
}

void hadal_program_release(hadal_program* program) { delete program; }

hadal_status hadal_program_append(hadal_program* program, const char* op,
                                  const hadal_argument* arguments, uint32_t argument_count,
                                  const double* attributes, uint32_t attribute_count) {
  return guard([&] {
    expect(program, "program");
    expect(op, "op");
    if (argument_count > 0) expect(arguments, "arguments");
    if (attribute_count > 0) expect(attributes, "attributes");
    std::vector<std::vector<hadal::View>> views(argument_count);
    for (uint32_t i = 0; i < argument_count; ++i) {
      if (arguments[i].count > 0) expect(arguments[i].tensors, "argument.tensors");
      views[i].reserve(arguments[i].count);
      for (uint32_t j = 0; j < arguments[i].count; ++j)
        views[i].push_back(view_of(arguments[i].tensors[j]));
    }
    program->impl->append(op, views, {attributes, attribute_count});
  });
}

uint32_t hadal_program_size(const hadal_program* program) {
  return program == nullptr ? 0 : program->impl->size();
}

hadal_status hadal_program_run(hadal_program* program, const int64_t* dims,
                               const volatile int32_t* cancel) {
  return guard([&] {
    expect(program, "program");
    program->impl->run(dims_of(dims, "dims"), cancel);
  });
}

hadal_status hadal_program_profile(hadal_program* program, int32_t enable) {
  return guard([&] {
    expect(program, "program");
    program->impl->profile(enable != 0);
  });
}

hadal_status hadal_program_timings(const hadal_program* program, uint64_t* nanoseconds,
                                   uint32_t count) {
  return guard([&] {
    expect(program, "program");
    if (count > 0) expect(nanoseconds, "nanoseconds");
    program->impl->timings(nanoseconds, count);
  });
}

}  // extern "C"
