// Programs. Reading a JavaScript object can run its getters, which can release handles: whatever an
// append refers to is held by shared pointers until the call returns, and liveness is tested after.
#include <algorithm>
#include <deque>
#include <vector>

#include "addon/bindings.h"
#include "addon/states.h"

namespace hadal::addon {
namespace {

using Info = Napi::CallbackInfo;

constexpr uint32_t kMaxArguments = 32;
constexpr uint32_t kMaxList = 65536;
constexpr uint32_t kMaxAttributes = 32;

struct Arguments {
  std::vector<hadal_argument> list;
  std::deque<std::vector<hadal_tensor>> tensors;  // a deque: growth must not move the vectors
  std::vector<std::shared_ptr<BufferState>> buffers;
};

std::string place(uint32_t argument, const char* field) {
  return "args[" + std::to_string(argument) + "]." + field;
}

hadal_tensor read_tensor(Napi::Value value, uint32_t index, Arguments& arguments) {
  if (value.Type() != napi_object || value.IsArray())
    invalid("args[%u]: expected a tensor, got %s", index, type_name(value));
  const Napi::Object object = value.As<Napi::Object>();
  hadal_tensor tensor = {};
  arguments.buffers.push_back(
      live<BufferState>(object.Get("buffer"), place(index, "buffer").c_str()));
  tensor.buffer = nullptr;  // filled in when no JavaScript can run any more
  tensor.offset = static_cast<uint64_t>(
      integer(object.Get("offset"), place(index, "offset").c_str(), 0, kMaxInteger));
  tensor.dtype = static_cast<hadal_dtype>(
      integer(object.Get("dtype"), place(index, "dtype").c_str(), HADAL_F32, HADAL_U8));
  const Napi::Array shape =
      array(object.Get("shape"), place(index, "shape").c_str(), HADAL_MAX_RANK);
  const Napi::Array strides =
      array(object.Get("strides"), place(index, "strides").c_str(), HADAL_MAX_RANK);
  const uint32_t rank = shape.Length();
  if (strides.Length() != rank)
    invalid("args[%u].strides: expected %u elements like shape, got %u", index, rank,
            strides.Length());
  tensor.rank = static_cast<int32_t>(rank);
  for (uint32_t i = 0; i < rank; ++i) {
    tensor.shape[i] =
        integer(shape.Get(i), place(index, "shape").c_str(), HADAL_DIM_N, kMaxInteger);
    tensor.strides[i] = integer(strides.Get(i), place(index, "strides").c_str(), 0, kMaxInteger);
  }
  return tensor;
}

void read_argument(Napi::Value value, uint32_t index, Arguments& arguments) {
  std::vector<hadal_tensor>& tensors = arguments.tensors.emplace_back();
  if (value.IsArray()) {
    const Napi::Array list =
        array(value, ("args[" + std::to_string(index) + "]").c_str(), kMaxList);
    const uint32_t length = list.Length();
    for (uint32_t i = 0; i < length; ++i)
      tensors.push_back(read_tensor(list.Get(i), index, arguments));
  } else if (!value.IsNull()) {
    tensors.push_back(read_tensor(value, index, arguments));
  }
}

Arguments read_arguments(Napi::Value value) {
  Arguments arguments;
  const Napi::Array given = array(value, "args", kMaxArguments);
  const uint32_t length = given.Length();
  for (uint32_t i = 0; i < length; ++i) read_argument(given.Get(i), i, arguments);
  return arguments;
}

// After this nothing may run JavaScript before the ABI call.
void bind(Arguments& arguments) {
  auto buffer = arguments.buffers.begin();
  for (auto& tensors : arguments.tensors) {
    for (hadal_tensor& tensor : tensors) {
      if ((*buffer)->released) disposed(BufferState::kName);
      tensor.buffer = (*buffer++)->native.get();
    }
    arguments.list.push_back({tensors.data(), static_cast<uint32_t>(tensors.size())});
  }
}

std::vector<double> read_attributes(Napi::Value value) {
  const Napi::Array given = array(value, "attributes", kMaxAttributes);
  std::vector<double> attributes;
  const uint32_t length = given.Length();
  for (uint32_t i = 0; i < length; ++i) attributes.push_back(finite(given.Get(i), "attributes"));
  return attributes;
}

void expect_no_runs(const ProgramState& program, const char* what) {
  if (program.runs > 0)
    invalid("%s: a run of this program is in flight or queued", what);
}

Napi::Value program_create(const Info& info) {
  const auto device = live<DeviceState>(info[0], "device");
  const auto precision =
      static_cast<hadal_precision>(integer(info[1], "precision", HADAL_FAST, HADAL_REFERENCE));
  int64_t max_dims[HADAL_STEP_DIMS];
  step_dims(info[2], "maxDims", max_dims);
  if (device->released) disposed(DeviceState::kName);
  hadal_program* program = nullptr;
  expect_ok(hadal_program_create(&program, device->native.get(), precision, max_dims));
  auto state = std::make_shared<ProgramState>();
  state->native.reset(program, hadal_program_release);
  state->device = device;
  std::erase_if(device->programs, [](const auto& weak) { return weak.expired(); });
  device->programs.push_back(state);
  return make_handle(info.Env(), std::move(state));
}

Napi::Value program_append(const Info& info) {
  const auto program = live<ProgramState>(info[0], "program");
  const std::string op = text(info[1], "op", 64);
  Arguments arguments = read_arguments(info[2]);
  const std::vector<double> attributes = read_attributes(info[3]);
  if (program->released) disposed(ProgramState::kName);
  expect_no_runs(*program, "append");
  bind(arguments);
  expect_ok(hadal_program_append(program->native.get(), op.c_str(), arguments.list.data(),
                                 static_cast<uint32_t>(arguments.list.size()), attributes.data(),
                                 static_cast<uint32_t>(attributes.size())));
  return info.Env().Undefined();
}

Napi::Value program_size(const Info& info) {
  const auto program = live<ProgramState>(info[0], "program");
  return Napi::Number::New(info.Env(), hadal_program_size(program->native.get()));
}

Napi::Value program_run(const Info& info) {
  const auto program = live<ProgramState>(info[0], "program");
  int64_t dims[HADAL_STEP_DIMS];
  step_dims(info[1], "dims", dims);
  if (program->released) disposed(ProgramState::kName);
  return Napi::Value(info.Env(), program->device->runner->submit(program, dims));
}

Napi::Value program_cancel(const Info& info) {
  const auto program = live<ProgramState>(info[0], "program");
  program->device->runner->cancel(program.get());
  return info.Env().Undefined();
}

Napi::Value program_profile(const Info& info) {
  const auto program = live<ProgramState>(info[0], "program");
  const bool enable = boolean(info[1], "enable");
  expect_no_runs(*program, "profile");
  expect_ok(hadal_program_profile(program->native.get(), enable ? 1 : 0));
  return info.Env().Undefined();
}

Napi::Value program_timings(const Info& info) {
  const auto program = live<ProgramState>(info[0], "program");
  expect_no_runs(*program, "timings");
  std::vector<uint64_t> spent(hadal_program_size(program->native.get()));
  expect_ok(hadal_program_timings(program->native.get(), spent.data(),
                                  static_cast<uint32_t>(spent.size())));
  Napi::Float64Array result = Napi::Float64Array::New(info.Env(), spent.size());
  std::copy(spent.begin(), spent.end(), result.Data());
  return result;
}

// Nobody could cancel a run of a released program, so its runs are cancelled here.
Napi::Value program_release(const Info& info) {
  const auto program = state_of<ProgramState>(info[0], "program");
  if (program->runs > 0) program->device->runner->cancel(program.get());
  program->release();
  return info.Env().Undefined();
}

}  // namespace

std::span<const Binding> program_bindings() {
  static constexpr Binding kBindings[] = {
      {"programCreate", entry<program_create>},   {"programAppend", entry<program_append>},
      {"programSize", entry<program_size>},       {"programRun", entry<program_run>},
      {"programCancel", entry<program_cancel>},   {"programProfile", entry<program_profile>},
      {"programTimings", entry<program_timings>}, {"programRelease", entry<program_release>},
  };
  return kBindings;
}

}  // namespace hadal::addon
