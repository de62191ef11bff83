// The core without any real op: pool, arena, buffers, the truncation guard, recording and running.
// A small backend of its own supplies ops that copy, fail, spin and write.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "core/host_buffer.h"
#include "core/cpu_info.h"
#include "core/host_device.h"
#include "core/program.h"
#include "core/status.h"
#include "tests/case.h"

using namespace hadal;
using hadal::testing::test;
using hadal::testing::throws;

namespace {

// --- a backend for tests -------------------------------------------------------------------------

std::atomic<int> op_runs{0};
std::atomic<bool> gate_open{false};
std::atomic<int> at_gate{0};

void check_copy(const OpCall& call) {
  HADAL_EXPECT(call.has(0) && call.has(1), "copy: expected 2 tensors");
  HADAL_EXPECT(call[0].elements() == call[1].elements(), "copy: sizes differ");
}
void run_copy(Context& context, const OpCall& call) {
  ++op_runs;
  const int64_t rows = call[0].shape[0], columns = call[0].rank > 1 ? call[0].shape[1] : 1;
  context.pool.parallel_for(rows, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i)
      std::copy_n(call[1].row<float>(i), columns, call[0].row<float>(i));
  });
}
void check_any(const OpCall&) {}
void run_fail(Context&, const OpCall& call) {
  fail(HADAL_ERROR_INVALID, "ids[0]: expected 0..9, got %g", call.attribute(0));
}
void run_throw(Context&, const OpCall&) { throw std::runtime_error("unforeseen"); }
void run_wait(Context&, const OpCall&) {
  ++op_runs;
  ++at_gate;
  while (!gate_open.load()) std::this_thread::yield();
}
void run_scratch(Context& context, const OpCall&) {
  ++op_runs;
  auto* a = static_cast<char*>(context.scratch(100));
  auto* b = static_cast<char*>(context.scratch(1 << 20));
  std::memset(a, 1, 100);
  std::memset(b, 2, 1 << 20);
  if (reinterpret_cast<uintptr_t>(a) % 64 != 0 || reinterpret_cast<uintptr_t>(b) % 64 != 0 || a[99] != 1)
    throw std::runtime_error("scratch pieces overlap or are not aligned");
}
void run_oracle(Context&, const OpCall&) { op_runs += 1000; }

const HostOp test_ops[] = {
    {"copy", 2, 2, 1, 0, check_copy, run_copy, run_copy},
    {"fail", 0, 1, 0, 1, check_any, run_fail, run_fail},
    {"throw", 0, 0, 0, 0, check_any, run_throw, run_throw},
    {"wait", 0, 0, 0, 0, check_any, run_wait, run_wait},
    {"scratch", 0, 0, 0, 0, check_any, run_scratch, run_scratch},
    {"two", 0, 0, 0, 0, check_any, run_oracle, run_copy},
    {"list", 2, 3, 1, 2, check_any, run_scratch, run_scratch},
};
const HostBackend test_backend = {"test", test_ops, [](const char*) -> const void* { return nullptr; },
                              [](const void*) { return "none"; }};

std::shared_ptr<HostDevice> make_device(int threads = 2) {
  return std::make_shared<HostDevice>(test_backend, threads, "");
}

View view(const std::shared_ptr<Buffer>& buffer, std::vector<int64_t> shape, uint64_t offset = 0) {
  View result;
  result.buffer = buffer;
  result.offset = offset;
  result.rank = static_cast<int32_t>(shape.size());
  int64_t stride = 1;
  for (int i = result.rank - 1; i >= 0; --i) {
    result.shape[i] = shape[i];
    result.strides[i] = stride;
    // Hostile shapes wrap around here, as they would in a caller.
    stride = static_cast<int64_t>(static_cast<uint64_t>(stride) *
                                  static_cast<uint64_t>(std::max<int64_t>(shape[i], 1)));
  }
  return result;
}

// --- pool ----------------------------------------------------------------------------------------

void pool_tests() {
  test("the pool covers every index once, for any count, grain and number of threads", [] {
    for (int threads : {1, 2, 3, 8}) {
      ThreadPool pool(threads);
      CHECK(pool.threads() == threads);
      for (int64_t count : {0, 1, 2, 7, 64, 1000}) {
        for (int64_t grain : {-5, 0, 1, 3, 64, 5000}) {
          std::vector<std::atomic<int>> hits(static_cast<size_t>(count));
          std::atomic<bool> sane{true};
          pool.parallel_for(count, grain, [&](int64_t begin, int64_t end, int thread) {
            if (begin >= end || end - begin > std::max<int64_t>(grain, 1)) sane = false;
            if (thread < 0 || thread >= threads) sane = false;
            for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
          });
          CHECK(sane);
          CHECK(std::all_of(hits.begin(), hits.end(), [](const auto& h) { return h == 1; }));
        }
      }
    }
  });
  test("an exception of any range reaches the caller, and the pool works after it", [] {
    ThreadPool pool(3);
    for (int64_t bad = 0; bad < 40; ++bad) {
      const auto body = [&](int64_t begin, int64_t, int) {
        if (begin == bad) fail(HADAL_ERROR_INVALID, "range %ld", static_cast<long>(begin));
      };
      CHECK(throws(HADAL_ERROR_INVALID, "range", [&] { pool.parallel_for(40, 1, body); }));
    }
    std::atomic<int> sum{0};
    pool.parallel_for(100, 1, [&](int64_t, int64_t, int) { ++sum; });
    CHECK(sum == 100);
  });
  test("a region inside a region runs inline on the same thread number", [] {
    ThreadPool pool(4);
    std::atomic<int> inner{0};
    std::atomic<bool> same{true};
    pool.parallel_for(64, 1, [&](int64_t, int64_t, int outer) {
      pool.parallel_for(10, 3, [&](int64_t begin, int64_t end, int thread) {
        if (thread != outer) same = false;
        inner += static_cast<int>(end - begin);
      });
    });
    CHECK(inner == 640);
    CHECK(same);
  });
  test("20000 tiny regions lose no work, with pauses in which workers fall asleep", [] {
    ThreadPool pool(3);
    int64_t total = 0;
    for (int i = 0; i < 20000; ++i) {
      std::atomic<int> sum{0};
      pool.parallel_for(5, 1, [&](int64_t begin, int64_t, int) { sum += static_cast<int>(begin); });
      total += sum;
      if (i % 1000 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    CHECK(total == 20000 * 10);
  });
  test("two threads outside may use one pool, and one pool's body another pool", [] {
    ThreadPool pool(2), other(2);
    std::atomic<int> sum{0};
    const auto work = [&] {
      for (int i = 0; i < 200; ++i)
        pool.parallel_for(8, 1, [&](int64_t, int64_t, int) {
          other.parallel_for(2, 1, [&](int64_t, int64_t, int) { ++sum; });
        });
    };
    std::thread second(work);
    work();
    second.join();
    CHECK(sum == 2 * 200 * 8 * 2);
  });
  test("a number of threads out of range is refused", [] {
    CHECK(throws(HADAL_ERROR_INVALID, "threads", [] { ThreadPool pool(0); }));
    CHECK(throws(HADAL_ERROR_INVALID, "threads", [] { ThreadPool pool(5000); }));
  });
  test("an idle pool burns no processor time", [] {
    ThreadPool pool(4);
    pool.parallel_for(100, 1, [](int64_t, int64_t, int) {});
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const std::clock_t before = std::clock();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const double burnt = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
    CHECK(burnt < 0.02);  // spinning would burn 0.2 s per worker
  });
}

// --- buffers -------------------------------------------------------------------------------------

struct File {
  explicit File(size_t bytes) {
    char pattern[] = "/tmp/hadal-core-test-XXXXXX";
    fd = mkstemp(pattern);
    path = pattern;
    std::vector<char> data(bytes);
    for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<char>(i % 251);
    if (write(fd, data.data(), bytes) != static_cast<ssize_t>(bytes)) std::abort();
    refresh();
  }
  ~File() {
    close(fd);
    unlink(path.c_str());
  }
  void refresh() {
    struct stat info;
    fstat(fd, &info);
    size = static_cast<uint64_t>(info.st_size);
#if defined(__APPLE__)
    mtime = info.st_mtimespec.tv_sec * 1000000000LL + info.st_mtimespec.tv_nsec;
#else
    mtime = info.st_mtim.tv_sec * 1000000000LL + info.st_mtim.tv_nsec;
#endif
  }
  std::shared_ptr<HostBuffer> map() const { return HostBuffer::map(path.c_str(), size, mtime); }
  void cut(off_t bytes) const {
    if (ftruncate(fd, bytes) != 0) std::abort();
  }
  int fd;
  std::string path;
  uint64_t size = 0;
  int64_t mtime = 0;
};

void buffer_tests() {
  test("an allocated buffer reads as zero, keeps what is written, refuses ranges outside", [] {
    const auto buffer = HostBuffer::allocate(1000);
    char data[1000];
    buffer->read(0, data, 1000);
    CHECK(std::all_of(data, data + 1000, [](char c) { return c == 0; }));
    buffer->write(990, "0123456789", 10);
    buffer->read(995, data, 5);
    CHECK(std::memcmp(data, "56789", 5) == 0);
    CHECK(throws(HADAL_ERROR_INVALID, "offset 991", [&] { buffer->write(991, data, 10); }));
    CHECK(throws(HADAL_ERROR_INVALID, "1000 bytes", [&] { buffer->read(1001, data, 0); }));
    CHECK(throws(HADAL_ERROR_INVALID, "read", [&] { buffer->read(8, data, UINT64_MAX - 2); }));
    CHECK(reinterpret_cast<uintptr_t>(buffer->data()) % 64 == 0);
  });
  test("an empty buffer is legal; one larger than an address space is refused", [] {
    const auto buffer = HostBuffer::allocate(0);
    CHECK(buffer->size() == 0);
    buffer->write(0, nullptr, 0);
    buffer->discard(0, 0);
    CHECK(throws(HADAL_ERROR_NO_MEMORY, "bytes", [] { HostBuffer::allocate(uint64_t{1} << 62); }));
    CHECK(throws(HADAL_ERROR_NO_MEMORY, "bytes", [] { HostBuffer::allocate(UINT64_MAX); }));
  });
  test("a discarded range reads as zero and its neighbours stay", [] {
    const uint64_t size = 5 * 4096 + 123;
    const std::vector<char> ones(size, 1);
    const std::pair<uint64_t, uint64_t> ranges[] = {{0, size},     {100, 50},       {4000, 5000},
                                                    {4096, 4096},  {1, size - 1},   {8192, size - 8192},
                                                    {4095, 4098},  {size - 1, 1}};
    for (const auto& [offset, bytes] : ranges) {
      const auto buffer = HostBuffer::allocate(size);
      buffer->write(0, ones.data(), size);
      buffer->discard(offset, bytes);
      for (uint64_t i = 0; i < size; ++i) {
        const bool inside = i >= offset && i < offset + bytes;
        if (buffer->data()[i] != (inside ? 0 : 1)) {
          CHECK(!"a byte is wrong");
          break;
        }
      }
      CHECK(throws(HADAL_ERROR_INVALID, "discard", [&] { buffer->discard(size, 1); }));
    }
  });
  test("a mapped file shows its bytes and cannot be written or discarded", [] {
    const File file(10000);
    const auto buffer = file.map();
    char byte = 0;
    buffer->read(9999, &byte, 1);
    CHECK(byte == static_cast<char>(9999 % 251));
    CHECK(throws(HADAL_ERROR_INVALID, "read-only", [&] { buffer->write(0, &byte, 1); }));
    CHECK(throws(HADAL_ERROR_INVALID, "read-only", [&] { buffer->discard(0, 1); }));
  });
  test("mapping tells a changed size, a changed time, a folder, a FIFO and nothing apart", [] {
    const File file(100);
    const auto map = [&](const char* path, uint64_t size, int64_t mtime) {
      return [=] { HostBuffer::map(path, size, mtime); };
    };
    const char* path = file.path.c_str();
    CHECK(throws(HADAL_ERROR_FILE_CHANGED, "expected 99 bytes", map(path, 99, file.mtime)));
    CHECK(throws(HADAL_ERROR_FILE_CHANGED, "time", map(path, 100, file.mtime + 1)));
    CHECK(throws(HADAL_ERROR_IO, "regular file", map("/tmp", 100, 0)));
    CHECK(throws(HADAL_ERROR_IO, "regular file", map("/dev/zero", 100, 0)));
    CHECK(throws(HADAL_ERROR_IO, "/nonexistent/x: open", map("/nonexistent/x", 100, 0)));
    const std::string fifo = file.path + ".fifo";
    CHECK(mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(throws(HADAL_ERROR_IO, "regular file", map(fifo.c_str(), 100, 0)));
    unlink(fifo.c_str());
  });
  test("reading a truncated map fails with the file's name and not with SIGBUS", [] {
    const File file(64 * 4096);
    const auto buffer = file.map();
    file.cut(4096);
    std::vector<char> data(file.size);
    CHECK(throws(HADAL_ERROR_FILE_CHANGED, file.path.c_str(),
                 [&] { buffer->read(0, data.data(), file.size); }));
    CHECK(data[4095] == static_cast<char>(4095 % 251));
    CHECK(data[4096] == 0);
    // Once is enough to distrust it for good.
    CHECK(throws(HADAL_ERROR_FILE_CHANGED, "truncated", [&] { buffer->read(0, data.data(), 1); }));
  });
  test("many threads may fault in one truncated map at once", [] {
    const File file(256 * 4096);
    const auto buffer = file.map();
    file.cut(0);
    std::vector<std::thread> threads;
    std::atomic<int> sum{0};
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        for (int page = 255 - t; page >= 0; page -= 8)
          sum += static_cast<volatile char*>(buffer->data())[page * 4096];
      });
    for (auto& thread : threads) thread.join();
    CHECK(sum == 0);
    CHECK(throws(HADAL_ERROR_FILE_CHANGED, "truncated", [&] { buffer->check_faults(); }));
  });
  test("600 maps at once are guarded, and released slots are used again", [] {
    const File file(4096);
    for (int round = 0; round < 3; ++round) {
      std::vector<std::shared_ptr<Buffer>> buffers;
      for (int i = 0; i < 600; ++i) buffers.push_back(file.map());
      char byte = 1;
      buffers[599]->read(0, &byte, 1);
      CHECK(byte == 0);
    }
  });
  test("a SIGBUS outside our maps still ends the process as before", [] {
    const File file(4096);
    const auto guarded = file.map();
    const File other(4096);
    const pid_t child = fork();
    if (child == 0) {
      void* memory = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, other.fd, 0);
      other.cut(0);
      // A sanitizer's own handler ends with an exit code; either way the process must not go on.
      close(2);
      const char byte = *static_cast<volatile char*>(memory);
      _exit(byte == 0 ? 0 : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) ||
          (WIFEXITED(status) && WEXITSTATUS(status) != 0));
  });
}

// --- programs ------------------------------------------------------------------------------------

void record_tests() {
  const auto device = make_device();
  const auto buffer = HostBuffer::allocate(4096);
  const Dims max = {64, 4, 2};
  Program program(device, HADAL_FAST, max);
  const auto append = [&](const View& a, const View& b) {
    return [&program, a, b] { program.append("copy", {{a}, {b}}, {}); };
  };
  const View good = view(buffer, {HADAL_DIM_T, 8});

  test("a tensor that leaves its buffer at the largest step is refused", [&] {
    program.append("copy", {{good}, {good}}, {});
    CHECK(throws(HADAL_ERROR_INVALID, "needs 2304 bytes", append(good, view(buffer, {-1, 9}, 2048))));
    CHECK(throws(HADAL_ERROR_INVALID, "argument 1", append(good, view(buffer, {-1, 8}, 2049))));
    CHECK(throws(HADAL_ERROR_INVALID, "at byte 4097", append(good, view(buffer, {0}, 4097))));
    CHECK(throws(HADAL_ERROR_INVALID, "buffer", append(good, view(buffer, {1}, UINT64_MAX - 3))));
    CHECK(program.size() == 1);
  });
  test("extents and strides that overflow 64 bits are refused", [&] {
    const int64_t huge = INT64_MAX;
    CHECK(throws(HADAL_ERROR_INVALID, "64-bit", append(good, view(buffer, {huge, 2}))));
    View strided = view(buffer, {3, 3});
    strided.strides[0] = huge;
    CHECK(throws(HADAL_ERROR_INVALID, "64-bit", append(good, strided)));
    strided.strides[0] = huge / 2;
    strided.strides[1] = huge / 2;
    CHECK(throws(HADAL_ERROR_INVALID, "64-bit", append(good, strided)));
    View repeated = view(buffer, {int64_t{1} << 40, int64_t{1} << 40});
    repeated.strides[0] = repeated.strides[1] = 0;
    CHECK(throws(HADAL_ERROR_INVALID, "64-bit", append(good, repeated)));
  });
  test("bad ranks, dtypes, symbols, strides and offsets are refused", [&] {
    View bad = good;
    bad.rank = 5;
    CHECK(throws(HADAL_ERROR_INVALID, "rank", append(good, bad)));
    bad = good;
    bad.rank = -1;
    CHECK(throws(HADAL_ERROR_INVALID, "rank", append(good, bad)));
    for (int32_t dtype : {-1, 6, INT32_MAX}) {
      bad = good;
      bad.dtype = dtype;
      CHECK(throws(HADAL_ERROR_INVALID, "dtype", append(good, bad)));
    }
    bad = good;
    bad.shape[0] = -4;
    CHECK(throws(HADAL_ERROR_INVALID, "extent 0 is -4", append(good, bad)));
    bad = good;
    bad.strides[1] = -1;
    CHECK(throws(HADAL_ERROR_INVALID, "stride", append(good, bad)));
    CHECK(throws(HADAL_ERROR_INVALID, "aligned", append(good, view(buffer, {4}, 2))));
    bad = good;
    bad.buffer = nullptr;
    CHECK(throws(HADAL_ERROR_INVALID, "no buffer", append(good, bad)));
  });
  test("an output may not repeat elements nor lie in a mapped file", [&] {
    const File file(4096);
    const View mapped = view(file.map(), {HADAL_DIM_T, 8});
    program.append("copy", {{good}, {mapped}}, {});
    CHECK(throws(HADAL_ERROR_INVALID, "mapped file", append(mapped, good)));
    View repeated = good;
    repeated.strides[0] = 0;
    CHECK(throws(HADAL_ERROR_INVALID, "stride 0", append(repeated, good)));
    program.append("copy", {{good}, {repeated}}, {});
  });
  test("op names, argument counts and attribute counts are checked", [&] {
    CHECK(throws(HADAL_ERROR_UNSUPPORTED, "nonsense", [&] { program.append("nonsense", {}, {}); }));
    CHECK(throws(HADAL_ERROR_INVALID, "got 1", [&] { program.append("copy", {{good}}, {}); }));
    const double one = 1;
    CHECK(throws(HADAL_ERROR_INVALID, "attributes",
                 [&] { program.append("copy", {{good}, {good}}, {&one, 1}); }));
    CHECK(throws(HADAL_ERROR_INVALID, "expected 2 tensors",
                 [&] { program.append("copy", {{good}, {}}, {}); }));
    CHECK(throws(HADAL_ERROR_INVALID, "sizes differ", append(good, view(buffer, {HADAL_DIM_S, 8}))));
  });
  test("a buffer of another device is refused", [&] {
    struct Foreign final : Buffer {
      const void* space() const override { return this; }
      char* locate(uint64_t, uint64_t) override { return nullptr; }
      void store(uint64_t, const void*, uint64_t) override {}
      void load(uint64_t, void*, uint64_t) const override {}
      void clear(uint64_t, uint64_t) override {}
      Foreign() { size_ = 4096; }
    };
    const View foreign = view(std::make_shared<Foreign>(), {HADAL_DIM_T, 8});
    CHECK(throws(HADAL_ERROR_INVALID, "copy, argument 1: the buffer belongs to another device", append(good, foreign)));
  });
  test("precision and largest dims are checked", [&] {
    CHECK(throws(HADAL_ERROR_INVALID, "precision", [&] { Program p(device, 2, max); }));
    CHECK(throws(HADAL_ERROR_INVALID, "S between", [&] { Program p(device, 0, {1, -1, 1}); }));
    CHECK(throws(HADAL_ERROR_INVALID, "T between", [&] { Program p(device, 0, {INT64_MAX, 1, 1}); }));
  });
}

void run_tests() {
  test("extents that are equal only at the largest step are refused when recorded", [] {
    const auto device = std::make_shared<HostDevice>(cpu_backend(), 1, "");
    const auto memory = HostBuffer::allocate(1 << 20);
    Program program(device, HADAL_FAST, {8, 8, 8});
    const auto floats = [&](std::vector<int64_t> shape) { return view(memory, std::move(shape)); };
    View slots = floats({HADAL_DIM_N}), ids = floats({HADAL_DIM_T, 8});
    slots.dtype = ids.dtype = HADAL_I32;
    CHECK(throws(HADAL_ERROR_INVALID, "with T = 0: write_kv: slots: expected [0]",
                 [&] { program.append("write_kv", {{floats({4, 64, 6})}, {floats({HADAL_DIM_T, 6})}, {slots}}, {}); }));
    CHECK(program.size() == 0);
    slots.shape[0] = HADAL_DIM_T;
    program.append("write_kv", {{floats({4, 64, 6})}, {floats({HADAL_DIM_T, 6})}, {slots}}, {});
    program.run({0, 0, 0}, nullptr);
    program.run({8, 0, 0}, nullptr);
  });
  test("a run uses this step's sizes, 0 included, and touches nothing beyond", [] {
    const auto device = make_device();
    const auto from = HostBuffer::allocate(64 * 8 * 4), to = HostBuffer::allocate(64 * 8 * 4);
    std::vector<float> data(64 * 8);
    std::iota(data.begin(), data.end(), 1.0f);
    from->write(0, data.data(), data.size() * 4);
    Program program(device, HADAL_FAST, {64, 1, 1});
    program.append("copy", {{view(to, {HADAL_DIM_T, 8})}, {view(from, {HADAL_DIM_T, 8})}}, {});
    for (int64_t tokens : {0, 1, 5, 63, 64, 3}) {
      to->discard(0, to->size());
      program.run({tokens, 0, 0}, nullptr);
      const auto* got = reinterpret_cast<const float*>(to->data());
      for (int64_t i = 0; i < 64 * 8; ++i)
        CHECK(got[i] == (i < tokens * 8 ? data[static_cast<size_t>(i)] : 0.0f));
    }
    CHECK(throws(HADAL_ERROR_INVALID, "T between 0 and 64, got 65", [&] { program.run({65, 0, 0}, nullptr); }));
    CHECK(throws(HADAL_ERROR_INVALID, "got -1", [&] { program.run({1, 0, -1}, nullptr); }));
  });
  test("a program keeps its buffers alive", [] {
    const auto device = make_device();
    Program program(device, HADAL_FAST, {4, 1, 1});
    std::weak_ptr<Buffer> watch;
    {
      const auto buffer = HostBuffer::allocate(256);
      watch = buffer;
      program.append("copy", {{view(buffer, {HADAL_DIM_T, 4})}, {view(buffer, {HADAL_DIM_T, 4}, 128)}}, {});
    }
    CHECK(!watch.expired());
    program.run({4, 0, 0}, nullptr);
  });
  test("precision chooses the body", [] {
    op_runs = 0;
    Program program(make_device(), HADAL_REFERENCE, {1, 1, 1});
    program.append("two", {}, {});
    program.run({1, 1, 1}, nullptr);
    CHECK(op_runs == 1000);
  });
  test("an op's error names its place and its op; a foreign exception becomes an internal error", [] {
    const double value = 12;
    Program program(make_device(), HADAL_FAST, {1, 1, 1});
    program.append("scratch", {}, {});
    program.append("fail", {{}}, {&value, 1});
    CHECK(throws(HADAL_ERROR_INVALID, "op 1 (fail): ids[0]: expected 0..9, got 12",
                 [&] { program.run({1, 1, 1}, nullptr); }));
    Program second(make_device(), HADAL_FAST, {1, 1, 1});
    second.append("throw", {}, {});
    CHECK(throws(HADAL_ERROR_INTERNAL, "unforeseen", [&] { second.run({1, 1, 1}, nullptr); }));
  });
  test("the cancel flag stops a run between two ops", [] {
    const auto device = make_device();
    Program program(device, HADAL_FAST, {1, 1, 1});
    for (int i = 0; i < 3; ++i) program.append("wait", {}, {});
    op_runs = 0;
    at_gate = 0;
    gate_open = false;
    volatile int32_t cancel = 0;
    bool cancelled = false;
    std::thread runner([&] {
      cancelled = throws(HADAL_ERROR_CANCELLED, "before op 1 of 3",
                         [&] { program.run({1, 1, 1}, &cancel); });
    });
    while (at_gate == 0) std::this_thread::yield();
    CHECK(throws(HADAL_ERROR_INVALID, "in flight", [&] { program.append("wait", {}, {}); }));
    CHECK(throws(HADAL_ERROR_INVALID, "in flight", [&] { program.profile(true); }));
    __atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
    gate_open = true;
    runner.join();
    CHECK(cancelled);
    CHECK(op_runs == 1);
  });
  test("runs from many threads on one device take turns", [] {
    const auto device = make_device();
    const auto buffer = HostBuffer::allocate(1 << 16);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        Program program(device, HADAL_FAST, {64, 1, 1});
        for (int i = 0; i < 20; ++i) {
          program.append("scratch", {}, {});
          program.append("copy", {{view(buffer, {HADAL_DIM_T, 8})}, {view(buffer, {HADAL_DIM_T, 8}, 8192)}}, {});
          program.run({64, 0, 0}, nullptr);
        }
      });
    for (auto& thread : threads) thread.join();
  });
  test("timings come with profiling, one per op", [] {
    Program program(make_device(), HADAL_FAST, {1, 1, 1});
    for (int i = 0; i < 3; ++i) program.append("scratch", {}, {});
    uint64_t spent[3] = {};
    CHECK(throws(HADAL_ERROR_INVALID, "switched off", [&] { program.timings(spent, 3); }));
    program.profile(true);
    program.run({1, 1, 1}, nullptr);
    program.timings(spent, 3);
    CHECK(spent[0] > 0 && spent[1] > 0 && spent[2] > 0);
    CHECK(throws(HADAL_ERROR_INVALID, "3 ops, got 2", [&] { program.timings(spent, 2); }));
  });
  test("a run over a truncated file fails and names it, before and during", [] {
    const auto device = make_device();
    const File file(64 * 4096);
    const auto to = HostBuffer::allocate(64 * 4096);
    Program program(device, HADAL_FAST, {64, 1, 1});
    program.append("wait", {}, {});
    program.append("copy", {{view(to, {HADAL_DIM_T, 1024})}, {view(file.map(), {HADAL_DIM_T, 1024})}}, {});
    program.append("wait", {}, {});
    gate_open = true;
    program.run({64, 0, 0}, nullptr);
    CHECK(std::memcmp(to->data() + 4096, "\x50\x51", 2) == 0);  // 4096 % 251 = 0x50

    gate_open = false;
    at_gate = op_runs = 0;
    bool reported = false;
    std::thread runner([&] {
      reported = throws(HADAL_ERROR_FILE_CHANGED, file.path.c_str(),
                        [&] { program.run({64, 0, 0}, nullptr); });
    });
    while (at_gate == 0) std::this_thread::yield();
    file.cut(4096);
    gate_open = true;
    runner.join();
    CHECK(reported);
    CHECK(op_runs == 2);  // the op after the fault was not started
    CHECK(throws(HADAL_ERROR_FILE_CHANGED, file.path.c_str(), [&] { program.run({1, 0, 0}, nullptr); }));
  });
  test("a file that was rewritten in place since it was mapped is noticed at the next run", [] {
    const auto device = make_device();
    const File file(4096);
    const auto to = HostBuffer::allocate(4096);
    Program program(device, HADAL_FAST, {1, 1, 1});
    program.append("copy", {{view(to, {1, 1024})}, {view(file.map(), {1, 1024})}}, {});
    program.run({1, 0, 0}, nullptr);
    const struct timespec times[2] = {{1000, 0}, {1000, 0}};
    CHECK(futimens(file.fd, times) == 0);
    CHECK(throws(HADAL_ERROR_FILE_CHANGED, "time", [&] { program.run({1, 0, 0}, nullptr); }));
  });
}

void other_tests() {
  test("the arena's pieces stay put while it grows and are joined at the next reset", [] {
    Arena arena;
    std::vector<char*> pieces;
    for (int i = 0; i < 200; ++i) {
      pieces.push_back(static_cast<char*>(arena.allocate(5000)));
      std::memset(pieces.back(), i, 5000);
    }
    for (int i = 0; i < 200; ++i) CHECK(pieces[i][4999] == static_cast<char>(i));
    const size_t capacity = arena.capacity();
    arena.reset();
    CHECK(arena.capacity() == capacity);
    CHECK(arena.allocate(0) != nullptr);
    CHECK(throws(HADAL_ERROR_NO_MEMORY, "scratch", [&] { arena.allocate(SIZE_MAX - 10); }));
    CHECK(throws(HADAL_ERROR_NO_MEMORY, "scratch", [&] { arena.allocate(SIZE_MAX / 5); }));
  });
  test("tensor views describe themselves and know whether they are contiguous", [] {
    Tensor tensor;
    CHECK(tensor.elements() == 1 && tensor.contiguous() && tensor.describe() == "[] F32");
    tensor.rank = 2;
    tensor.shape[0] = 4;
    tensor.shape[1] = 192;
    tensor.strides[0] = 200;
    tensor.strides[1] = 1;
    tensor.dtype = DType::BF16;
    CHECK(tensor.describe() == "[4, 192] BF16");
    CHECK(!tensor.contiguous());
    tensor.strides[0] = 192;
    CHECK(tensor.contiguous() && tensor.elements() == 768);
    tensor.shape[0] = 1;
    tensor.strides[0] = 7;
    CHECK(tensor.contiguous());
    CHECK(throws(HADAL_ERROR_INVALID, "dtype", [] { dtype_size(static_cast<DType>(9)); }));
  });
  test("the machine's facts are plausible", [] {
    const CpuInfo info = cpu_info();
    CHECK(info.physical_cores >= 1 && info.physical_cores <= info.logical_cores);
    CHECK(info.memory_total > (1u << 20) && info.memory_available <= info.memory_total);
    std::printf("  %s, %s: %d of %d cores, %.1f of %.1f GB\n", info.vendor.c_str(),
                info.model.c_str(), info.physical_cores, info.logical_cores,
                static_cast<double>(info.memory_available) / 1e9,
                static_cast<double>(info.memory_total) / 1e9);
  });
}

}  // namespace

int main() {
  pool_tests();
  buffer_tests();
  record_tests();
  run_tests();
  other_tests();
  return hadal::testing::finish();
}
