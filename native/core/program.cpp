// Recording: every view is checked here against its buffer with the largest step, with arithmetic that
// cannot overflow, so that a run needs no bounds of its own except for values in index tensors.
#include "core/program.h"

#include <algorithm>
#include <cinttypes>

#include "core/status.h"

namespace hadal {
namespace {

constexpr const char* kSymbols[HADAL_STEP_DIMS] = {"T", "S", "N"};
constexpr int64_t kMaxDim = int64_t{1} << 40;

// Index into Dims for a negative extent.
int symbol_of(int64_t extent) { return static_cast<int>(-extent - 1); }

// Bytes from element 0 to the end of the last element; 0 for a view without elements.
uint64_t span_bytes(const Tensor& tensor, const std::string& where) {
  uint64_t last = 0;
  uint64_t elements = 1;
  const uint64_t element = dtype_size(tensor.dtype);
  bool overflow = false;
  for (int32_t i = 0; i < tensor.rank; ++i) {
    const auto extent = static_cast<uint64_t>(tensor.shape[i]);
    if (extent == 0) return 0;
    uint64_t reach = 0;
    overflow |= __builtin_mul_overflow(extent - 1, static_cast<uint64_t>(tensor.strides[i]), &reach);
    overflow |= __builtin_add_overflow(last, reach, &last);
    overflow |= __builtin_mul_overflow(elements, extent, &elements);
  }
  uint64_t bytes = 0;
  overflow |= __builtin_add_overflow(last, uint64_t{1}, &last);
  overflow |= __builtin_mul_overflow(last, element, &bytes);
  // Ops index with int64_t, also through views that repeat elements by a stride of 0.
  overflow |= elements > static_cast<uint64_t>(INT64_MAX) / 8;
  if (overflow)
    fail(HADAL_ERROR_INVALID, "%s: %s is larger than 64-bit sizes", where.c_str(),
         tensor.describe().c_str());
  return bytes;
}

void check_outputs(const Op& op, const std::vector<std::vector<View>>& arguments,
                   std::span<const Argument> resolved) {
  for (size_t i = 0; i < std::min<size_t>(op.outputs, arguments.size()); ++i) {
    for (size_t j = 0; j < arguments[i].size(); ++j) {
      HADAL_EXPECT(!arguments[i][j].buffer->read_only(),
                   "%s, argument %zu: an output cannot lie in a mapped file", op.name, i);
      const Tensor& tensor = resolved[i][j];
      for (int32_t d = 0; d < tensor.rank; ++d)
        HADAL_EXPECT(tensor.strides[d] > 0 || tensor.shape[d] <= 1,
                     "%s, argument %zu: an output cannot repeat elements (stride 0 of axis %d)",
                     op.name, i, d);
    }
  }
}

void check_counts(const Op& op, size_t arguments, size_t attributes) {
  HADAL_EXPECT(arguments >= op.min_arguments && arguments <= op.max_arguments,
               "%s: expected %u to %u arguments, got %zu", op.name, op.min_arguments,
               op.max_arguments, arguments);
  HADAL_EXPECT(attributes == op.attributes, "%s: expected %u attributes, got %zu", op.name,
               op.attributes, attributes);
}

}  // namespace

Program::Program(std::shared_ptr<Device> device, hadal_precision precision, const Dims& max_dims)
    : device_(std::move(device)), max_dims_(max_dims) {
  HADAL_EXPECT(precision == HADAL_FAST || precision == HADAL_REFERENCE,
               "precision: expected 0 (fast) or 1 (reference), got %d", precision);
  for (int i = 0; i < HADAL_STEP_DIMS; ++i)
    HADAL_EXPECT(max_dims[i] >= 0 && max_dims[i] <= kMaxDim,
                 "max_dims: expected %s between 0 and 2^40, got %" PRId64, kSymbols[i],
                 max_dims[i]);
  replay_ = device_->replay(precision);
}

Tensor Program::resolve(const View& view, const std::string& where) const {
  const char* at = where.c_str();
  HADAL_EXPECT(view.buffer != nullptr, "%s: no buffer", at);
  HADAL_EXPECT(view.rank >= 0 && view.rank <= HADAL_MAX_RANK, "%s: expected rank 0 to %d, got %d",
               at, HADAL_MAX_RANK, view.rank);
  HADAL_EXPECT(view.dtype >= HADAL_F32 && view.dtype <= HADAL_U8,
               "%s: expected a dtype code of 0 to %d, got %d", at, HADAL_U8, view.dtype);
  Tensor tensor;
  tensor.dtype = static_cast<DType>(view.dtype);
  tensor.rank = view.rank;
  for (int32_t i = 0; i < view.rank; ++i) {
    const int64_t extent = view.shape[i];
    HADAL_EXPECT(extent >= HADAL_DIM_N, "%s: extent %d is %" PRId64, at, i, extent);
    HADAL_EXPECT(view.strides[i] >= 0, "%s: stride %d is %" PRId64 ", expected 0 or more", at, i,
                 view.strides[i]);
    tensor.shape[i] = extent < 0 ? max_dims_[symbol_of(extent)] : extent;
    tensor.strides[i] = view.strides[i];
  }
  const uint64_t bytes = span_bytes(tensor, where);
  const uint64_t size = view.buffer->size();
  HADAL_EXPECT(view.offset <= size && bytes <= size - view.offset,
               "%s: %s at byte %" PRIu64 " needs %" PRIu64 " bytes, the buffer has %" PRIu64, at,
               tensor.describe().c_str(), view.offset, bytes, size);
  HADAL_EXPECT(view.offset % dtype_size(tensor.dtype) == 0,
               "%s: byte offset %" PRIu64 " is not aligned for %s", at, view.offset,
               dtype_name(tensor.dtype));
  HADAL_EXPECT(view.buffer->space() == device_->space(), "%s: the buffer belongs to another device", at);
  tensor.data = view.buffer->locate(view.offset, bytes);
  return tensor;
}

// Extents of two step dimensions may be equal at their largest and differ in a run: with one at zero they do.
void Program::check_smaller_steps(Recording::Node& node) const {
  for (int symbol = 0; symbol < HADAL_STEP_DIMS; ++symbol) {
    const auto set = [&](int64_t value) {
      bool any = false;
      for (const Recording::Extent& extent : node.extents) {
        if (extent.symbol != symbol) continue;
        *extent.place = value;
        any = true;
      }
      return any;
    };
    if (!set(0)) continue;
    try {
      node.op->check(node.call);
    } catch (const Error& error) {
      fail(error.status, "with %s = 0: %s", kSymbols[symbol], error.what());
    }
    set(max_dims_[symbol]);
  }
}

void Program::resolve_arguments(Recording::Node& node,
                                const std::vector<std::vector<View>>& arguments) const {
  size_t total = 0;
  for (const auto& views : arguments) total += views.size();
  node.tensors = std::make_unique<Tensor[]>(total);
  node.arguments = std::make_unique<Argument[]>(arguments.size());
  Tensor* tensor = node.tensors.get();
  for (size_t i = 0; i < arguments.size(); ++i) {
    node.arguments[i] = Argument(tensor, arguments[i].size());
    for (size_t j = 0; j < arguments[i].size(); ++j, ++tensor) {
      const View& view = arguments[i][j];
      std::string where = std::string(node.op->name) + ", argument " + std::to_string(i);
      if (arguments[i].size() > 1) where += "[" + std::to_string(j) + "]";
      *tensor = resolve(view, where);
      for (int32_t d = 0; d < view.rank; ++d)
        if (view.shape[d] < 0) node.extents.push_back({&tensor->shape[d], symbol_of(view.shape[d])});
    }
  }
}

void Program::append(const char* name, const std::vector<std::vector<View>>& arguments,
                     std::span<const double> attributes) {
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  HADAL_EXPECT(lock.owns_lock(), "append %s: a run of this program is in flight", name);
  const Op* op = device_->find_op(name);
  if (op == nullptr)
    fail(HADAL_ERROR_UNSUPPORTED, "op \"%.64s\": the %s backend has none of this name", name,
         device_->kind());
  check_counts(*op, arguments.size(), attributes.size());

  Recording::Node node;
  node.op = op;
  node.attributes.assign(attributes.begin(), attributes.end());
  resolve_arguments(node, arguments);
  const std::span<const Argument> resolved(node.arguments.get(), arguments.size());
  check_outputs(*op, arguments, resolved);
  node.call = {resolved, node.attributes};
  op->check(node.call);
  check_smaller_steps(node);

  for (const auto& views : arguments) keep(views);
  timings_.resize(recording_.nodes.size() + 1);
  // Last: whatever threw above left the program as it was.
  recording_.nodes.push_back(std::move(node));
  size_.store(static_cast<uint32_t>(recording_.nodes.size()));
}

void Program::keep(const std::vector<View>& views) {
  for (const View& view : views) {
    auto& buffers = recording_.buffers;
    const auto place = std::lower_bound(buffers.begin(), buffers.end(), view.buffer);
    if (place == buffers.end() || *place != view.buffer) buffers.insert(place, view.buffer);
  }
}

void Program::run(const Dims& dims, const volatile int32_t* cancel) {
  for (int i = 0; i < HADAL_STEP_DIMS; ++i)
    HADAL_EXPECT(dims[i] >= 0 && dims[i] <= max_dims_[i],
                 "run: expected %s between 0 and %" PRId64 ", got %" PRId64, kSymbols[i],
                 max_dims_[i], dims[i]);
  const std::lock_guard<std::mutex> device_lock(device_->run_mutex);
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& buffer : recording_.buffers) buffer->check_unchanged();
  replay_->run(recording_, dims, cancel, profile_ ? timings_.data() : nullptr);
}

void Program::profile(bool enable) {
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  HADAL_EXPECT(lock.owns_lock(), "profile: a run of this program is in flight");
  profile_ = enable;
  std::fill(timings_.begin(), timings_.end(), uint64_t{0});
}

void Program::timings(uint64_t* nanoseconds, uint32_t count) const {
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  HADAL_EXPECT(lock.owns_lock(), "timings: a run of this program is in flight");
  HADAL_EXPECT(profile_, "timings: profiling is switched off");
  HADAL_EXPECT(count == timings_.size(), "timings: expected room for %zu ops, got %u", timings_.size(),
               count);
  std::copy_n(timings_.begin(), timings_.size(), nanoseconds);
}

}  // namespace hadal
