// What the opaque handles hold. A handle is a tagged object that owns a shared pointer to its state;
// releasing empties the state, collection frees it. JavaScript thread only, except for `native` members,
// which jobs share.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "addon/runner.h"
#include "addon/values.h"

namespace hadal::addon {

struct ProgramState;

struct DeviceState {
  static constexpr const char* kName = "device";
  static constexpr napi_type_tag kTag = {0x8d3a4c0e5b7f4f11, 0xa1c25e0d9b6e7701};

  std::shared_ptr<hadal_device> native;
  std::shared_ptr<Runner> runner;
  std::vector<std::weak_ptr<ProgramState>> programs;
  bool released = false;
};

struct BufferState {
  static constexpr const char* kName = "buffer";
  static constexpr napi_type_tag kTag = {0x8d3a4c0e5b7f4f12, 0xa1c25e0d9b6e7702};

  ~BufferState() { release(); }
  void release();

  std::shared_ptr<hadal_buffer> native;
  napi_env env = nullptr;
  int64_t reported = 0;  // bytes told to the garbage collector
  bool released = false;
};

struct ProgramState {
  static constexpr const char* kName = "program";
  static constexpr napi_type_tag kTag = {0x8d3a4c0e5b7f4f13, 0xa1c25e0d9b6e7703};

  void release();

  std::shared_ptr<hadal_program> native;
  std::shared_ptr<DeviceState> device;
  uint32_t runs = 0;  // queued or in flight
  bool released = false;
};

template <typename State>
Napi::Value make_handle(Napi::Env env, std::shared_ptr<State> state) {
  napi_value object = nullptr;
  auto cell = std::make_unique<std::shared_ptr<State>>(std::move(state));
  const auto finalize = [](napi_env, void* data, void*) {
    delete static_cast<std::shared_ptr<State>*>(data);
  };
  if (napi_create_object(env, &object) != napi_ok ||
      napi_wrap(env, object, cell.get(), finalize, nullptr, nullptr) != napi_ok)
    throw Failure{"ERR_HADAL_INTERNAL", "cannot make a handle"};
  cell.release();
  // Untagged, the object is of no use to anybody and its state goes with it.
  if (napi_type_tag_object(env, object, &State::kTag) != napi_ok)
    throw Failure{"ERR_HADAL_INTERNAL", "cannot tag a handle"};
  return Napi::Value(env, object);
}

// The state behind a handle, released or not.
template <typename State>
std::shared_ptr<State> state_of(Napi::Value value, const char* name) {
  bool tagged = false;
  void* cell = nullptr;
  const bool ok = value.IsObject() &&
                  napi_check_object_type_tag(value.Env(), value, &State::kTag, &tagged) == napi_ok &&
                  tagged && napi_unwrap(value.Env(), value, &cell) == napi_ok;
  if (!ok) invalid("%s: expected a %s handle, got %s", name, State::kName, type_name(value));
  return *static_cast<std::shared_ptr<State>*>(cell);
}

// The state behind a handle that must be alive.
template <typename State>
std::shared_ptr<State> live(Napi::Value value, const char* name) {
  auto state = state_of<State>(value, name);
  if (state->released) disposed(State::kName);
  return state;
}

}  // namespace hadal::addon
