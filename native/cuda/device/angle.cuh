// Sine and cosine of position · frequency. The product and its reduction to one turn are in double (exact where
// positions reach 10⁵ and an F32 angle would have lost its phase: three operations of a pipe half as wide as
// F32's), what is left is a fraction of a turn, for which F32 needs no large-argument path.
#pragma once

#include "cuda/device/kernel.cuh"

#ifndef __CUDACC__
#include <cmath>
#endif

namespace hadal::device {

struct SineCosine { float sine, cosine; };

// Within 4e-7 of the true values.
HADAL_DEVICE SineCosine sine_cosine(int position, float frequency) {
  constexpr double kTurn = 0.15915494309189533577;  // 1 / 2π
  const double turns = static_cast<double>(position) * static_cast<double>(frequency) * kTurn;
  SineCosine result;
#ifdef __CUDACC__
  const auto half_turns = static_cast<float>(2 * (turns - rint(turns)));
  sincospif(half_turns, &result.sine, &result.cosine);
#else
  const auto half_turns = static_cast<float>(2 * (turns - std::nearbyint(turns)));
  result.sine = static_cast<float>(std::sin(3.14159265358979323846 * half_turns));
  result.cosine = static_cast<float>(std::cos(3.14159265358979323846 * half_turns));
#endif
  return result;
}

}  // namespace hadal::device
