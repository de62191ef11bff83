// Fibers: a stack each and a switch of six registers, some nanoseconds. x86-64 in assembly; elsewhere
// ucontext, which is right but some twenty times slower.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace hadal::simt {

class Fibers {
 public:
  static constexpr size_t kStackBytes = 128 << 10;

  // Makes a fiber start at entry(index) when it is next resumed, whatever it was doing.
  void start(size_t index, void (*entry)(size_t index));
  void resume(size_t index);  // from the scheduler, until the fiber yields or ends
  void yield();               // from a fiber, back to the scheduler
  const char* stack(size_t index) const;  // its lowest byte
  size_t current() const { return current_; }

 private:
  struct Fiber;
  struct FiberDeleter { void operator()(Fiber* fiber) const; };
  static void run();

  std::vector<std::unique_ptr<Fiber, FiberDeleter>> fibers_;  // kept between launches for their stacks
  void (*entry_)(size_t) = nullptr;
  size_t current_ = 0;
  void* scheduler_ = nullptr;
};

}  // namespace hadal::simt
