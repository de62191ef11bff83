// Every benchmark row, family by family. A new family is one line here.
#include "bench/cuda/bench.h"

namespace hadal::bench {

Rows all_rows() {
  Rows rows;
  measure_rows(rows);
  norm_rows(rows);
  return rows;
}

}  // namespace hadal::bench
