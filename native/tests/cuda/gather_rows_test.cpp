// gather_rows on CUDA: every byte, rows of any even width and stride, rows that are none.
#include "cuda/sampling/gather_rows.h"
#include "tests/cuda/cuda_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using Bytes = std::vector<uint8_t>;

void expect_gather(int32_t row_bytes, int32_t padding, const std::vector<int32_t>& rows) {
  Random random(static_cast<uint64_t>(row_bytes));
  constexpr int32_t kRows = 9;
  const int32_t stride = row_bytes + padding, out_stride = row_bytes + 2 * padding;
  Bytes x(static_cast<size_t>(kRows * stride));
  for (uint8_t& byte : x) byte = static_cast<uint8_t>(random.below(256));
  Bytes want(rows.size() * static_cast<size_t>(out_stride), 0x77);
  for (size_t n = 0; n < rows.size(); ++n) {
    uint8_t* row = &want[n * static_cast<size_t>(out_stride)];
    if (rows[n] < 0 || rows[n] >= kRows) std::fill_n(row, row_bytes, uint8_t{0xff});
    else std::copy_n(&x[static_cast<size_t>(rows[n] * stride)], row_bytes, row);
  }
  DeviceVector<uint8_t> in(x), out(Bytes(want.size(), 0x77));
  DeviceVector<int32_t> device_rows(rows);
  in.written_by_kernel();
  device_rows.written_by_kernel();
  cuda::gather_rows(cuda_queue(), {out.data(), in.data(), device_rows.data(), out_stride, stride,
                                   static_cast<int32_t>(rows.size()), kRows, row_bytes});
  CHECK(in.guards_intact() && out.guards_intact());
  CHECK(out.read() == want);
  if (!current_ok) std::printf("  rows of %d bytes, %d apart\n", row_bytes, stride);
}

}  // namespace

int main() {
  kernel_test("gather_rows keeps every byte, strided on either side", [] {
    for (const int32_t row_bytes : {2, 4, 16, 30, 1026, 2048, 8192, 8208, 14336})
      for (const int32_t padding : {0, 2, 16})
        for (const std::vector<int32_t>& rows : {std::vector<int32_t>{}, {8}, {0, 8, 3, 3, 1, 0, 7}})
          if (current_ok) expect_gather(row_bytes, padding, rows);
  });
  kernel_test("a row that is none is filled with NaN", [] {
    for (const int32_t row_bytes : {6, 64}) expect_gather(row_bytes, 0, {-1, 0, 9, INT32_MAX, 8, INT32_MIN});
  });
  test("odd bytes and short strides are refused", [] {
    alignas(16) static uint8_t memory[64];
    const auto refused = [](const char* part, const cuda::GatherRowsParams& p) {
      CHECK(throws(HADAL_ERROR_INVALID, part, [&] { cuda::gather_rows(cuda_queue(), p); }));
    };
    refused("stride: expected at least 8 bytes, got 6", {memory, memory, nullptr, 6, 8, 1, 1, 8});
    refused("expected even addresses, strides and rows", {memory, memory, nullptr, 7, 7, 1, 1, 7});
    refused("expected even addresses", {memory + 1, memory, nullptr, 8, 8, 1, 1, 8});
    refused("expected rows of some bytes, got 0", {memory, memory, nullptr, 8, 8, 1, 1, 0});
    refused("expected rows, got -1 of 1", {memory, memory, nullptr, 8, 8, -1, 1, 8});
  });
  return finish();
}
