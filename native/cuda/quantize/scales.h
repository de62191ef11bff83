// Quantised activations: E4M3 codes and one F32 scale for every row and every 128 columns. The one place that
// says how they lie in memory; who writes them (quantize, norm) and who multiplies them (fp8 matmul) read it here.
//
//   codes   [rows, width] bytes, row-major, rows code_stride bytes apart (a multiple of 16, as TMA wants).
//   scales  [ceil(width / 128), scale_stride] F32: all rows of a group side by side, so that the scales of a
//           tile of rows are one contiguous load. scale_stride ≥ rows is a multiple of 4 (16 bytes): use
//           scale_stride_of(rows). Entries beyond the last row are never written; a product may read them, for
//           rows that are thrown away.
//   A masked layout has `experts` of both, one after the other.
//
// value = code · scale. With m the largest magnitude of the group, at least 2⁻¹⁰⁰ (so that a group of zeros needs
// no case of its own: its codes are zeros):
//   exact         scale = m / 448
//   power of two  scale = the smallest 2^e ≥ m / 448 (UE8M0), kept as F32, which is what a Hopper product multiplies
// and code = E4M3(x · (1 / scale)), to nearest even, saturating. All in F32, each step rounded to nearest, so that
// the bits are the same everywhere. A NaN makes its group's scale and codes NaN; an infinity its scale infinite
// and its own code NaN, so that the whole group multiplies to NaN: a spoilt row stays visible.
#pragma once

#include <cstdint>

namespace hadal::cuda {

inline constexpr int32_t kScaleGroup = 128;

enum class ScaleKind : int32_t { kExact, kPowerOfTwo };

constexpr int64_t scale_groups(int64_t width) { return (width + kScaleGroup - 1) / kScaleGroup; }
constexpr int64_t scale_stride_of(int64_t rows) { return (rows + 3) / 4 * 4; }

}  // namespace hadal::cuda
