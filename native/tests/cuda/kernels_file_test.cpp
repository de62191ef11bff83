// The kernels' file: how it is taken apart, and, where nvcc built one, that it holds the kernels of the table with the
// parameters that the launchers give them, within its size.
#include "cuda/kernels_file.h"

#include <elf.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "cuda/table.h"
#include "tests/case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

std::vector<char> bytes_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<char> fatbin(uint64_t body, char fill) {
  std::vector<char> bytes(16 + body, fill);
  const uint32_t magic = 0xba55ed50;
  const uint16_t version = 1, header = 16;
  std::memcpy(bytes.data(), &magic, 4);
  std::memcpy(bytes.data() + 4, &version, 2);
  std::memcpy(bytes.data() + 6, &header, 2);
  std::memcpy(bytes.data() + 8, &body, 8);
  return bytes;
}

template <typename T>
const T* at(const std::vector<char>& bytes, uint64_t offset) {
  HADAL_EXPECT(offset + sizeof(T) <= bytes.size(), "cubin: cut at byte %llu", static_cast<unsigned long long>(offset));
  return reinterpret_cast<const T*>(bytes.data() + offset);
}

// Kernels of a cubin: global functions hadal_*, with the bytes of their parameters. Constant bank 0 of sm_90 begins
// with 528 bytes that are the driver's, the parameters follow.
void add_kernels(const std::vector<char>& cubin, std::map<std::string, uint64_t>& kernels) {
  constexpr uint64_t kDriverBytes = 0x210;
  const auto* header = at<Elf64_Ehdr>(cubin, 0);
  HADAL_EXPECT(std::memcmp(header->e_ident, ELFMAG, SELFMAG) == 0, "cubin: no ELF file");
  const auto section = [&](size_t i) { return at<Elf64_Shdr>(cubin, header->e_shoff + i * header->e_shentsize); };
  const uint64_t names = section(header->e_shstrndx)->sh_offset;
  std::map<std::string, uint64_t> constants;
  for (size_t i = 0; i < header->e_shnum; ++i)
    constants[at<char>(cubin, names + section(i)->sh_name)] = section(i)->sh_size;
  for (size_t i = 0; i < header->e_shnum; ++i) {
    if (section(i)->sh_type != SHT_SYMTAB) continue;
    const uint64_t strings = section(section(i)->sh_link)->sh_offset;
    for (uint64_t s = 0; s < section(i)->sh_size / sizeof(Elf64_Sym); ++s) {
      const auto* symbol = at<Elf64_Sym>(cubin, section(i)->sh_offset + s * sizeof(Elf64_Sym));
      const std::string name = at<char>(cubin, strings + symbol->st_name);
      if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || ELF64_ST_BIND(symbol->st_info) != STB_GLOBAL) continue;
      CHECK(name.starts_with("hadal_"));
      kernels[name] = constants[".nv.constant0." + name] - kDriverBytes;
    }
  }
}

void file_tests() {
  test("a file is taken apart by the sizes of its fatbins", [] {
    std::vector<char> bytes = fatbin(24, 'a'), second = fatbin(8, 'b');
    bytes.insert(bytes.end(), second.begin(), second.end());
    CHECK((cuda::fatbins_of(bytes) == std::vector<size_t>{0, 40}));
  });
  test("a cut, an empty or a foreign file is refused with the place", [] {
    std::vector<char> bytes = fatbin(24, 'a'), second = fatbin(8, 'b');
    bytes.insert(bytes.end(), second.begin(), second.end() - 1);
    CHECK(throws(HADAL_ERROR_UNSUPPORTED, "damaged: expected a fatbin at byte 40 of 63", [&] { cuda::fatbins_of(bytes); }));
    CHECK(throws(HADAL_ERROR_UNSUPPORTED, "at byte 0 of 0", [] { cuda::fatbins_of({}); }));
    CHECK(throws(HADAL_ERROR_UNSUPPORTED, "at byte 0", [] { cuda::fatbins_of(std::vector<char>(64, 'x')); }));
    std::vector<char> huge = fatbin(24, 'a');
    std::memset(huge.data() + 8, 0xff, 8);
    CHECK(throws(HADAL_ERROR_UNSUPPORTED, "at byte 0", [&] { cuda::fatbins_of(huge); }));
  });
  test("a file that is not there is named", [] {
    CHECK(throws(HADAL_ERROR_UNSUPPORTED, "CUDA: no kernels file: /nonexistent/k is not there",
                 [] { cuda::read_kernels("/nonexistent/k"); }));
  });
}

}  // namespace

int main() {
  file_tests();
#ifdef HADAL_TEST_FATBIN
  test("the compiled kernels are those of the table, with the same parameters", [] {
    std::map<std::string, uint64_t> kernels;
    for (const auto& entry : std::filesystem::directory_iterator(HADAL_TEST_CUBINS)) {
      // One of a source that is gone has no fatbin newer than it; only what was packed counts.
      const auto source = entry.path().filename().replace_extension(".cu").string();
      if (entry.path().extension() != ".cubin") continue;
      bool found = false;
      for (const auto& cu : std::filesystem::recursive_directory_iterator(HADAL_TEST_SOURCES))
        found = found || cu.path().filename() == source;
      if (found) add_kernels(bytes_of(entry.path()), kernels);
    }
    for (const cuda::Kernel* kernel : cuda::all_kernels()) {
      const auto found = kernels.find(std::string("hadal_") + kernel->name);
      if (found == kernels.end()) std::printf("  %s was not compiled\n", kernel->name);
      else if (found->second != kernel->params_bytes)
        std::printf("  %s: table %u bytes, cubin %llu\n", kernel->name, kernel->params_bytes,
                    static_cast<unsigned long long>(found->second));
      CHECK(found != kernels.end() && found->second == kernel->params_bytes);
    }
    CHECK(kernels.size() == cuda::all_kernels().size());
  });
  test("the kernels' file is whole and has at most 8 MB", [] {
    const std::vector<char> file = cuda::read_kernels(HADAL_TEST_FATBIN);
    std::printf("  %zu bytes, %zu kernels\n", file.size(), cuda::all_kernels().size());
    CHECK(file.size() <= 8u << 20);
    CHECK(!cuda::fatbins_of(file).empty());
  });
  return finish();
#else
  std::printf("no nvcc: no fatbin\n");
  finish();
  return 0;
#endif
}
