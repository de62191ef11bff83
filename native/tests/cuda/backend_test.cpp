// The CUDA backend over the emulated driver: what it says where it cannot work, device memory, files, programs as
// graphs. Kernels have tests of their own; what is compared here runs through core's Program, as in a model.
#include "cuda/backend.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "core/host_buffer.h"
#include "core/host_device.h"
#include "core/program.h"
#include "cuda/device.h"
#include "cuda/graph.h"
#include "cuda/kernels_file.h"
#include "simt/driver.h"
#include "simt/stream.h"
#include "tests/case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using cuda::Driver;
using cuda::DriverResult;

Driver fake(const std::function<void(Driver&)>& change) {
  Driver driver = simt::driver();
  change(driver);
  return driver;
}

bool says(const Driver& driver, const char* text) {
  return throws(HADAL_ERROR_UNSUPPORTED, text, [&] { cuda::facts(driver, ""); }) &&
         throws(HADAL_ERROR_UNSUPPORTED, text, [&] { cuda::open(driver, ""); });
}

void refusal_tests() {
  test("without a driver it says so", [] {
    CHECK(throws(HADAL_ERROR_UNSUPPORTED, "CUDA: no driver on this machine (libhadal_none.so was not found)",
                 [] { cuda::open_driver("libhadal_none.so"); }));
  });
  test("a driver without a function is too old", [] {
    CHECK(throws(HADAL_ERROR_UNSUPPORTED, "CUDA: the driver is too old: it has no cuInit",
                 [] { cuda::open_driver("libm.so.6"); }));
  });
  test("no device, by cuInit and by the count", [] {
    CHECK(says(fake([](Driver& d) { d.init = [](uint32_t) -> DriverResult { return cuda::kDriverNoDevice; }; }),
               "CUDA: no CUDA device on this machine"));
    CHECK(says(fake([](Driver& d) { d.device_count = [](int* count) -> DriverResult { return *count = 0; }; }),
               "CUDA: no CUDA device on this machine"));
  });
  test("a driver that does not start says why", [] {
    CHECK(says(fake([](Driver& d) {
                 d.init = [](uint32_t) -> DriverResult { return 803; };
                 d.error_string = [](DriverResult, const char** text) -> DriverResult {
                   return *text = "system has unsupported display driver", 0;
                 };
               }),
               "CUDA: the driver does not start: system has unsupported display driver"));
  });
  test("a driver too old is told by its version", [] {
    CHECK(says(fake([](Driver& d) { d.driver_version = [](int* v) -> DriverResult { return *v = 11080, 0; }; }),
               "CUDA: the driver is too old: it is one for CUDA 11.8, expected 12.4 or newer"));
  });
  test("GPUs of other architectures are named", [] {
    CHECK(says(fake([](Driver& d) {
                 d.device_count = [](int* count) -> DriverResult { return *count = 2, 0; };
                 d.device_get = [](int* device, int ordinal) -> DriverResult { return *device = ordinal, 0; };
                 d.device_name = [](char* name, int, int device) -> DriverResult {
                   return std::strcpy(name, device == 0 ? "RTX A6000" : "B200"), 0;
                 };
                 d.device_attribute = [](int* value, int attribute, int device) -> DriverResult {
                   const bool major = attribute == cuda::kDeviceComputeMajor;
                   return *value = device == 0 ? (major ? 8 : 6) : (major ? 10 : 0), 0;
                 };
               }),
               "CUDA: unsupported GPU: RTX A6000 is sm_86, B200 is sm_100, need sm_90"));
  });
  test("a Hopper behind another GPU is taken", [] {
    const Driver driver = fake([](Driver& d) {
      d.device_count = [](int* count) -> DriverResult { return *count = 2, 0; };
      d.device_get = [](int* device, int ordinal) -> DriverResult { return *device = ordinal, 0; };
      d.device_attribute = [](int* value, int attribute, int device) -> DriverResult {
        return *value = attribute == cuda::kDeviceComputeMajor ? 8 + device : 0, 0;
      };
    });
    CHECK(cuda::find_gpu(driver).device == 1);
  });
  test("without the kernels' file it names the file, and a damaged one is no crash", [] {
    CHECK(throws(HADAL_ERROR_UNSUPPORTED, "CUDA: no kernels file: /nonexistent/kernels.fatbin is not there",
                 [] { cuda::open(simt::driver(), "/nonexistent/kernels.fatbin"); }));
    CHECK(throws(HADAL_ERROR_UNSUPPORTED, "damaged", [] { cuda::open(simt::driver(), "/proc/self/exe"); }));
  });
  test("kernels that the driver does not load are reported and nothing stays open", [] {
    static int contexts = 0;
    const Driver driver = fake([](Driver& d) {
      d.context_retain = [](cuda::DriverContext* context, int) -> DriverResult { return ++contexts, *context = nullptr, 0; };
      d.context_release = [](int) -> DriverResult { return --contexts, 0; };
      d.library_load = [](cuda::DriverLibrary*, const void*, void*, void*, uint32_t, void*, void*,
                          uint32_t) -> DriverResult { return cuda::kDriverInvalidValue; };
    });
    CHECK(throws(HADAL_ERROR_INTERNAL, "loading the kernels", [&] { cuda::open(driver, ""); }));
    CHECK(contexts == 0);
  });
}

std::shared_ptr<Device> make_device() { return cuda::open(simt::driver(), ""); }

template <typename T>
std::vector<T> read(const Buffer& buffer, uint64_t offset, size_t count) {
  std::vector<T> values(count);
  buffer.read(offset, values.data(), count * sizeof(T));
  return values;
}

void memory_tests() {
  test("a buffer is zero, keeps what is written, and refuses what the host's refuses", [] {
    const auto device = make_device();
    const auto buffer = device->allocate(1000);
    CHECK(read<char>(*buffer, 0, 1000) == std::vector<char>(1000));
    buffer->write(990, "0123456789", 10);
    CHECK((read<char>(*buffer, 995, 5) == std::vector<char>{'5', '6', '7', '8', '9'}));
    char data[16];
    CHECK(throws(HADAL_ERROR_INVALID, "write: 10 bytes at offset 991 leave the buffer of 1000 bytes",
                 [&] { buffer->write(991, data, 10); }));
    CHECK(throws(HADAL_ERROR_INVALID, "read: 0 bytes at offset 1001", [&] { buffer->read(1001, data, 0); }));
    buffer->discard(992, 4);
    CHECK((read<char>(*buffer, 990, 10) == std::vector<char>{'0', '1', 0, 0, 0, 0, '6', '7', '8', '9'}));
    CHECK(device->allocate(0)->size() == 0);
  });
  test("what is larger than both pinned halves comes through whole, from two threads at once", [] {
    const auto device = make_device();
    const size_t bytes = 5 * cuda::Transfers::kHalf / 2 + 123;
    const auto round_trip = [&](uint32_t seed) {
      std::vector<char> data(bytes);
      for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<char>((i * 2654435761u + seed) >> 13);
      const auto buffer = device->allocate(bytes);
      buffer->write(0, data.data(), bytes);
      CHECK(read<char>(*buffer, 0, bytes) == data);
    };
    std::thread other([&] { round_trip(1); });
    round_trip(2);
    other.join();
  });
  test("memory that the GPU does not have is refused as such", [] {
    const Driver driver = fake([](Driver& d) {
      d.memory_allocate = [](cuda::DevicePointer*, size_t) -> DriverResult { return cuda::kDriverOutOfMemory; };
    });
    const auto device = cuda::open(driver, "");
    CHECK(throws(HADAL_ERROR_NO_MEMORY, "the GPU has no 4096 bytes left", [&] { device->allocate(4096); }));
  });
  test("buffers outlive their device, and each other", [] {
    auto device = make_device();
    const auto buffer = device->allocate(64);
    device.reset();
    buffer->write(0, "ab", 2);
    CHECK((read<char>(*buffer, 0, 2) == std::vector<char>{'a', 'b'}));
  });
}

// A file with bytes i % 251, removed at the end.
struct File {
  std::string path = "/tmp/hadal-cuda-test-XXXXXX";
  int fd;
  struct stat info;
  explicit File(size_t bytes) : fd(mkstemp(path.data())) {
    std::vector<char> data(bytes);
    for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<char>(i % 251);
    if (write(fd, data.data(), bytes) != static_cast<ssize_t>(bytes)) std::abort();
    fstat(fd, &info);
  }
  ~File() {
    close(fd);
    unlink(path.c_str());
  }
  std::shared_ptr<Buffer> map() const {
    return HostBuffer::map(path.c_str(), static_cast<uint64_t>(info.st_size),
                           info.st_mtim.tv_sec * 1000000000LL + info.st_mtim.tv_nsec);
  }
};

std::vector<char> on_device(const char* address, size_t bytes) {
  std::vector<char> data(bytes);
  simt::driver().copy_to_host(data.data(), reinterpret_cast<cuda::DevicePointer>(address), bytes, nullptr);
  return data;
}

void file_tests() {
  test("ranges of a file are copied when they are named, each once, and may lie in one another", [] {
    static uint64_t copied = 0;
    const Driver driver = fake([](Driver& d) {
      d.copy_to_device = [](cuda::DevicePointer to, const void* from, size_t bytes, cuda::DriverStream stream) {
        copied += bytes;
        return simt::driver().copy_to_device(to, from, bytes, stream);
      };
    });
    const File file(300000);
    const auto buffer = cuda::open(driver, "")->adopt(file.map());
    CHECK(copied == 0 && buffer->read_only() && buffer->size() == 300000);
    const char* first = buffer->locate(1001, 70000);
    CHECK(copied == 70000 && reinterpret_cast<uintptr_t>(first) % 256 == 0);
    CHECK(on_device(first, 2) == (std::vector<char>{static_cast<char>(1001 % 251), static_cast<char>(1002 % 251)}));
    CHECK(buffer->locate(1001, 70000) == first && buffer->locate(2000, 100) == first + 999 && copied == 70000);
    buffer->locate(100000, 200000);
    CHECK(copied == 270000);
    CHECK(read<char>(*buffer, 299999, 1)[0] == static_cast<char>(299999 % 251));
    CHECK(throws(HADAL_ERROR_INVALID, "is mapped read-only", [&] { buffer->write(0, "a", 1); }));
    CHECK(throws(HADAL_ERROR_INVALID, "is mapped read-only", [&] { buffer->discard(0, 1); }));
  });
  test("a file that changed since it was mapped is refused when a range is named", [] {
    const File file(300000);
    const auto buffer = make_device()->adopt(file.map());
    buffer->locate(0, 4096);
    if (ftruncate(file.fd, 8192) != 0) std::abort();
    CHECK(throws(HADAL_ERROR_FILE_CHANGED, file.path.c_str(), [&] { buffer->locate(8192, 100000); }));
    buffer->locate(0, 4096);  // that one is on the device
  });
  test("a file that is cut while it is copied is noticed", [] {
    static int victim = -1;
    const Driver driver = fake([](Driver& d) {
      d.copy_to_device = [](cuda::DevicePointer to, const void* from, size_t bytes, cuda::DriverStream stream) {
        if (victim >= 0 && ftruncate(victim, 4096) != 0) std::abort();
        return simt::driver().copy_to_device(to, from, bytes, stream);
      };
    });
    const File file(3 * cuda::Transfers::kHalf);
    const auto buffer = cuda::open(driver, "")->adopt(file.map());
    victim = file.fd;
    CHECK(throws(HADAL_ERROR_FILE_CHANGED, file.path.c_str(),
                 [&] { buffer->locate(0, 3 * cuda::Transfers::kHalf); }));
    victim = -1;
  });
}

View view(const std::shared_ptr<Buffer>& buffer, std::vector<int64_t> shape, uint64_t offset = 0) {
  View result;
  result.buffer = buffer;
  result.offset = offset;
  result.rank = static_cast<int32_t>(shape.size());
  int64_t stride = 1;
  for (int i = result.rank - 1; i >= 0; --i) {
    result.shape[i] = shape[static_cast<size_t>(i)];
    result.strides[i] = stride;
    stride *= shape[static_cast<size_t>(i)] < 0 ? 1 : shape[static_cast<size_t>(i)];
  }
  return result;
}

// residual += x; out = norm(residual): the second run differs from the first, so a step too many or too few shows.
struct Step {
  static constexpr int64_t kWidth = 64, kRows = 8;
  std::shared_ptr<Device> device;
  std::shared_ptr<Buffer> residual, x, out, weight;
  std::unique_ptr<Program> program;

  explicit Step(std::shared_ptr<Device> on) : device(std::move(on)) {
    const auto bytes = static_cast<uint64_t>(kWidth * kRows * 4);
    for (auto* buffer : {&residual, &x, &out}) *buffer = device->allocate(bytes);
    weight = device->allocate(static_cast<uint64_t>(kWidth) * 4);
    const std::vector<float> ones(static_cast<size_t>(kWidth), 1.5f);
    weight->write(0, ones.data(), ones.size() * 4);
    program = std::make_unique<Program>(device, HADAL_FAST, Dims{kRows, 1, 1});
    append();
  }
  void append() {
    const double eps = 1e-6;
    const auto rows = [&](const std::shared_ptr<Buffer>& b) { return view(b, {HADAL_DIM_T, kWidth}); };
    program->append("add_rms_norm", {{rows(out)}, {rows(residual)}, {rows(x)}, {view(weight, {kWidth})}}, {&eps, 1});
  }
  std::vector<float> run(int64_t tokens, float value) {
    std::vector<float> input(static_cast<size_t>(kWidth * kRows));
    for (size_t i = 0; i < input.size(); ++i) input[i] = value + static_cast<float>(i % 7);
    x->write(0, input.data(), input.size() * 4);
    program->run({tokens, 0, 0}, nullptr);
    return read<float>(*out, 0, input.size());
  }
};

void program_tests() {
  test("a program of several steps gives what the host gives, one by one and as graphs", [] {
    Step gpu(make_device()), host(std::make_shared<HostDevice>(cpu_backend(), 1, ""));
    const uint64_t before = simt::graph_launches();
    for (const int64_t tokens : {3, 8, 3, 3, 0, 8, 1, 0, 8, 0}) {
      const float value = static_cast<float>(tokens) * 0.25f - 1;
      const std::vector<float> got = gpu.run(tokens, value), expected = host.run(tokens, value);
      for (size_t i = 0; i < got.size(); ++i) CHECK(std::fabs(got[i] - expected[i]) <= 4e-6f * std::fabs(expected[i]));
    }
    CHECK(read<float>(*gpu.residual, 0, 512) == read<float>(*host.residual, 0, 512));
    CHECK(simt::graph_launches() == before + 6);  // sizes 3, 8, 0 and 1 ran op by op once
  });
  test("graphs are forgotten when the program grows, and the least recently used goes", [] {
    static int alive = 0, captures = 0;
    const Driver driver = fake([](Driver& d) {
      d.graph_instantiate = [](cuda::DriverGraphExec* exec, cuda::DriverGraph graph, unsigned long long flags) {
        return ++alive, ++captures, simt::driver().graph_instantiate(exec, graph, flags);
      };
      d.graph_exec_destroy = [](cuda::DriverGraphExec exec) { return --alive, simt::driver().graph_exec_destroy(exec); };
    });
    {
      Step step(cuda::open(driver, ""));
      Program wide(step.device, HADAL_FAST, {8, 100, 1});
      const double eps = 1e-6;
      const auto rows = [&](const std::shared_ptr<Buffer>& b) { return view(b, {HADAL_DIM_T, Step::kWidth}); };
      wide.append("rms_norm", {{rows(step.out)}, {rows(step.x)}, {view(step.weight, {Step::kWidth})}}, {&eps, 1});
      for (int64_t s = 0; s < 40; ++s)
        for (int times = 0; times < 3; ++times) wide.run({2, s, 0}, nullptr);
      CHECK(captures == 40 && alive == static_cast<int>(cuda::GraphReplay::kMostGraphs));
      step.run(4, 1);
      step.run(4, 1);
      CHECK(captures == 41);
      step.append();
      step.run(4, 1);
      CHECK(captures == 41);
      step.run(4, 1);
      CHECK(captures == 42);
    }
    CHECK(alive == 0);
  });
  test("timings come per op, without graphs", [] {
    Step step(make_device());
    step.append();
    step.program->profile(true);
    const uint64_t before = simt::graph_launches();
    for (int i = 0; i < 3; ++i) step.run(8, 1);
    uint64_t spent[2] = {};
    step.program->timings(spent, 2);
    CHECK(spent[0] > 0 && spent[1] > 0 && simt::graph_launches() == before);
  });
  test("a set cancel flag stops a run before it starts, and the program goes on after", [] {
    Step step(make_device());
    const int32_t cancel = 1;
    CHECK(throws(HADAL_ERROR_CANCELLED, "before op 0 of 1", [&] { step.program->run({1, 0, 0}, &cancel); }));
    step.run(2, 1);
  });
  test("an op without a kernel, the reference precision and another device's buffer are refused", [] {
    Step step(make_device());
    CHECK(throws(HADAL_ERROR_UNSUPPORTED, "op \"fp8_matmul\": the cuda backend has none of this name",
                 [&] { step.program->append("fp8_matmul", {}, {}); }));
    CHECK(throws(HADAL_ERROR_UNSUPPORTED, "no reference ops",
                 [&] { Program program(step.device, HADAL_REFERENCE, {1, 1, 1}); }));
    step.x = HostBuffer::allocate(4096);
    CHECK(throws(HADAL_ERROR_INVALID, "another device", [&] { step.append(); }));
    step.x = make_device()->allocate(4096);
    CHECK(throws(HADAL_ERROR_INVALID, "another device", [&] { step.append(); }));
  });
  test("what a launcher would refuse is refused when it is recorded", [] {
    Step step(make_device());
    const double eps = 1e-6;
    View odd = view(step.x, {HADAL_DIM_T, 12});
    CHECK(throws(HADAL_ERROR_INVALID, "width: expected a multiple of 8", [&] {
      step.program->append("rms_norm", {{odd}, {odd}, {view(step.weight, {12})}}, {&eps, 1});
    }));
    View shifted = view(step.x, {HADAL_DIM_T, 16}, 4);
    CHECK(throws(HADAL_ERROR_INVALID, "multiple of 16", [&] {
      step.program->append("rms_norm", {{shifted}, {shifted}, {view(step.weight, {16})}}, {&eps, 1});
    }));
    CHECK(step.program->size() == 1);
  });
  test("a launch that fails names the op, and leaves nothing captured", [] {
    static bool broken = false;
    const Driver driver = fake([](Driver& d) {
      d.launch = [](const cuda::LaunchConfig* config, cuda::DriverKernel kernel, void** params, void** extra) {
        return broken ? static_cast<DriverResult>(cuda::kDriverLaunchFailed)
                      : simt::driver().launch(config, kernel, params, extra);
      };
    });
    Step step(cuda::open(driver, ""));
    step.run(4, 1);
    broken = true;
    CHECK(throws(HADAL_ERROR_INTERNAL, "op 0 (add_rms_norm): CUDA: add_rms_norm", [&] { step.run(4, 1); }));
    broken = false;
    step.run(4, 1);
    step.run(4, 1);
  });
  test("scratch grows without moving what was handed out", [] {
    cuda::DeviceArena arena(simt::driver());
    auto* first = static_cast<char*>(arena.allocate(100));
    auto* second = static_cast<char*>(arena.allocate(100));
    CHECK(second - first == 256);
    arena.allocate(4 << 20);
    arena.reset();
    const uint64_t capacity = arena.capacity();
    for (int i = 0; i < 10; ++i) {
      arena.reset();
      arena.allocate(3 << 20);
    }
    CHECK(arena.capacity() == capacity);
  });
}

}  // namespace

int main() {
  refusal_tests();
  memory_tests();
  file_tests();
  program_tests();
  test("the emulator found nothing in all of this", [] { CHECK(simt::take_report().count == 0); });
  return finish();
}
