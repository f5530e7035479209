#include "text/printable.hpp"

#include <doctest/doctest.h>

namespace weir {

TEST_CASE("what can be read stays as it is, in any script") {
  for (const char* text : {"", "plain, with \\ and \"", "M\xC3\xBCller", "\xE2\x80\xA6", "\xF0\x9F\x98\x80",
                           "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D", "\xE2\x80\x8D"}) {
    CAPTURE(text);
    CHECK(printable(text) == text);
    CHECK(printable_json(text) == text);
  }
}

TEST_CASE("no text from outside moves a cursor, ends a line or turns the direction of another") {
  CHECK(printable("a\nb\tc\rd") == "a\\nb\\tc\\x0dd");
  CHECK(printable("\x1b[2J\x7f") == "\\x1b[2J\\x7f");
  CHECK(printable(std::string("\0x", 2)) == "\\x00x");
  CHECK(printable("\xC2\x9B"
                  "2J") == "\\xc2\\x9b2J");  // CSI, U+009B
  for (const char* point :
       {"\xC2\x80", "\xC2\x9F", "\xD8\x9C", "\xE2\x80\x8E", "\xE2\x80\x8F", "\xE2\x80\xA8", "\xE2\x80\xA9",
        "\xE2\x80\xAA", "\xE2\x80\xAE", "\xE2\x81\xA6", "\xE2\x81\xA9"}) {
    CAPTURE(printable(point));
    CHECK(unprintable_length(point, 0) == std::string_view(point).size());
    CHECK(printable(point).starts_with("\\x"));
  }
  for (const char* beside : {"\xC2\xA0", "\xD8\x9B", "\xE2\x80\x8D", "\xE2\x80\x90", "\xE2\x80\xA7",
                             "\xE2\x80\xAF", "\xE2\x81\xA5", "\xE2\x81\xAA"})
    CHECK(unprintable_length(beside, 0) == 0);
}

TEST_CASE("bytes that are no UTF-8 are shown one by one") {
  CHECK(printable("\x9b"
                  "2J") == "\\x9b2J");
  CHECK(printable("a\xC3") == "a\\xc3");
  CHECK(printable("\xE2\x80") == "\\xe2\\x80");
  CHECK(printable("\xC0\xAF\xED\xA0\x80") == "\\xc0\\xaf\\xed\\xa0\\x80");
}

TEST_CASE("lines may stay lines") {
  CHECK(printable_lines("a\n\x1b[31mb\n") == "a\n\\x1b[31mb\n");
}

TEST_CASE("JSON keeps its meaning") {
  CHECK(printable_json("{\n  \"a\": \"\xC2\x9B\xE2\x80\xAE\x7f\xC3\xA9\"\n}") ==
        "{\n  \"a\": \"\\u009b\\u202e\\u007f\xC3\xA9\"\n}");
}

}  // namespace weir
