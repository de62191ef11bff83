// The leaves for avx2; see kernels.h.
#include "cpu/kernels/kernels.h"

#include "cpu/kernels/vec_avx2.h"

#include "cpu/kernels/impl.inl"

namespace hadal::cpu {

const Kernels& avx2_kernels() { return table; }

}  // namespace hadal::cpu
