// Linux: affinity, sibling lists, control groups v2 and v1, /proc/meminfo. A file that is missing or
// that says something unexpected counts as no limit.
#if defined(__linux__)

#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "core/machine.h"

namespace hadal {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::vector<int> affinity() {
  // Machines with more than 1024 processors need a larger mask; EINVAL says so.
  for (int count = 1024; count <= (1 << 20); count *= 4) {
    cpu_set_t* set = CPU_ALLOC(count);
    if (set == nullptr) break;
    const size_t size = CPU_ALLOC_SIZE(count);
    std::vector<int> cpus;
    const bool ok = sched_getaffinity(0, size, set) == 0;
    for (int cpu = 0; ok && cpu < count; ++cpu)
      if (CPU_ISSET_S(cpu, size, set)) cpus.push_back(cpu);
    CPU_FREE(set);
    if (ok) return cpus;
  }
  return {0};
}

// This process's folders in a control-group hierarchy, from its own group up to the root. In a container
// the path of /proc/self/cgroup may not exist below the mount; the mount itself is always the last.
std::vector<std::string> group_folders(const char* controller) {
  const bool v2 = controller == nullptr;
  const std::string mount = v2 ? "/sys/fs/cgroup" : std::string("/sys/fs/cgroup/") + controller;
  std::string group;
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool match = v2 ? names == ",," : names.find("," + std::string(controller) + ",") !=
                                                std::string::npos;
    if (match) group = line.substr(second + 1);
  }
  std::vector<std::string> folders;
  while (group.size() > 1) {
    folders.push_back(mount + group);
    group.erase(group.find_last_of('/'));
  }
  folders.push_back(mount);
  return folders;
}

// Processors' worth of time per period, the lowest of all groups above; 0 when there is no limit.
double cpu_quota() {
  double quota = 0;
  const auto lower = [&](double limit, double period) {
    if (limit > 0 && period > 0) quota = quota == 0 ? limit / period : std::min(quota, limit / period);
  };
  for (const std::string& folder : group_folders(nullptr)) {
    double limit = 0, period = 0;
    const std::string line = first_line(folder + "/cpu.max");
    if (std::sscanf(line.c_str(), "%lf %lf", &limit, &period) == 2) lower(limit, period);
  }
  for (const std::string& folder : group_folders("cpu")) {
    const std::string limit = first_line(folder + "/cpu.cfs_quota_us");
    const std::string period = first_line(folder + "/cpu.cfs_period_us");
    if (!limit.empty()) lower(std::atof(limit.c_str()), std::atof(period.c_str()));
  }
  return quota;
}

uint64_t number(const std::string& text) {
  return !text.empty() && text[0] >= '0' && text[0] <= '9' ? std::strtoull(text.c_str(), nullptr, 10)
                                                           : 0;
}

uint64_t field(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string name, value; file >> name >> value; file.ignore(4096, '\n'))
    if (name == key) return number(value);
  return 0;
}

// One group's limit; the page cache of inactive files counts as available.
void limit_memory(Memory& memory, uint64_t limit, uint64_t used, uint64_t inactive) {
  if (limit == 0 || limit >= memory.total) return;
  memory.total = limit;
  const uint64_t taken = used > inactive ? used - inactive : 0;
  memory.available = std::min(memory.available, limit > taken ? limit - taken : 0);
}

}  // namespace

Cores usable_cores() {
  const std::vector<int> cpus = affinity();
  std::set<std::string> cores;
  for (const int cpu : cpus) {
    const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    const std::string siblings = first_line(folder + "thread_siblings_list");
    cores.insert(siblings.empty() ? "cpu" + std::to_string(cpu) : siblings);
  }
  Cores result;
  result.logical = static_cast<int32_t>(cpus.size());
  result.physical = static_cast<int32_t>(cores.size());
  const double quota = cpu_quota();
  if (quota > 0 && quota < result.physical)
    result.physical = std::max<int32_t>(1, static_cast<int32_t>(quota));
  return result;
}

Memory usable_memory() {
  Memory memory;
  memory.total = field("/proc/meminfo", "MemTotal:") * 1024;
  memory.available = field("/proc/meminfo", "MemAvailable:") * 1024;
  for (const std::string& folder : group_folders(nullptr))
    limit_memory(memory, number(first_line(folder + "/memory.max")),
                 number(first_line(folder + "/memory.current")),
                 field(folder + "/memory.stat", "inactive_file"));
  for (const std::string& folder : group_folders("memory"))
    limit_memory(memory, number(first_line(folder + "/memory.limit_in_bytes")),
                 number(first_line(folder + "/memory.usage_in_bytes")),
                 field(folder + "/memory.stat", "total_inactive_file"));
  return memory;
}

std::string machine_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

}  // namespace hadal

#endif
