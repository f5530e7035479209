// Counts what the thread allocates. In a file of its own: inlined into the test, GCC 12 takes the pairs for
// mismatched.
#include <cstdlib>
#include <new>

thread_local std::size_t allocations_of_thread = 0;

// All the throwing forms, so that each delete below meets its own new.
void* operator new(std::size_t size) {
  ++allocations_of_thread;
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) {
  return operator new(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
