// The leaves for portable; see kernels.h.
#include "cpu/kernels/kernels.h"

#include "cpu/kernels/vec_portable.h"

#include "cpu/kernels/impl.inl"

namespace hadal::cpu {

const Kernels& portable_kernels() { return table; }

}  // namespace hadal::cpu
