// Manual pages in man(7). Pure.
#pragma once

#include <string>
#include <string_view>

#include "daemon/text/command_line.hpp"

namespace weir::daemon {

// weir(1).
std::string manual_page(const CommandText& program, std::string_view version);

// weir.toml(5) out of the commented configuration with every key. Its form: tables, and blocks between empty
// lines, of comments that explain the keys that follow ("key = value", or "# key = value" where that is the
// default).
std::string config_manual_page(std::string_view config, std::string_view version);

}  // namespace weir::daemon
