// The products of the CPU backend alone, least time of many short runs: on a shared machine the least is what
// the code can do, the mean what the neighbours leave. Weights come from 1 GB of random codes, a different
// piece each time, so they lie in memory and not in a cache.
//
//   npm run build
//   lib=packages/native/build/cmake/libhadal.a
//   g++ -std=c++20 -O2 -Inative -Inative/include bench/native/products.cpp $lib -pthread -o /tmp/products
//   /tmp/products <threads> [isa] [runs]
#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "tests/case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;

Tensor view(void* data, D dtype, std::initializer_list<int64_t> shape) {
  Tensor t;
  t.data = data;
  t.dtype = dtype;
  t.rank = static_cast<int32_t>(shape.size());
  std::copy(shape.begin(), shape.end(), t.shape);
  int64_t stride = 1;
  for (int32_t d = t.rank; d-- > 0; stride *= t.shape[d]) t.strides[d] = stride;
  return t;
}

struct Machine {
  Device device;
  int runs;
  std::vector<uint8_t> codes = std::vector<uint8_t>(size_t{1} << 30);
  std::vector<float> x = std::vector<float>(size_t{1} << 23), out = std::vector<float>(size_t{1} << 23);
  std::vector<float> scale = std::vector<float>(size_t{1} << 16, 0.01f);
  Random random{1};
  size_t next = 0;

  Machine(int threads, const char* isa, int count) : device(cpu_backend(), threads, isa), runs(count) {
    uint32_t state = 1;  // a cheap generator for a gigabyte
    for (uint8_t& c : codes) {
      state = state * 1664525u + 1013904223u;
      c = static_cast<uint8_t>(state >> 24 & 0xbf);  // no NaN
    }
    for (float& f : x) f = random.normal();
  }
  uint8_t* weights(int64_t bytes) {
    next = (next + static_cast<size_t>(bytes) + 4096 * 37) % (codes.size() - static_cast<size_t>(2 * bytes)) / 64 * 64;
    return codes.data() + next;
  }
  Tensor scales(int64_t n, int64_t k) { return view(scale.data(), D::F32, {(n + 127) / 128, (k + 127) / 128}); }

  template <typename Make>
  double least(int64_t rows, Make&& make) {
    double best = 1e9;
    for (int64_t i = 0; i < std::max<int64_t>(5, runs / std::max<int64_t>(1, rows / 16)); ++i) {
      const Call call = make();
      const auto start = std::chrono::steady_clock::now();
      run(device, call, Form::fast);
      best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return best;
  }
};

void report(const char* what, int64_t n, int64_t k, int64_t rows, double bytes, double flop, double seconds) {
  std::printf("%-18s %5ld by %5ld, %3ld rows %9.3f ms %7.1f GFLOP/s %6.1f GB/s\n", what, static_cast<long>(n),
              static_cast<long>(k), static_cast<long>(rows), seconds * 1e3, flop / seconds / 1e9, bytes / seconds / 1e9);
}

void dense(Machine& m, int64_t n, int64_t k, int64_t rows) {
  const double seconds = m.least(rows, [&] {
    return Call("fp8_matmul",
                {{view(m.out.data(), D::F32, {rows, n})}, {view(m.x.data(), D::F32, {rows, k})},
                 {view(m.weights(n * k), D::F8_E4M3, {n, k})}, {m.scales(n, k)}}, {128, 128});
  });
  report("fp8_matmul", n, k, rows, static_cast<double>(n * k), 2.0 * n * k * rows, seconds);
}

// Tokens go to 8 of 64 experts each, drawn anew in every run.
void experts(Machine& m, int64_t n, int64_t k, int64_t tokens) {
  const int64_t K = 8, E = 64;
  std::vector<int32_t> ids(static_cast<size_t>(tokens * K)), offsets(E + 1), rows(ids.size());
  const Tensor order = view(rows.data(), D::I32, {tokens, K}), ends = view(offsets.data(), D::I32, {E + 1});
  int64_t used = 0;
  const double seconds = m.least(tokens, [&] {
    for (int64_t t = 0; t < tokens; ++t) {
      int32_t all[E];
      for (int32_t e = 0; e < E; ++e) all[e] = e;
      for (int64_t i = 0; i < K; ++i) {
        std::swap(all[i], all[i + m.random.below(E - i)]);
        ids[static_cast<size_t>(t * K + i)] = all[i];
      }
    }
    run(m.device, {"permute_tokens", {{ends}, {order}, {view(ids.data(), D::I32, {tokens, K})}}}, Form::fast);
    used = 0;
    for (size_t e = 0; e < E; ++e) used += offsets[e + 1] > offsets[e];
    std::vector<Tensor> weights, scales(E, m.scales(n, k));
    uint8_t* first = m.weights(E * n * k);
    for (int64_t e = 0; e < E; ++e) weights.push_back(view(first + e * n * k, D::F8_E4M3, {n, k}));
    return Call("grouped_gemm", {{view(m.out.data(), D::F32, {tokens, K, n})}, {view(m.x.data(), D::F32, {tokens, k})},
                                 {ends}, {order}, weights, scales}, {128, 128});
  });
  report("grouped_gemm", n, k, tokens, static_cast<double>(used * n * k), 2.0 * n * k * tokens * K, seconds);
}

void absorb(Machine& m, int64_t tokens) {
  const int64_t H = 16, d = 128, L = 512;
  const double seconds = m.least(tokens, [&] {
    return Call("mla_absorb_query",
                {{view(m.out.data(), D::F32, {tokens, H, L})}, {view(m.x.data(), D::F32, {tokens, H, d})},
                 {view(m.weights(2 * H * d * L), D::F8_E4M3, {2 * H * d, L})}, {m.scales(2 * H * d, L)}},
                {128, 128, 128, 128});
  });
  report("mla_absorb_query", H * d, L, tokens, static_cast<double>(H * d * L), 2.0 * H * d * L * tokens, seconds);
}

void attention(Machine& m, int64_t tokens, int64_t length) {
  const int64_t H = 16, L = 512, R = 64, blocks = length / 64;
  Array cache = m.random.array(D::F16, {blocks, 64, L + R});
  Array positions(D::I32, {tokens}), sequence(D::I32, {tokens}), table(D::I32, {1, blocks});
  for (int64_t t = 0; t < tokens; ++t) positions.at<int32_t>(t) = static_cast<int32_t>(length - tokens + t);
  for (int64_t b = 0; b < blocks; ++b) table.at<int32_t>(b) = static_cast<int32_t>(b);
  const double seconds = m.least(4 * tokens, [&] {
    return Call("mla_attention",
                {{view(m.out.data(), D::F32, {tokens, H, L})}, {view(m.x.data(), D::F32, {tokens, H, L})},
                 {view(m.x.data(), D::F32, {tokens, H, R})}, {cache.view()}, {positions.view()}, {sequence.view()},
                 {table.view()}}, {0.07});
  });
  double flop = 0;
  for (int64_t t = 0; t < tokens; ++t) flop += 2.0 * H * (positions.at<int32_t>(t) + 1) * (L + R + L);
  report("mla_attention", length, L + R, tokens, static_cast<double>(length * (L + R) * 2), flop, seconds);
}

}  // namespace

int main(int argc, char** argv) {
  Machine m(argc > 1 ? std::atoi(argv[1]) : 1, argc > 2 ? argv[2] : "", argc > 3 ? std::atoi(argv[3]) : 100);
  for (const int64_t rows : {1, 2, 4, 8, 16, 32, 128}) {
    for (const auto& [n, k] : {std::pair<int64_t, int64_t>{2048, 2048}, {3072, 768}}) dense(m, n, k, rows);
    for (const auto& [n, k] : {std::pair<int64_t, int64_t>{768, 2048}, {2048, 768}}) experts(m, n, k, rows);
    absorb(m, rows);
    attention(m, rows, 512);
  }
}
