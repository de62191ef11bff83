// Reports: who, where, against whom. Places in a kernel are code addresses until somebody has to
// read them: then addr2line names the line, past the wrappers of cuda/device.
#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <set>
#include <unordered_map>

#include "simt/machine.h"

namespace hadal::simt {
namespace {

constexpr size_t kReported = 8;
constexpr Place kCall = 1u << 31;

struct Call {
  const char* call;
  Site site;
};
auto& calls = *new std::vector<Call>;  // never destroyed: lint is printed when the process ends
auto& call_numbers = *new std::unordered_map<uint64_t, Place>;

const char* image_file() {
  Dl_info info{};
  return dladdr(&machine, &info) != 0 ? info.dli_fname : nullptr;
}
uintptr_t find_image() {
  Dl_info info{};
  return dladdr(&machine, &info) != 0 ? reinterpret_cast<uintptr_t>(info.dli_fbase) : 0;
}

std::string base_name(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

// The innermost line outside of the wrappers.
std::string line_of(Place place) {
  const char* file = image_file();
  if (file == nullptr) return "";
  char command[1024];
  std::snprintf(command, sizeof command, "addr2line -i -e '%s' 0x%x 2>/dev/null", file, place - 1);
  FILE* pipe = popen(command, "r");
  if (pipe == nullptr) return "";
  std::string found;
  char line[1024];
  while (std::fgets(line, sizeof line, pipe) != nullptr) {
    std::string text(line);
    text.erase(text.find_last_not_of("\n\r") + 1);
    if (const size_t note = text.find(" (discriminator"); note != std::string::npos)
      text.erase(note);
    if (text.rfind("??", 0) == 0) continue;
    if (found.empty() || text.find("/cuda/device/") == std::string::npos) {
      const bool wrapper = text.find("/cuda/device/") != std::string::npos;
      found = base_name(text);
      if (!wrapper) break;
    }
  }
  pclose(pipe);
  return found;
}

// A kernel that dereferences an address that is nowhere takes the process with it; at least with a
// name.
void crashed(int signal_number, siginfo_t* info, void*) {
  if (machine.now != nullptr) {
    char text[512];
    const int length = std::snprintf(
        text, sizeof text, "%s: thread %u of block %u dereferences %p, after %s at %s:%d\n",
        machine.kernel->name, machine.now->number, machine.now->block->index.x, info->si_addr,
        machine.now->call, machine.now->site.file, machine.now->site.line);
    if (write(STDERR_FILENO, text, static_cast<size_t>(length)) < 0) _exit(1);
  }
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

}  // namespace

void watch_for_crashes() {
  static const bool once = [] {
    struct sigaction action{};
    action.sa_sigaction = crashed;
    action.sa_flags = SA_SIGINFO;
    return sigaction(SIGSEGV, &action, nullptr) == 0 && sigaction(SIGBUS, &action, nullptr) == 0;
  }();
  static_cast<void>(once);
}

uintptr_t image_start = find_image();

Place place_of(const char* call, Site site) {
  const uint64_t key = reinterpret_cast<uintptr_t>(call) * 0x9e3779b97f4a7c15u ^
                       reinterpret_cast<uintptr_t>(site.file) * 31 ^
                       static_cast<uint64_t>(site.line) << 40;
  const auto [entry, added] = call_numbers.try_emplace(key, 0);
  if (added) {
    entry->second = kCall | static_cast<Place>(calls.size());
    calls.push_back({call, site});
  }
  return entry->second;
}

std::string describe(const char* call, Site site) {
  std::string text =
      std::string(call) + " at " + base_name(site.file) + ":" + std::to_string(site.line);
  return site.line == 0 ? std::string(call) : text;
}

std::string describe(Place place) {
  if ((place & kCall) != 0) {
    const Call& call = calls[place & ~kCall];
    return describe(call.call, call.site);
  }
  static auto& known = *new std::unordered_map<Place, std::string>;
  const auto [entry, added] = known.try_emplace(place);
  if (added) entry->second = line_of(place);
  if (!entry->second.empty()) return entry->second;
  return machine.now != nullptr ? "after " + describe(machine.now->call, machine.now->site) : "?";
}

std::string where(const Thread& thread) {
  const Extent& block = thread.block->index;
  std::string text =
      "thread " + std::to_string(thread.number) + " of block " + std::to_string(block.x);
  if (machine.grid.blocks.y > 1 || machine.grid.blocks.z > 1)
    text += "," + std::to_string(block.y) + "," + std::to_string(block.z);
  return text;
}

void problem(const std::string& text, const char* kind, Place place, Place other) {
  static std::set<std::string> seen;
  if (machine.report.count++ == 0) seen.clear();
  // By line: an unrolled loop has one mistake, not eight.
  std::string key = kind;
  if (place != 0) key += describe(place);
  if (other != 0) key += "/" + describe(other);
  if (!seen.insert(key).second || machine.report.problems.size() >= kReported) return;
  const char* name = machine.kernel != nullptr ? machine.kernel->name : "";
  machine.report.problems.push_back(std::string(name) + ": " + text);
}

void report_problem(const std::string& what, const char* call, Site site) {
  problem(what + " (" + (machine.now != nullptr ? where(*machine.now) + ", " : "") +
              describe(call, site) + ")",
          what.c_str(), place_of(call, site));
}

}  // namespace hadal::simt
