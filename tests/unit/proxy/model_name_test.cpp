#include "proxy/model_name.hpp"

#include <doctest/doctest.h>

namespace weir::proxy::test {

TEST_CASE("only the model's name is replaced, and every one at the top") {
  CHECK(with_model(R"({"model":"a"})", "b") == R"({"model":"b"})");
  CHECK(with_model(R"( { "x" : {"model":"a"}, "y":["model","a"], "model" : "a" , "z":"model" } )", "b\"c") ==
        R"( { "x" : {"model":"a"}, "y":["model","a"], "model" : "b\"c" , "z":"model" } )");
  CHECK(with_model(R"({"model":"a","model":"a2"})", "b") == R"({"model":"b","model":"b"})");
  CHECK(with_model(R"({"t":"\"model\":\"x\"","model":"a\"}"})", "b") ==
        R"({"t":"\"model\":\"x\"","model":"b"})");
  CHECK(with_model(R"({"a":"model","model":"x"})", "b") == R"({"a":"model","model":"b"})");
}

TEST_CASE("what has no model of its own is left alone") {
  for (const char* text : {"", "{}", "[]", R"([{"model":"a"}])", R"({"x":{"model":"a"}})", R"({"model":7})",
                           R"({"model")", R"({"model":)", R"({"model":"a)", R"({"mod)"}) {
    CAPTURE(text);
    CHECK(!with_model(text, "b"));
  }
}

}  // namespace weir::proxy::test
