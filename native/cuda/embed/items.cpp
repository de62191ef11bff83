// See items.h.
#include "cuda/embed/items.h"

#include "cuda/rows_check.h"

namespace hadal::cuda {

Launch item_launch(const char* op, int64_t rows, int64_t vectors_per_row) {
  const int64_t items = rows * vectors_per_row;
  HADAL_EXPECT(items < int64_t{1} << 31, "%s: expected fewer than 2^31 vectors of 16 bytes, got %lld", op,
               static_cast<long long>(items));
  Launch launch;
  launch.grid.x = blocks_for(items, int64_t{kItemThreads} * 4);
  launch.dependent = true;
  return launch;
}

}  // namespace hadal::cuda
