// The biggest request to the heap since the last call of forget(), of the whole test program.
#pragma once

#include <cstddef>

namespace weir::allocations {

void forget();
std::size_t biggest();

}  // namespace weir::allocations
