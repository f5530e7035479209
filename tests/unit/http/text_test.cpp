// Problem details, JSON strings, percent-decoding, the guard's parts.
#include <doctest/doctest.h>

#include "http/guard.hpp"
#include "http/problem.hpp"
#include "http/reply_head.hpp"
#include "http/uri.hpp"

namespace weir::http {
namespace {

using namespace std::string_literals;

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

}  // namespace

TEST_CASE("JSON strings escape what must be") {
  CHECK(quoted("") == R"("")");
  CHECK(quoted("plain text") == R"("plain text")");
  CHECK(quoted("a\"b\\c/d") == R"("a\"b\\c/d")");
  CHECK(quoted("\n\r\t\b\x1f\0x"s) == R"("\n\r\t\u0008\u001f\u0000x")");
  CHECK(quoted("\x7f") == R"("\u007f")");
  CHECK(quoted("\u009b2J\u2028\u202e") == R"("\u009b2J\u2028\u202e")");  // a terminal may obey them
}

TEST_CASE("well-formed UTF-8 passes, anything else becomes U+FFFD") {
  const std::string good = "\u00e9 \u20ac \uffff \U0001F600 \U0010FFFF \ud7ff \ue000";
  CHECK(quoted(good) == "\"" + good + "\"");
  const std::string r = "\xEF\xBF\xBD";
  CHECK(quoted("a\x80"
               "b") == "\"a" + r + "b\"");
  CHECK(quoted("\xc3") == "\"" + r + "\"");
  CHECK(quoted("\xc3(") == "\"" + r + "(\"");
  CHECK(quoted("\xc0\xaf") == "\"" + r + r + "\"");                  // overlong
  CHECK(quoted("\xe0\x80\x80") == "\"" + r + r + r + "\"");          // overlong
  CHECK(quoted("\xed\xa0\x80") == "\"" + r + r + r + "\"");          // surrogate
  CHECK(quoted("\xf4\x90\x80\x80") == "\"" + r + r + r + r + "\"");  // above U+10FFFF
  CHECK(quoted("\xf5\xff") == "\"" + r + r + "\"");
  CHECK(quoted("\xe2\x82") == "\"" + r + r + "\"");
}

TEST_CASE("a problem has its five members, and only those that say something") {
  CHECK(to_json({.status = 404}) == R"({"type":"about:blank","title":"Not Found","status":404})");
  CHECK(
      to_json({.status = 400,
               .type = "urn:x",
               .title = "T",
               .detail = "d\"",
               .errors = {{"/a", "must"}, {"/b/0", "not"}}}) ==
      R"({"type":"urn:x","title":"T","status":400,"detail":"d\"","errors":[{"pointer":"/a","detail":"must"},{"pointer":"/b/0","detail":"not"}]})");
}

TEST_CASE("path segments are decoded, broken escapes are not accepted") {
  CHECK(percent_decode("plain+text") == "plain+text");
  CHECK(percent_decode("a%2Fb%20%e2%82%ac") == "a/b \u20ac");
  CHECK(percent_decode("%00") == "\0"s);
  CHECK(percent_decode("") == "");
  for (const char* bad : {"%", "%1", "a%", "%zz", "%1g", "%%20"}) CHECK(!percent_decode(bad));
}

TEST_CASE("query parameters are found by their decoded name") {
  CHECK(query_param("a=1&b=2&a=3", "a") == "1");
  CHECK(query_param("a=1&b=2", "b") == "2");
  CHECK(query_param("a=1+2%2B", "a") == "1 2+");
  CHECK(query_param("%61=x", "a") == "x");
  CHECK(query_param("flag&x=", "flag") == "");
  CHECK(query_param("flag&x=", "x") == "");
  CHECK(query_param("a=b=c", "a") == "b=c");
  CHECK(query_param("a=%zz%4", "a") == "%zz%4");
  CHECK(!query_param("ab=1", "a"));
  CHECK(!query_param("", "a"));
  CHECK(query_params("a=1&&b&a=%20") ==
        std::vector<std::pair<std::string, std::string>>{{"a", "1"}, {"b", ""}, {"a", " "}});
}

TEST_CASE("the host of an authority is found, or it is none") {
  CHECK(host_of("a.example:80") == "a.example");
  CHECK(host_of("[::1]:80") == "[::1]");
  CHECK(host_of("a.") == "a");
  for (const char* bad : {"", ":80", "[::1", "[::1]x", "a:b", "a:1:2", "a@b", "a/b", "a b", "a:123456"}) {
    CAPTURE(bad);
    CHECK(host_of(bad) == "");
  }
}

TEST_CASE("a head is written line by line") {
  std::string out;
  append_head(out, {.status = 418,
                    .content_type = "a/b",
                    .content_length = 12,
                    .persistence = Persistence::close,
                    .date = "D",
                    .request_id = "R",
                    .headers = "X: y\r\n"});
  CHECK(out ==
        "HTTP/1.1 418 Unknown\r\nDate: D\r\nContent-Type: a/b\r\nContent-Length: 12\r\nX-Request-Id: R\r\n"
        "Connection: close\r\nX: y\r\n\r\n");
}

}  // namespace weir::http
