// Arithmetic in pairs of floats against double: what the routing's scores rest on. It is plain FP32, so what holds
// here holds on a GPU.
#include "cuda/device/order.cuh"
#include "cuda/device/pair.cuh"
#include "tests/case.h"

using namespace hadal;
using namespace hadal::testing;
using device::Pair;

namespace {

double value(Pair pair) { return static_cast<double>(pair.hi) + static_cast<double>(pair.lo); }

}  // namespace

int main() {
  test("e^x to 2^-28 of itself, less where the second float is subnormal", [] {
    Random random(1);
    for (int i = 0; i < 200000; ++i) {
      const auto x = static_cast<float>(-60 * random.uniform() * (i % 3 == 0 ? 0.01 : 1));
      const Pair argument = device::sum_of(x, static_cast<float>(-1e-9 * random.uniform()));
      const double want = std::exp(value(argument)), got = value(device::exp_pair(argument));
      if (std::fabs(got - want) > 0x1p-28 * want) std::printf("  e^%.9g: got %.12g, expected %.12g\n", x, got, want);
      CHECK(std::fabs(got - want) <= 0x1p-28 * want);
      if (!current_ok) return;
    }
    CHECK(value(device::exp_pair({0, 0})) == 1);
    for (const float x : {-88.0f, -95.0f, -100.0f, -103.9f})
      CHECK(std::fabs(value(device::exp_pair({x, 0})) - std::exp(static_cast<double>(x))) <= 0x1.8p-149);
    CHECK(value(device::exp_pair({-105, 0})) == 0 && value(device::exp_pair({-INFINITY, NAN})) == 0);
    CHECK(std::isnan(device::exp_pair({NAN, 0}).hi));
  });
  test("the last bit of 1 / (1 + e^x) differs from double's in less than 1 of 1000", [] {
    Random random(2);
    int other = 0;
    for (int i = 0; i < 100000; ++i) {
      const float x = -std::fabs(3 * random.normal());
      const Pair e = device::exp_pair({x, 0}), whole = device::ordered_sum(1, e.hi);
      const float got = device::quotient({1, 0}, {whole.hi, whole.lo + e.lo});
      const auto want = static_cast<float>(1 / (1 + std::exp(static_cast<double>(x))));
      other += got != want;
      CHECK(std::fabs(got - want) <= 0x1p-24f);
    }
    std::printf("  %d of 100000\n", other);
    CHECK(other < 100);
  });
  test("sums are exact and keys are in the floats' order", [] {
    Random random(3);
    for (int i = 0; i < 1000; ++i) {
      const float a = 100 * random.normal(), b = random.normal();
      CHECK(value(device::sum_of(a, b)) == static_cast<double>(a) + static_cast<double>(b));
      CHECK((a < b) == (device::order_key(a) < device::order_key(b)));
      CHECK(device::from_order_key(device::order_key(a)) == a);
    }
    CHECK(device::order_key(-0.0f) == device::order_key(0.0f));
    CHECK(device::order_key(-INFINITY) == device::kLowestKey && device::order_key(-3e38f) > device::kLowestKey);
  });
  return finish();
}
