#include "core/check.h"

#include <string>

namespace hadal {

namespace {

std::string wanted(std::initializer_list<DType> dtypes, std::initializer_list<int64_t> shape) {
  std::string text = "[";
  for (const int64_t extent : shape)
    text += (text.size() > 1 ? ", " : "") + (extent < 0 ? std::string("any") : std::to_string(extent));
  text += "]";
  for (const DType d : dtypes) text += (d == *dtypes.begin() ? " " : " or ") + std::string(dtype_name(d));
  return text;
}

}  // namespace

void expect_tensor(const OpCall& call, const char* op, size_t i, const char* name,
                   std::initializer_list<DType> dtypes, std::initializer_list<int64_t> shape) {
  HADAL_EXPECT(call.has(i) && call.args[i].size() == 1, "%s: argument %zu (%s): expected one tensor, got %zu",
               op, i, name, call.has(i) ? call.args[i].size() : size_t{0});
  const Tensor& t = call[i];
  bool ok = t.rank == static_cast<int32_t>(shape.size());
  bool typed = false;
  for (const DType d : dtypes) typed = typed || d == t.dtype;
  for (int32_t d = 0; ok && d < t.rank; ++d) {
    const int64_t extent = shape.begin()[d];
    ok = extent < 0 || extent == t.shape[d];
  }
  ok = ok && typed && (t.rank == 0 || t.strides[t.rank - 1] == 1 || t.shape[t.rank - 1] == 1);
  HADAL_EXPECT(ok, "%s: %s: expected %s with last stride 1, got %s", op, name,
               wanted(dtypes, shape).c_str(), t.describe().c_str());
}

void expect_dense(const OpCall& call, const char* op, size_t i, const char* name,
                  std::initializer_list<DType> dtypes, std::initializer_list<int64_t> shape) {
  expect_tensor(call, op, i, name, dtypes, shape);
  HADAL_EXPECT(call[i].contiguous(), "%s: %s: expected a contiguous tensor, got strides %lld, %lld", op, name,
               static_cast<long long>(call[i].strides[0]), static_cast<long long>(call[i].strides[1]));
}

int64_t whole_attribute(const OpCall& call, const char* op, size_t i, const char* name, int64_t low,
                        int64_t high) {
  const double value = call.attribute(i);
  HADAL_EXPECT(value >= static_cast<double>(low) && value <= static_cast<double>(high) && value == std::floor(value),
               "%s: %s: expected a whole number from %lld to %lld, got %g", op, name,
               static_cast<long long>(low), static_cast<long long>(high), value);
  return static_cast<int64_t>(value);
}

void expect_finite(const OpCall& call, const char* op, size_t i, const char* name) {
  HADAL_EXPECT(std::isfinite(call.attribute(i)), "%s: %s: expected a finite number, got %g", op, name,
               call.attribute(i));
}

void expect_scale(const Tensor& scale, const char* op, int64_t rows, int64_t columns, int64_t block_rows,
                  int64_t block_columns) {
  const int64_t r = (rows + block_rows - 1) / block_rows, c = (columns + block_columns - 1) / block_columns;
  HADAL_EXPECT(scale.dtype == DType::F32 && scale.rank == 2 && scale.shape[0] == r && scale.shape[1] == c &&
                   scale.contiguous(),
               "%s: scale: expected [%lld, %lld] F32 contiguous, got %s", op, static_cast<long long>(r),
               static_cast<long long>(c), scale.describe().c_str());
}

void expect_weight(const OpCall& call, const char* op, size_t weight, size_t scale, int64_t rows,
                   int64_t columns, size_t first_attribute) {
  expect_dense(call, op, weight, "weight", kAnyWeight, {rows, columns});
  const bool fp8 = call[weight].dtype == DType::F8_E4M3;
  HADAL_EXPECT(fp8 == call.has(scale), "%s: scale: expected %s for a weight of %s, got %s", op,
               fp8 ? "one" : "none", call[weight].describe().c_str(), fp8 ? "none" : "one");
  if (!fp8) return;
  const int64_t bn = whole_attribute(call, op, first_attribute, "block rows", 1, 1 << 20);
  const int64_t bk = whole_attribute(call, op, first_attribute + 1, "block columns", 1, 1 << 20);
  expect_scale(call[scale], op, rows, columns, bn, bk);
}

void expect_indices(const Tensor& t, const char* op, const char* name, int64_t low, int64_t high) {
  const int64_t rows = t.rank > 1 ? t.shape[0] : 1;
  const int64_t columns = t.rank > 1 ? t.shape[1] : t.shape[0];
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      const int64_t v = t.as<int32_t>()[r * t.strides[0] * (t.rank > 1) + c];
      HADAL_EXPECT(v >= low && v < high, "%s: %s[%lld]: expected %lld to %lld, got %lld", op, name,
                   static_cast<long long>(r * columns + c), static_cast<long long>(low),
                   static_cast<long long>(high - 1), static_cast<long long>(v));
    }
  }
}

}  // namespace hadal
