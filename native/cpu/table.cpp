// The CPU backend: its ops, and the choice of the leaves by what CPUID says, once per device.
#include <cstring>
#include <string>

#include "core/status.h"
#include "cpu/kernels/kernels.h"
#include "cpu/ops.h"

namespace hadal {

namespace {

// Copies of aggregates that are themselves constant-initialised, so the order of files does not matter.
const HostOp ops[] = {
    cpu::embed_tokens_op,  cpu::rms_norm_op,         cpu::add_rms_norm_op,     cpu::add_op,
    cpu::copy_op,          cpu::matmul_op,           cpu::fp8_matmul_op,       cpu::swiglu_op,
    cpu::rope_op,          cpu::write_kv_op,         cpu::mla_absorb_query_op, cpu::mla_expand_value_op,
    cpu::mla_attention_op, cpu::gqa_attention_op,    cpu::gated_top_k_op,      cpu::permute_tokens_op,
    cpu::grouped_gemm_op,  cpu::combine_experts_op,  cpu::gather_rows_op,      cpu::sample_op,
};

struct Choice {
  const char* name;
  bool available;
  const cpu::Kernels& (*get)();
};

// Fastest first. __builtin_cpu_supports also asks the operating system for the register state.
std::span<const Choice> choices() {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("f16c");
  static const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  static const bool vbmi = avx512 && __builtin_cpu_supports("avx512vbmi");
  static const bool bf16 = vbmi && __builtin_cpu_supports("avx512bf16");
  static const Choice all[] = {{"avx512bf16", bf16, cpu::avx512bf16_kernels},
                               {"avx512vbmi", vbmi, cpu::avx512vbmi_kernels},
                               {"avx512", avx512, cpu::avx512_kernels},
                               {"avx2", avx2, cpu::avx2_kernels},
                               {"portable", true, cpu::portable_kernels}};
#else
  static const Choice all[] = {{"portable", true, cpu::portable_kernels}};
#endif
  return all;
}

const void* kernels(const char* isa) {
  const bool any = isa == nullptr || *isa == 0;
  std::string have;
  for (const Choice& choice : choices()) {
    if (!choice.available) continue;
    if (any || std::strcmp(isa, choice.name) == 0) return &choice.get();
    have += (have.empty() ? "" : ", ") + std::string(choice.name);
  }
  fail(HADAL_ERROR_UNSUPPORTED, "isa: expected one of %s on this CPU, got \"%s\"", have.c_str(), isa);
}

const char* isa_name(const void* kernels) { return static_cast<const cpu::Kernels*>(kernels)->name; }

}  // namespace

const HostBackend& cpu_backend() {
  static const HostBackend backend{"cpu", ops, kernels, isa_name};
  return backend;
}

}  // namespace hadal
