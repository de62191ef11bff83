// Element types and plain questions about views.
#include "core/tensor.h"

#include "core/status.h"

namespace hadal {

size_t dtype_size(DType dtype) {
  switch (dtype) {
    case DType::F32:
    case DType::I32:
      return 4;
    case DType::BF16:
    case DType::F16:
      return 2;
    case DType::F8_E4M3:
    case DType::U8:
      return 1;
  }
  fail(HADAL_ERROR_INVALID, "dtype: expected 0..5, got %d", static_cast<int>(dtype));
}

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::F32:
      return "F32";
    case DType::BF16:
      return "BF16";
    case DType::F16:
      return "F16";
    case DType::F8_E4M3:
      return "F8_E4M3";
    case DType::I32:
      return "I32";
    case DType::U8:
      return "U8";
  }
  return "unknown dtype";
}

int64_t Tensor::elements() const {
  int64_t count = 1;
  for (int32_t i = 0; i < rank; ++i) count *= shape[i];
  return count;
}

bool Tensor::contiguous() const {
  int64_t expected = 1;
  for (int32_t i = rank - 1; i >= 0; --i) {
    if (shape[i] > 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

std::string Tensor::describe() const {
  std::string text = "[";
  for (int32_t i = 0; i < rank; ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "] " + dtype_name(dtype);
}

}  // namespace hadal
