#include "api/page.hpp"

#include <fmt/format.h>

namespace weir::api {
namespace {

// Nothing from elsewhere, nothing inline, in nobody's frame.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

}  // namespace

const PageFile* page_file(std::string_view path) {
  for (const PageFile& file : page_files()) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

std::vector<std::string> page_paths() {
  std::vector<std::string> paths;
  for (const PageFile& file : page_files()) paths.emplace_back(file.path);
  return paths;
}

void serve(http::Exchange& exchange, const PageFile& file) {
  // A browser asks each time, and gets the new page at once when the daemon is another.
  const std::string headers = fmt::format(
      "ETag: {}\r\nCache-Control: no-cache\r\nContent-Security-Policy: {}\r\nX-Content-Type-Options: "
      "nosniff\r\n"
      "Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n",
      file.etag, kPolicy);
  const bool has_it = exchange.request().header("If-None-Match").find(file.etag) != std::string_view::npos;
  exchange.reply({.status = has_it ? 304 : 200,
                  .content_type = file.content_type,
                  .body = has_it ? std::string_view() : file.body,
                  .headers = headers});
}

}  // namespace weir::api
