// Where a project's calls go: a base URL, taken apart. A value.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace weir::upstream {

// As URLs and Host have them: "example.org", "[::1]"; the same with ":443" behind it.
std::string host_text(const std::string& host);
std::string host_and_port(const std::string& host, const std::string& port);

struct Origin {
  bool tls = true;
  std::string host;  // a name, or an IP address without brackets; in lower case
  std::string port;  // digits: 1 to 65535

  auto operator<=>(const Origin&) const = default;
  // As the Host header has it: "example.org", "[::1]:8080".
  [[nodiscard]] std::string authority() const;
  void append_authority(std::string& out) const;
  // A loopback address, or localhost: nobody can listen in between.
  [[nodiscard]] bool loopback() const;
};

struct BaseUrl {
  Origin origin;
  std::string path;  // "" or "/openai/v1": no slash at the end
};

// "https://host[:port][/path]" or "http://..."; nullopt for anything else.
std::optional<BaseUrl> parse_base_url(std::string_view url);

}  // namespace weir::upstream
