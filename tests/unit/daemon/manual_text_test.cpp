#include <string>

#include <doctest/doctest.h>

#include "daemon/text/manual.hpp"

namespace weir::daemon {
namespace {

// What stands between the headings KEYS and SEE ALSO.
std::string keys_of(std::string_view config) {
  const std::string page = config_manual_page(config, "1.2");
  CHECK(page.starts_with(".TH WEIR.TOML 5 \"\" \"weir 1.2\" \"File Formats\"\n"));
  const std::size_t from = page.find(".SS ");
  REQUIRE(from != std::string::npos);
  return page.substr(from, page.find(".SH SEE ALSO") - from);
}

TEST_CASE("weir.toml(5): a comment explains the keys after it, a remark its own") {
  CHECK(keys_of("# About the file: a = 1.\n"
                "\n"
                "[one]\n"
                "# The first.\n"
                "# a = 1\n"
                "# Two more.\n"
                "# b = \"x\"   # letters\n"
                "c = -2\n"
                "\n"
                "# Many of them.\n"
                "[[many]]\n"
                "name = \"n\"     # a name\n"
                "  # d = 4\n") ==
        ".SS [one]\n"
        ".TP\n\\fBa\\fR = 1\nThe first.\n"
        ".TP\n\\fBb\\fR = \"x\"\n.TQ\n\\fBc\\fR = \\-2\nTwo more.\nb: letters.\n"
        ".SS [[many]]\nMany of them.\n"
        ".TP\n\\fBname\\fR = \"n\"\na name\n"
        ".TP\n\\fBd\\fR = 4\n");
}

TEST_CASE("weir.toml(5): a table that is there again is an example") {
  CHECK(keys_of("[[many]]\na = 1\n\n# Another.\n[[many]]\na = 2\n\n# [[few]]\n# b = 1\n") ==
        ".SS [[many]]\n.TP\n\\fBa\\fR = 1\n"
        ".PP\nAnother.\n.PP\n.EX\n[[many]]\na = 2\n.EE\n"
        ".SS [[few]]\n.TP\n\\fBb\\fR = 1\n");
}

TEST_CASE("weir.toml(5): no text is taken for a request of roff") {
  CHECK(keys_of("[t]\n# .so /etc/passwd\n# 'br \\n(.x\n# a = 1\n") ==
        ".SS [t]\n.TP\n\\fBa\\fR = 1\n\\&.so /etc/passwd\n\\&'br \\en(.x\n");
}

}  // namespace
}  // namespace weir::daemon
