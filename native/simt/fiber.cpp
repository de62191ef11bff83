// See fiber.h. There is one Fibers in a process (block.cpp's), so the entry finds it in a static.
#include "simt/fiber.h"

#include <cstdint>
#include <cstdlib>

// HADAL_SIMT_UCONTEXT: the other way on x86-64, too, to test it.
#if defined(__x86_64__) && !defined(__APPLE__) && !defined(HADAL_SIMT_UCONTEXT)
extern "C" void hadal_simt_switch(void** save, void* to);
// Callee-saved registers of the System V ABI; the rest is the caller's to keep.
asm(R"(
.text
.globl hadal_simt_switch
.type hadal_simt_switch, @function
hadal_simt_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
.size hadal_simt_switch, . - hadal_simt_switch
)");
#else
#include <ucontext.h>
#ifndef HADAL_SIMT_UCONTEXT
#define HADAL_SIMT_UCONTEXT
#endif
#endif

namespace hadal::simt {
namespace {

Fibers* running = nullptr;

}  // namespace

struct Fibers::Fiber {
  char* stack = static_cast<char*>(std::malloc(kStackBytes));
  void* pointer = nullptr;
#ifdef HADAL_SIMT_UCONTEXT
  ucontext_t context{};
#endif
  ~Fiber() { std::free(stack); }
};

void Fibers::FiberDeleter::operator()(Fiber* fiber) const {
  delete fiber;
}

const char* Fibers::stack(size_t index) const { return fibers_[index]->stack; }

void Fibers::run() {
  running->entry_(running->current_);
  running->yield();  // ended: nobody resumes it again
}

#ifdef HADAL_SIMT_UCONTEXT

void Fibers::start(size_t index, void (*entry)(size_t index)) {
  running = this;
  entry_ = entry;
  if (scheduler_ == nullptr) scheduler_ = new ucontext_t{};
  while (fibers_.size() <= index) fibers_.emplace_back(new Fiber);
  ucontext_t& context = fibers_[index]->context;
  getcontext(&context);
  context.uc_stack.ss_sp = fibers_[index]->stack;
  context.uc_stack.ss_size = kStackBytes;
  makecontext(&context, &Fibers::run, 0);
}

void Fibers::resume(size_t index) {
  current_ = index;
  swapcontext(static_cast<ucontext_t*>(scheduler_), &fibers_[index]->context);
}

void Fibers::yield() {
  swapcontext(&fibers_[current_]->context, static_cast<ucontext_t*>(scheduler_));
}

#else

void Fibers::start(size_t index, void (*entry)(size_t index)) {
  running = this;
  entry_ = entry;
  while (fibers_.size() <= index) fibers_.emplace_back(new Fiber);
  auto top = reinterpret_cast<uintptr_t>(fibers_[index]->stack + kStackBytes) & ~uintptr_t{63};
  auto** slot = reinterpret_cast<void**>(top);
  *--slot = nullptr;  // where run() would return to, and 16-byte alignment at its entry
  *--slot = reinterpret_cast<void*>(&Fibers::run);
  for (int r = 0; r < 6; ++r) *--slot = nullptr;
  fibers_[index]->pointer = slot;
}

void Fibers::resume(size_t index) {
  current_ = index;
  hadal_simt_switch(&scheduler_, fibers_[index]->pointer);
}

void Fibers::yield() {
  hadal_simt_switch(&fibers_[current_]->pointer, scheduler_);
}

#endif

}  // namespace hadal::simt
