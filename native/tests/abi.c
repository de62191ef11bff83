/* Proves that hadal.h is C11 and that a C program can record and run: every function is called, and every
 * NULL and foreign value that a caller can pass comes back as a status with a text. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "hadal/hadal.h"

static int passed = 0, failed = 0;

static void check(int ok, const char* what) {
  printf("%s %s\n", ok ? "ok  " : "FAIL", what);
  if (ok) passed += 1;
  else failed += 1;
}

static int invalid(hadal_status status) {
  return status == HADAL_ERROR_INVALID && strlen(hadal_last_error()) > 0;
}

static hadal_argument one(const hadal_tensor* tensor) {
  hadal_argument argument = {tensor, 1};
  return argument;
}

static void library_facts(void) {
  hadal_cpu_info info = {0};
  hadal_cuda_info cuda = {0};
  int found = 0;
  const char* name;
  check(hadal_abi_version() == HADAL_ABI_VERSION, "the library has the header's ABI version");
  check(strlen(hadal_version()) > 0, "the library has a version");
  for (name = hadal_op_list(); *name != '\0'; name += strlen(name) + 1)
    if (strcmp(name, "add") == 0) found = 1;
  check(found, "the op list holds add and ends with an empty name");
  check(invalid(hadal_cpu(NULL)), "hadal_cpu refuses NULL");
  check(invalid(hadal_cpu(&info)), "hadal_cpu refuses a structure of another size");
  info.struct_size = sizeof(info);
  check(invalid(hadal_cuda(NULL)) && invalid(hadal_cuda(&cuda)), "hadal_cuda refuses NULL and another size");
  cuda.struct_size = sizeof(cuda);
  check(hadal_cuda(&cuda) == HADAL_OK && strncmp(cuda.problem, "CUDA: ", 6) == 0 && hadal_cuda_op_list() != NULL,
        "hadal_cuda says in a sentence what is missing beside this program");
  check(hadal_cpu(&info) == HADAL_OK && info.logical_cores >= 1 && strlen(info.isa) > 0,
        "hadal_cpu tells cores and instruction set");
}

static void null_handles(hadal_device* device) {
  const int64_t dims[3] = {1, 1, 1};
  hadal_device* no_device = device;
  hadal_buffer* buffer = NULL;
  hadal_program* program = NULL;
  char byte = 0;
  check(invalid(hadal_device_create(NULL, NULL)), "device_create refuses NULL");
  check(invalid(hadal_buffer_allocate(NULL, device, 1)), "buffer_allocate refuses NULL");
  check(invalid(hadal_buffer_allocate(&buffer, NULL, 1)), "buffer_allocate refuses no device");
  check(invalid(hadal_buffer_map(&buffer, device, NULL, 1, 0)), "buffer_map refuses no path");
  check(hadal_buffer_map(&buffer, device, "/nonexistent", 1, 0) == HADAL_ERROR_IO,
        "buffer_map reports a missing file as IO");
  check(invalid(hadal_buffer_write(NULL, 0, &byte, 1)), "buffer_write refuses NULL");
  check(invalid(hadal_buffer_read(NULL, 0, &byte, 1)), "buffer_read refuses NULL");
  check(invalid(hadal_buffer_discard(NULL, 0, 1)), "buffer_discard refuses NULL");
  check(invalid(hadal_program_create(&program, device, HADAL_FAST, NULL)),
        "program_create refuses no dims");
  check(invalid(hadal_program_create(&program, NULL, HADAL_FAST, dims)),
        "program_create refuses no device");
  check(invalid(hadal_program_append(NULL, "add", NULL, 0, NULL, 0)),
        "program_append refuses NULL");
  check(invalid(hadal_program_run(NULL, dims, NULL)), "program_run refuses NULL");
  check(invalid(hadal_program_profile(NULL, 1)), "program_profile refuses NULL");
  check(invalid(hadal_program_timings(NULL, NULL, 0)), "program_timings refuses NULL");
  check(hadal_buffer_size(NULL) == 0 && hadal_program_size(NULL) == 0 &&
            hadal_device_threads(NULL) == 0 && strlen(hadal_device_isa(NULL)) == 0 &&
            strlen(hadal_device_kind(NULL)) == 0 && strlen(hadal_device_name(NULL)) == 0 &&
            strlen(hadal_device_note(NULL)) == 0,
        "questions about NULL have empty answers");
  hadal_device_release(NULL);
  hadal_buffer_release(NULL);
  hadal_program_release(NULL);
  check(no_device == device, "releasing NULL does nothing");
}

static void device_options(void) {
  uint64_t total = 0, available = 0;
  hadal_device* device = NULL;
  hadal_device_options options = {0};
  check(invalid(hadal_device_create(&device, &options)) && device == NULL,
        "device options of another size are refused");
  options.struct_size = sizeof(options);
  options.threads = -1;
  check(invalid(hadal_device_create(&device, &options)), "-1 threads are refused");
  options.threads = 1;
  options.isa = "sse9";
  check(hadal_device_create(&device, &options) == HADAL_ERROR_UNSUPPORTED && device == NULL,
        "an unknown instruction set is refused");
  options.isa = "portable";
  check(hadal_device_create(&device, &options) == HADAL_OK &&
            hadal_device_threads(device) == 1 &&
            strcmp(hadal_device_isa(device), "portable") == 0,
        "one thread and the portable instruction set can be asked for");
  hadal_device_release(device);
  options.struct_size = (uint32_t)offsetof(hadal_device_options, device);
  options.device = "cuda"; /* behind the end of what is given */
  check(hadal_device_create(&device, &options) == HADAL_OK && strcmp(hadal_device_kind(device), "cpu") == 0,
        "options without the device are those of a CPU");
  hadal_device_release(device);
  options.struct_size = sizeof(options);
  check(invalid(hadal_device_create(&device, &options)) && device == NULL, "cuda with an instruction set is refused");
  options.isa = NULL;
  check(hadal_device_create(&device, &options) == HADAL_ERROR_UNSUPPORTED && device == NULL &&
            strncmp(hadal_last_error(), "CUDA: ", 6) == 0,
        "cuda is refused with a sentence where the backend is not");
  options.device = "tpu";
  check(invalid(hadal_device_create(&device, &options)) && device == NULL, "an unknown device is refused");
  options.device = "auto";
  check(hadal_device_create(&device, &options) == HADAL_OK && strcmp(hadal_device_kind(device), "cpu") == 0 &&
            strncmp(hadal_device_note(device), "CUDA: ", 6) == 0,
        "auto is the CPU here, and says why");
  check(hadal_device_memory(device, &total, &available) == HADAL_OK && total > 0 && available <= total,
        "a device tells its memory");
  check(invalid(hadal_device_memory(device, NULL, &available)) && invalid(hadal_device_memory(NULL, &total, &available)),
        "device_memory refuses NULL");
  hadal_device_release(device);
}

static void add_two_rows(hadal_device* device, hadal_precision precision) {
  const int64_t max_dims[3] = {4, 1, 1}, dims[3] = {2, 0, 0}, too_many[3] = {5, 0, 0};
  const float a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {10, 20, 30, 40, 50, 60};
  float out[12];
  uint64_t spent = 0;
  int32_t cancel = 1;
  hadal_buffer* memory = NULL;
  hadal_program* program = NULL;
  hadal_tensor tensors[3];
  hadal_argument arguments[3];
  int i;
  check(hadal_buffer_allocate(&memory, device, 3 * 48) == HADAL_OK, "a buffer is allocated");
  hadal_buffer_write(memory, 48, a, sizeof(a));
  hadal_buffer_write(memory, 96, b, sizeof(b));
  for (i = 0; i < 3; ++i) {
    hadal_tensor tensor = {memory, (uint64_t)i * 48, HADAL_F32, 2, {HADAL_DIM_T, 3}, {3, 1}};
    tensors[i] = tensor;
    arguments[i] = one(&tensors[i]);
  }
  check(hadal_program_create(&program, device, precision, max_dims) == HADAL_OK,
        "a program is created");
  check(hadal_program_append(program, "add", arguments, 3, NULL, 0) == HADAL_OK,
        "add is recorded");
  check(invalid(hadal_program_append(program, "add", arguments, 2, NULL, 0)),
        "add with two arguments is refused");
  check(hadal_program_append(program, "", arguments, 3, NULL, 0) == HADAL_ERROR_UNSUPPORTED,
        "an op without a name is refused");
  tensors[1].rank = 77;
  check(invalid(hadal_program_append(program, "add", arguments, 3, NULL, 0)),
        "rank 77 is refused");
  check(hadal_program_size(program) == 1, "what was refused is not recorded");
  check(hadal_program_profile(program, 1) == HADAL_OK, "profiling is switched on");
  check(hadal_program_run(program, dims, NULL) == HADAL_OK, "two rows are added");
  check(hadal_buffer_read(memory, 0, out, 36) == HADAL_OK && out[0] == 11 && out[5] == 66 &&
            out[6] == 0,
        "two rows are the sums and the third is untouched");
  check(hadal_program_timings(program, &spent, 1) == HADAL_OK && spent > 0, "the op took time");
  check(invalid(hadal_program_run(program, too_many, NULL)), "five rows are refused");
  check(hadal_program_run(program, dims, &cancel) == HADAL_ERROR_CANCELLED,
        "a run with its cancel flag set is cancelled");
  hadal_buffer_release(memory); /* the program keeps it */
  check(hadal_program_run(program, dims, NULL) == HADAL_OK,
        "a program runs after its buffers' handles are released");
  hadal_program_release(program);

  check(hadal_buffer_allocate(&memory, device, 48) == HADAL_OK, "a second buffer");
  check(invalid(hadal_buffer_read(memory, 44, out, 8)), "reading over the end is refused");
  check(hadal_buffer_discard(memory, 0, 48) == HADAL_OK, "a buffer is discarded");
  hadal_buffer_release(memory);
}

/* A vocabulary of a, b, "ab" and an end; a grammar of "ab". */
static void follow_a_grammar(void) {
  const uint8_t bytes[4] = {'a', 'b', 'a', 'b'};
  const int32_t offsets[5] = {0, 1, 2, 4, 4}, end = 3;
  const uint32_t words[] = {0x31475248u, 1, 0, 1, 0, 2, 'a' | 'b' << 8, 0};
  const uint64_t count = sizeof(words) / sizeof(words[0]);
  hadal_vocabulary* vocabulary = NULL;
  hadal_grammar* grammar = NULL;
  hadal_matcher* matcher = NULL;
  uint32_t mask = 0, allowed = 0;
  int32_t accepted = 0;
  check(hadal_vocabulary_create(&vocabulary, bytes, offsets, 4, 4, 4, &end, 1) == HADAL_OK,
        "a vocabulary is created");
  hadal_vocabulary_release(vocabulary);
  check(invalid(hadal_vocabulary_create(&vocabulary, NULL, offsets, 4, 4, 4, &end, 1)) && !vocabulary,
        "a vocabulary without bytes is refused");
  hadal_vocabulary_create(&vocabulary, bytes, offsets, 4, 4, 4, &end, 1);
  check(hadal_grammar_compile(&grammar, vocabulary, words, count) == HADAL_OK, "a grammar is compiled");
  hadal_vocabulary_release(vocabulary); /* the grammar keeps it */
  check(hadal_matcher_create(&matcher, grammar, 0) == HADAL_OK, "a matcher is created");
  hadal_matcher_release(matcher);
  check(invalid(hadal_matcher_create(&matcher, grammar, 1)) && !matcher, "an entry too many is refused");
  hadal_matcher_create(&matcher, grammar, 0);
  hadal_grammar_release(grammar); /* the matcher keeps it */
  check(hadal_matcher_mask(matcher, &mask, 1, &allowed) == HADAL_OK && mask == 5 && allowed == 2,
        "a and ab may begin");
  check(invalid(hadal_matcher_mask(matcher, &mask, 2, &allowed)), "a mask of another size is refused");
  check(hadal_matcher_accept(matcher, 1, &accepted) == HADAL_OK && !accepted, "b may not");
  check(hadal_matcher_accept(matcher, 2, &accepted) == HADAL_OK && accepted &&
            hadal_matcher_state(matcher) == (HADAL_MATCHER_CAN_END | HADAL_MATCHER_DONE),
        "ab is the whole text");
  check(hadal_matcher_rollback(matcher, 1) == HADAL_OK && hadal_matcher_state(matcher) == 0,
        "it is taken back");
  check(invalid(hadal_matcher_rollback(matcher, 1)), "more than there was is not");
  check(hadal_matcher_reset(matcher) == HADAL_OK, "a matcher is reset");
  hadal_matcher_release(matcher);
  check(invalid(hadal_vocabulary_create(NULL, bytes, offsets, 4, 4, 4, &end, 1)) &&
            invalid(hadal_vocabulary_create(&vocabulary, bytes, NULL, 4, 4, 4, &end, 1)) &&
            invalid(hadal_grammar_compile(&grammar, NULL, words, count)) &&
            invalid(hadal_matcher_create(&matcher, NULL, 0)) &&
            invalid(hadal_matcher_mask(NULL, &mask, 1, &allowed)) &&
            invalid(hadal_matcher_accept(NULL, 0, &accepted)) && invalid(hadal_matcher_rollback(NULL, 0)) &&
            invalid(hadal_matcher_reset(NULL)) && hadal_matcher_state(NULL) == 0,
        "NULL handles of grammars are refused");
  hadal_vocabulary_release(NULL);
  hadal_grammar_release(NULL);
  hadal_matcher_release(NULL);
}

int main(void) {
  hadal_device* device = NULL;
  library_facts();
  device_options();
  check(hadal_device_create(&device, NULL) == HADAL_OK && hadal_device_threads(device) >= 1,
        "a device with default options");
  null_handles(device);
  add_two_rows(device, HADAL_FAST);
  add_two_rows(device, HADAL_REFERENCE);
  follow_a_grammar();
  hadal_device_release(device);
  printf("%d passed, %d failed, 0 skipped\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
