// See report.h. Numbers are written with enough digits to compute with, never rounded to look tidy.
#include "bench/cuda/report.h"

#include <cstdarg>

namespace hadal::bench {
namespace {

__attribute__((format(printf, 1, 2))) std::string text(const char* format, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return buffer;
}

std::string quoted(const std::string& value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) out += text("\\u%04x", c);
    else out += c;
  }
  return out + "\"";
}

std::string csv_field(const std::string& value) {
  if (value.find_first_of(",\"\n") == std::string::npos) return value;
  std::string out = "\"";
  for (const char c : value) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string row_fields(const Row& row) {
  return "\"kernel\": " + quoted(row.kernel) + ", \"shape\": " + quoted(row.shape) +
         text(", \"bytes\": %.0f, \"flops\": %.0f, \"peak_flops\": %.4g, \"floor_us\": %.4g, "
              "\"predicted_us\": %.4g, \"reason\": ",
              row.bytes, row.flops, row.peak_flops, row.floor_us(), row.predicted_us) +
         quoted(row.reason);
}

std::string optional_number(const std::optional<uint32_t>& value) {
  return value ? std::to_string(*value) : "null";
}

double terabytes_per_second(const Result& result) {
  return result.row->bytes / result.measured.median_us * 1e-6;
}
double percent_of_best(const Run& run, const Result& result) {
  const double best = run.ceilings.best();
  return best > 0 ? 100e12 * terabytes_per_second(result) / best : 0;
}

template <typename Items, typename Format>
std::string json_lines(const Items& items, Format format) {
  std::string out = "[";
  const char* separator = "\n";
  for (const auto& item : items) {
    out += separator + ("  {" + format(item) + "}");
    separator = ",\n";
  }
  return out + "\n]";
}

}  // namespace

std::string list_json(const Rows& rows) { return json_lines(rows, row_fields) + "\n"; }

std::string run_json(const Run& run, const std::vector<Result>& results) {
  std::string out = "{\"device\": " + quoted(run.device) + ", \"date\": " + quoted(run.date) +
                    text(", \"driver\": %d, \"copy_bytes_per_s\": %.4g, \"read_bytes_per_s\": %.4g, ",
                         run.driver, run.ceilings.copy, run.ceilings.read) +
                    "\"rows\": ";
  out += json_lines(results, [&](const Result& result) {
    const Measured& m = result.measured;
    if (!result.error.empty()) return row_fields(*result.row) + ", \"error\": " + quoted(result.error);
    return row_fields(*result.row) +
           text(", \"measured_us\": %.5g, \"least_us\": %.5g, \"tb_per_s\": %.4g, "
                "\"percent_of_measured\": %.1f, \"sets\": %zu, \"launches\": %zu, \"graph\": %s, ",
                m.median_us, m.least_us, terabytes_per_second(result), percent_of_best(run, result),
                m.sets, m.launches, m.graph ? "true" : "false") +
           "\"sm_mhz\": " + optional_number(m.sm_mhz) +
           ", \"memory_mhz\": " + optional_number(m.memory_mhz) +
           ", \"watts\": " + optional_number(m.watts);
  });
  return out + "}\n";
}

std::string csv_header() {
  return "kernel,shape,bytes,flops,floor_us,predicted_us,measured_us,least_us,tb_per_s,"
         "percent_of_measured,sm_mhz,memory_mhz,watts,device,date,error\n";
}

std::string csv_line(const Run& run, const Result& result) {
  const Row& row = *result.row;
  const Measured& m = result.measured;
  std::string line = csv_field(row.kernel) + "," + csv_field(row.shape) +
                     text(",%.0f,%.0f,%.4g,%.4g,", row.bytes, row.flops, row.floor_us(), row.predicted_us);
  if (result.error.empty())
    line += text("%.5g,%.5g,%.4g,%.1f,", m.median_us, m.least_us, terabytes_per_second(result),
                 percent_of_best(run, result));
  else line += ",,,,";
  for (const auto& value : {m.sm_mhz, m.memory_mhz, m.watts})
    line += (value ? std::to_string(*value) : "") + ",";
  return line + csv_field(run.device) + "," + run.date + "," + csv_field(result.error) + "\n";
}

std::string table_header(const Run& run) {
  return run.device + text(", driver %d.%d: copy %.2f TB/s, read %.2f TB/s (measured)\n",
                           run.driver / 1000, run.driver % 1000 / 10, run.ceilings.copy * 1e-12,
                           run.ceilings.read * 1e-12) +
         text("%-28s %-36s %9s %9s %9s %7s %6s %6s\n", "kernel", "shape", "floor us", "predicted",
              "measured", "TB/s", "% mem", "MHz");
}

std::string table_line(const Run& run, const Result& result) {
  const Row& row = *result.row;
  std::string line = text("%-28s %-36s %9.2f %9.2f ", row.kernel.c_str(), row.shape.c_str(),
                          row.floor_us(), row.predicted_us);
  if (!result.error.empty()) return line + "failed: " + result.error + "\n";
  const Measured& m = result.measured;
  line += text("%9.2f %7.2f %6.1f %6s", m.median_us, terabytes_per_second(result),
               percent_of_best(run, result), m.sm_mhz ? std::to_string(*m.sm_mhz).c_str() : "?");
  return line + (m.graph ? "\n" : " (single launches)\n");
}

}  // namespace hadal::bench
