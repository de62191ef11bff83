// See rows_check.h.
#include "cuda/rows_check.h"

#include "cuda/quantize/scales.h"

namespace hadal::cuda {

namespace {

long long number(int64_t value) { return static_cast<long long>(value); }

}  // namespace

void expect_width(const char* op, int64_t width, int64_t multiple, int64_t most) {
  HADAL_EXPECT(width > 0 && width % multiple == 0 && width <= most,
               "%s: width: expected a multiple of %lld, at most %lld, got %lld", op, number(multiple),
               number(most), number(width));
}

void expect_row_count(const char* op, int64_t rows) {
  HADAL_EXPECT(rows >= 0, "%s: rows: expected none or more, got %lld", op, number(rows));
}

void expect_pointer(const char* op, const char* name, const void* pointer, int64_t alignment) {
  HADAL_EXPECT(pointer != nullptr && reinterpret_cast<uintptr_t>(pointer) % static_cast<uintptr_t>(alignment) == 0,
               "%s: %s: expected an address that is a multiple of %lld, got %p", op, name,
               number(alignment), pointer);
}

void expect_rows(const char* op, const char* name, const void* pointer, int64_t rows, int64_t bytes,
                 int64_t stride, int64_t alignment) {
  if (rows == 0) return;
  expect_pointer(op, name, pointer, alignment);
  HADAL_EXPECT((rows == 1 || stride >= bytes) && stride % alignment == 0,
               "%s: %s: expected rows of %lld bytes a multiple of %lld bytes apart, got %lld", op, name,
               number(bytes), number(alignment), number(stride));
}

void expect_quantized(const char* op, const void* codes, int64_t code_stride, const float* scales,
                      int64_t scale_stride, int64_t rows, int64_t width) {
  expect_rows(op, "codes", codes, rows, width, code_stride);
  if (rows == 0) return;
  expect_pointer(op, "scales", scales, 16);
  HADAL_EXPECT(scale_stride >= rows && scale_stride % 4 == 0,
               "%s: scales: expected a stride of at least %lld rows, a multiple of 4, got %lld", op,
               number(rows), number(scale_stride));
}

void no_instance(const char* op, const std::string& formats) {
  throw Error(HADAL_ERROR_UNSUPPORTED, std::string(op) + ": no kernel for " + formats);
}

}  // namespace hadal::cuda
