// POST /v1/reload: the configuration is read again.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "api/api.hpp"
#include "api/render.hpp"
#include "api/rights.hpp"

namespace weir::api {
namespace {

constexpr std::size_t kMaxErrors = 100, kMaxChanges = 1000;

void append_texts(std::string& out, const std::vector<std::string>& texts) {
  out += '[';
  for (std::size_t i = 0; i < std::min(texts.size(), kMaxChanges); ++i) {
    if (i > 0) out += ',';
    append_string(out, texts[i]);
  }
  if (texts.size() > kMaxChanges)
    append_string(out += ',', fmt::format("{} more", texts.size() - kMaxChanges));
  out += ']';
}

void tell(http::Exchange& exchange, const ReloadResult& result) {
  if (result.kind == ReloadResult::Kind::done) {
    std::string body = "{\"file\":";
    append_string(body, result.file);
    body += ",\"changes\":";
    append_texts(body, result.changes);
    body += ",\"warnings\":";
    append_texts(body, result.warnings);
    body += '}';
    return exchange.reply({.body = body});
  }
  const bool bad = result.kind == ReloadResult::Kind::bad;
  http::Problem problem{.status = bad ? 422 : 503,
                        .type = bad ? "urn:weir:problem:bad-configuration" : "about:blank",
                        .title = bad ? "Configuration not changed" : "",
                        .detail = "the configuration that was in force still is: "};
  problem.detail += result.errors.size() == 1
                        ? result.errors.front()
                        : fmt::format("{} has {} errors", result.file, result.errors.size());
  if (!bad) problem.headers = "Retry-After: 1\r\n";
  if (result.errors.size() > 1) {
    for (const std::string& error : result.errors) {
      if (problem.errors.size() == kMaxErrors) break;
      problem.errors.push_back({"", error});
    }
  }
  http::reply(exchange, problem);
}

}  // namespace

void Api::reload(Exchange& exchange) {
  spdlog::info("{} asks to read the configuration again", described(exchange.request()));
  const auto held = exchange.shared_from_this();
  parts_.reload([held](const ReloadResult& result) { tell(*held, result); });
}

}  // namespace weir::api
