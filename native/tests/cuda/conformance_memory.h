// Conformance of the copy engine and of barriers: images of tiles in shared memory for every swizzle, what lies outside
// of the tensor, bytes that are counted (a wait that must end), multicast, stores, and the phases of barriers. Expected
// images are made element by element, with the swizzle as TileLayout has it.
#pragma once

#include "tests/cuda/conformance_warp.h"

namespace hadal::testing {

struct TensorCase {
  cuda::TensorMapType type;
  int size;                        // bytes of an element
  std::array<int, 3> extent, box;  // innermost first; a third extent of 0: two dimensions
  int span;                        // 16: not swizzled
  std::array<int, 3> at;

  int rank() const { return extent[2] == 0 ? 2 : 3; }
  int planes() const { return rank() == 3 ? extent[2] : 1; }
  int box_planes() const { return rank() == 3 ? box[2] : 1; }
  size_t pitch() const { return static_cast<size_t>((extent[0] * size + 15) / 16 * 16); }
  size_t tensor_bytes() const { return pitch() * static_cast<size_t>(extent[1] * planes()); }
  size_t row_bytes() const { return static_cast<size_t>(box[0] * size); }
  size_t box_bytes() const { return row_bytes() * static_cast<size_t>(box[1] * box_planes()); }
  // The bytes of element (x, y, z) of the box: in shared memory, and in the tensor (or none).
  size_t in_box(int x, int y, int z) const {
    const TileLayout layout{1, 8, span, false, span};
    const size_t row = static_cast<size_t>(z * box[1] + y);
    const int byte = x * size;
    const size_t piece = span == 16
                             ? static_cast<size_t>(byte / 16)
                             : static_cast<size_t>(layout.moved(
                                   byte / 16, static_cast<int>((row * row_bytes() / static_cast<size_t>(span)) % 8)));
    return row * row_bytes() + piece * 16 + static_cast<size_t>(byte % 16);
  }
  bool in_tensor(int x, int y, int z, size_t* place) const {
    const int tx = at[0] + x, ty = at[1] + y, tz = rank() == 3 ? at[2] + z : 0;
    if (tx < 0 || ty < 0 || tz < 0 || tx >= extent[0] || ty >= extent[1] || tz >= planes()) return false;
    *place = static_cast<size_t>(tz * extent[1] + ty) * pitch() + static_cast<size_t>(tx * size);
    return true;
  }
  cuda::TensorMap map(const cuda::Driver& driver, void* start) const {
    cuda::TensorMap made{};
    const uint64_t extents[] = {static_cast<uint64_t>(extent[0]), static_cast<uint64_t>(extent[1]),
                                static_cast<uint64_t>(planes())};
    const uint64_t strides[] = {pitch(), pitch() * static_cast<uint64_t>(extent[1])};
    const uint32_t boxes[] = {static_cast<uint32_t>(box[0]), static_cast<uint32_t>(box[1]),
                              static_cast<uint32_t>(box_planes())};
    const uint32_t ones[] = {1, 1, 1};
    const auto swizzle = span == 128  ? cuda::TensorMapSwizzle::k128
                         : span == 64 ? cuda::TensorMapSwizzle::k64
                         : span == 32 ? cuda::TensorMapSwizzle::k32
                                      : cuda::TensorMapSwizzle::kNone;
    cuda::expect_success(driver,
                         driver.encode_tensor_map(&made, type, static_cast<uint32_t>(rank()), start, extents, strides,
                                                  boxes, ones, 0, swizzle, cuda::TensorMapPromotion::kNone, 0),
                         "cuTensorMapEncodeTiled");
    return made;
  }
  template <typename Visit>
  void each(const Visit& visit) const {
    for (int z = 0; z < box_planes(); ++z)
      for (int y = 0; y < box[1]; ++y)
        for (int x = 0; x < box[0]; ++x) visit(x, y, z);
  }
};

inline Bytes numbered(size_t bytes, uint16_t first) {
  std::vector<uint16_t> words(bytes / 2);
  for (size_t i = 0; i < words.size(); ++i) words[i] = static_cast<uint16_t>(first + i);
  return bytes_of(words);
}

inline cuda::TmaProbeParams tma_params(const TensorCase& c) {
  cuda::TmaProbeParams params{};
  params.rank = c.rank();
  params.x = c.at[0];
  params.y = c.at[1];
  params.z = c.at[2];
  params.box_bytes = static_cast<uint32_t>(c.box_bytes());
  return params;
}
inline Bytes run_tma_load(ProbeDevice& device, const TensorCase& c) {
  cuda::TmaProbeParams params = tma_params(c);
  params.map = c.map(device.driver(), device.upload(numbered(c.tensor_bytes(), 0x4000)));
  params.out = device.allocate(c.box_bytes() + 256);
  cuda::Launch launch;
  launch.shared_bytes = cuda::kTmaProbeBytes;
  return device.run(cuda::probes::tma_load, launch, params, params.out, c.box_bytes() + 256);
}
inline void put_box(Bytes& to, size_t start, const TensorCase& c, const Bytes& tensor) {
  c.each([&](int x, int y, int z) {
    size_t place = 0;
    const bool inside = c.in_tensor(x, y, z, &place);
    for (int byte = 0; byte < c.size; ++byte)
      to[start + c.in_box(x, y, z) + static_cast<size_t>(byte)] =
          inside ? tensor[place + static_cast<size_t>(byte)] : 0;
  });
}
inline Bytes expected_tma_load(const TensorCase& c) {
  Bytes out(c.box_bytes() + 256, 0xee);
  put_box(out, 0, c, numbered(c.tensor_bytes(), 0x4000));
  return out;
}

// The tensor after a store of numbered words: what the box does not reach is as it was.
inline Bytes run_tma_store(ProbeDevice& device, const TensorCase& c) {
  cuda::TmaProbeParams params = tma_params(c);
  uint8_t* tensor = device.upload(numbered(c.tensor_bytes(), 0x4000));
  params.map = c.map(device.driver(), tensor);
  params.first_word = 0x8000;
  cuda::Launch launch;
  launch.shared_bytes = cuda::kTmaProbeBytes;
  return device.run(cuda::probes::tma_store, launch, params, tensor, c.tensor_bytes());
}
inline Bytes expected_tma_store(const TensorCase& c) {
  Bytes tensor = numbered(c.tensor_bytes(), 0x4000);
  const Bytes box = numbered(c.box_bytes(), 0x8000);
  c.each([&](int x, int y, int z) {
    size_t place = 0;
    if (!c.in_tensor(x, y, z, &place)) return;
    for (int byte = 0; byte < c.size; ++byte)
      tensor[place + static_cast<size_t>(byte)] = box[c.in_box(x, y, z) + static_cast<size_t>(byte)];
  });
  return tensor;
}

inline ProbeCase tma_add_case() {
  const TensorCase c{cuda::TensorMapType::kF32, 4, {40, 9, 0}, {32, 8, 1}, 128, {16, 3, 0}};
  const auto before = [=] {
    std::vector<float> values(c.tensor_bytes() / 4);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) * 0.5f;
    return bytes_of(values);
  };
  return {"tma_add_f32", ProbeKind::kExact,
          [=](ProbeDevice& device) {
            cuda::TmaProbeParams params = tma_params(c);
            uint8_t* tensor = device.upload(before());
            params.map = c.map(device.driver(), tensor);
            cuda::Launch launch;
            launch.shared_bytes = cuda::kTmaProbeBytes;
            return device.run(cuda::probes::tma_add, launch, params, tensor, c.tensor_bytes());
          },
          [=] {
            std::vector<float> values = values_of<float>(before());
            c.each([&](int x, int y, int z) {
              size_t place = 0;
              if (c.in_tensor(x, y, z, &place)) values[place / 4] += static_cast<float>(c.in_box(x, y, z) / 4);
            });
            return bytes_of(values);
          }};
}

// Each of two blocks loads one half for both.
inline ProbeCase tma_multicast_case(int span) {
  const int columns = span == 16 ? 32 : span;
  const TensorCase c{cuda::TensorMapType::kU8, 1, {columns + 16, 40, 0}, {columns, 16, 1}, span, {16, 5, 16}};
  const size_t bytes = 2 * c.box_bytes() + 256;
  return {"tma_multicast_" + span_name(span), ProbeKind::kExact,
          [=](ProbeDevice& device) {
            cuda::TmaProbeParams params = tma_params(c);
            params.map = c.map(device.driver(), device.upload(numbered(c.tensor_bytes(), 0x4000)));
            params.out = device.allocate(2 * bytes);
            cuda::Launch launch;
            launch.grid.x = launch.cluster = 2;
            launch.shared_bytes = cuda::kTmaProbeBytes;
            return device.run(cuda::probes::tma_multicast, launch, params, params.out, 2 * bytes);
          },
          [=] {
            Bytes out(2 * bytes, 0xee);
            const Bytes tensor = numbered(c.tensor_bytes(), 0x4000);
            for (size_t block = 0; block < 2; ++block)
              for (size_t half = 0; half < 2; ++half) {
                TensorCase part = c;
                part.at[1] += static_cast<int>(half) * 16;
                put_box(out, block * bytes + half * c.box_bytes(), part, tensor);
              }
            return out;
          }};
}

inline void add_tma(std::vector<ProbeCase>& cases) {
  using Type = cuda::TensorMapType;
  const auto add = [&](const std::string& name, const TensorCase& c) {
    cases.push_back({"tma_load_" + name, ProbeKind::kExact,
                     [=](ProbeDevice& device) { return run_tma_load(device, c); },
                     [=] { return expected_tma_load(c); }});
    cases.push_back({"tma_store_" + name, ProbeKind::kExact,
                     [=](ProbeDevice& device) { return run_tma_store(device, c); },
                     [=] { return expected_tma_store(c); }});
  };
  for (const int span : {16, 32, 64, 128}) {
    const std::string tail = "_" + span_name(span);
    const int bytes = span == 16 ? 48 : span;  // of a box's row
    add("u8" + tail, {Type::kU8, 1, {bytes * 2, 40, 0}, {bytes, 32, 1}, span, {16, 3, 0}});
    add("bf16_right" + tail, {Type::kBF16, 2, {bytes / 2 + 13, 40, 0}, {bytes / 2, 24, 1}, span, {24, 0, 0}});
    add("f32_below" + tail, {Type::kF32, 4, {bytes / 2, 21, 0}, {bytes / 4, 16, 1}, span, {0, 10, 0}});
    add("u8_before" + tail, {Type::kU8, 1, {bytes, 20, 0}, {bytes, 16, 1}, span, {-9, -5, 0}});
    add("bf16_3d" + tail, {Type::kBF16, 2, {bytes, 11, 5}, {bytes / 2, 8, 3}, span, {bytes / 4, 5, 3}});
  }
  add("outside", {Type::kU8, 1, {64, 16, 0}, {64, 8, 1}, 64, {0, 16, 0}});
  add("wide_box_plain", {Type::kF32, 4, {200, 9, 0}, {160, 8, 1}, 16, {7, 2, 0}});
  add("short_row_sw128", {Type::kU8, 1, {96, 20, 0}, {128, 16, 1}, 128, {0, 2, 0}});
  for (const int span : {16, 64, 128}) cases.push_back(tma_multicast_case(span));
  cases.push_back(tma_add_case());
}

inline ProbeCase bulk_case(uint32_t bytes) {
  return {"bulk_copy_" + std::to_string(bytes), ProbeKind::kExact,
          [=](ProbeDevice& device) {
            cuda::BulkProbeParams params{};
            params.in = device.upload(numbered(bytes, 0x1111));
            params.out = device.allocate(2 * bytes);
            params.bytes = bytes;
            cuda::Launch launch;
            launch.shared_bytes = cuda::kTmaProbeBytes;
            return device.run(cuda::probes::bulk_copy, launch, params, params.out, 2 * bytes);
          },
          [=] {
            Bytes out = numbered(bytes, 0x1111);
            Bytes shared = out;
            const Bytes rest = numbered(2 * bytes, 0);
            shared.insert(shared.end(), rest.begin() + bytes, rest.end());
            out.insert(out.end(), shared.begin() + bytes / 2, shared.begin() + bytes / 2 + bytes);
            return out;
          }};
}

inline void add_memory_cases(std::vector<ProbeCase>& cases) {
  add_tma(cases);
  cases.push_back(bulk_case(32));
  cases.push_back(bulk_case(4096));
  // Bit p: the phase of parity p is complete; phase 0 comes first, and the one before it counts as complete.
  cases.push_back({"barrier_trace", ProbeKind::kExact,
                   [](ProbeDevice& device) {
                     const cuda::Kernel& kernel = cuda::probes::barrier_trace;
                     return run_probe(device, kernel, blocks_of(kernel, 32, cuda::kTmaProbeBytes), Bytes(16, 7), 0,
                                      cuda::kBarrierSteps);
                   },
                   [] { return Bytes{2, 2, 1, 1, 1, 2, 2, 2, 1, 2, 1, 2, 1, 2, 1, 15}; }});
  cases.push_back({"store_async", ProbeKind::kExact,
                   [](ProbeDevice& device) {
                     cuda::Launch launch;
                     launch.grid.x = launch.cluster = 2;
                     launch.shared_bytes = cuda::kTmaProbeBytes;
                     return run_probe(device, cuda::probes::store_async, launch, {}, 0, 1024);
                   },
                   [] {
                     std::vector<uint32_t> out;
                     for (uint32_t rank = 0; rank < 2; ++rank)
                       for (uint32_t lane = 0; lane < 32; ++lane)
                         out.insert(out.end(), {rank ^ 1, lane, lane * lane, ~lane});
                     return bytes_of(out);
                   }});
}

}  // namespace hadal::testing
