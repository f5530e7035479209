// Bodies that upstreams really sent, in tests/data/upstream.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace weir::provider::testing {

inline std::filesystem::path upstream_dir(const std::string& kind) {
  return std::filesystem::path(WEIR_TEST_DATA) / "upstream" / kind;
}

inline std::vector<std::string> upstream_files(const std::string& kind) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(upstream_dir(kind))) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

inline std::string upstream_body(const std::string& kind, const std::string& name) {
  std::ifstream file(upstream_dir(kind) / name, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// `text` as a JSON string.
inline std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace weir::provider::testing
