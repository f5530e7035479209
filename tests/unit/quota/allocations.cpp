#include "allocations.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {
std::size_t biggest_request = 0;
}  // namespace

void* operator new(std::size_t size) {
  biggest_request = std::max(biggest_request, size);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept {
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace weir::allocations {

void forget() {
  biggest_request = 0;
}

std::size_t biggest() {
  return biggest_request;
}

}  // namespace weir::allocations
