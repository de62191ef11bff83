// The leaves for AVX-512 with VBMI, whose byte look-ups convert FP8; see kernels.h.
#include "cpu/kernels/kernels.h"

#include "cpu/kernels/vec_avx512.h"

#include "cpu/kernels/impl.inl"

namespace hadal::cpu {

const Kernels& avx512vbmi_kernels() { return table; }

}  // namespace hadal::cpu
