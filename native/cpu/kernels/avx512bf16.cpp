// The leaves for AVX-512 with VBMI and BF16 products; see kernels.h.
#include "cpu/kernels/kernels.h"

#include "cpu/kernels/vec_avx512.h"

#include "cpu/kernels/impl.inl"
#include "cpu/kernels/pairs.inl"

namespace hadal::cpu {

// Made at the first call: a constant of this file would be initialised, by its instructions, on every CPU.
const Kernels& avx512bf16_kernels() {
  static const Kernels all = [] {
    Kernels made = table;
    made.name = "avx512bf16";
    made.pairs = &pair_table;
    return made;
  }();
  return all;
}

}  // namespace hadal::cpu
