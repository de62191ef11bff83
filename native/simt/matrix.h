// ldmatrix, stmatrix and mma.sync as the wrappers in cuda/device/matrix.cuh see them: the 32 lanes
// of a warp meet, then each takes its share of what all have brought.
#pragma once

#include "simt/simt.h"

namespace hadal::simt {

void load_matrix(uint32_t* registers, int tiles, bool transposed, const void* row, Site site);
void store_matrix(const uint32_t* registers, int tiles, bool transposed, void* row, Site site);
void mma(float* d, const uint32_t* a, const uint32_t* b, bool bf16, Site site);

}  // namespace hadal::simt
