#include "text/name.hpp"

#include <doctest/doctest.h>

namespace weir {

TEST_CASE("a name is 1 to 200 printable bytes, in any script") {
  for (const char* name :
       {"a", "gemini-2.5-flash", "two words", "M\xC3\xBCller", "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D"})
    CHECK(!name_fault(name));
  CHECK(!name_fault(std::string(200, 'x')));
  CHECK(name_fault(std::string(201, 'x')) == "must be at most 200 bytes");
  CHECK(name_fault("") == "must not be empty");
  for (const char* name : {"a\nb", "\x7f", "a\xC2\x85",
                           "a\xE2\x80\xAE"
                           "b",
                           "a\x9b"}) {
    CAPTURE(name);
    CHECK(name_fault(name) == "must not contain control characters");
  }
}

}  // namespace weir
