#include "daemon/key_check.hpp"

#include <algorithm>
#include <memory>

#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "provider/key_trouble.hpp"

#include "proxy/target.hpp"
#include "upstream/client.hpp"

namespace weir::daemon {
namespace {

constexpr std::size_t kMaxAnswer = std::size_t{8} << 20;

// One answer, whole.
class Answer final : public upstream::Receiver {
 public:
  void on_connected(bool) override {}
  void on_sent() override {}
  void on_room() override {}
  void on_quiet() override {}
  void on_head(const upstream::AnswerHead& head) override {
    status = head.status;
    location = head.get("location");
  }
  void on_body(std::string_view bytes) override {
    if (body.size() + bytes.size() <= kMaxAnswer) {
      body += bytes;
    } else {
      problem = fmt::format("the answer is larger than {} MiB", kMaxAnswer >> 20);
    }
  }
  void on_end() override { done = true; }
  void on_failure(const upstream::Failure& failure) override {
    problem = failure.text;
    done = true;
  }

  int status = 0;
  std::string location;  // of a redirect
  std::string body;
  std::string problem;
  bool done = false;
};

// Some upstreams quote the key, and not every key looks like one.
void take_out(std::string& text, const std::string& key) {
  constexpr std::string_view kInstead = "[redacted]";
  for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at + kInstead.size()))
    text.replace(at, key.size(), kInstead);
}

Answer get(const upstream::BaseUrl& base, const std::string& path, const ProjectConfig& project,
           double connect_timeout_s) {
  boost::asio::io_context loop(1);
  upstream::Client client(
      loop, {.connect_timeout = std::chrono::milliseconds(static_cast<std::int64_t>(connect_timeout_s * 1e3)),
             .first_byte_timeout = std::chrono::seconds(30),
             .idle_timeout = std::chrono::seconds(30)});
  std::unique_ptr<upstream::TlsContext> tls;
  if (base.origin.tls) tls = std::make_unique<upstream::TlsContext>(project.ca_file);
  upstream::Request request{.origin = base.origin,
                            .tls = tls.get(),
                            .via = project.via,
                            .head = {},
                            .body = {},
                            .idempotent = true};
  request.head = fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n{}{}\r\nAccept: application/json\r\n\r\n", path,
                             base.origin.authority(),
                             project.provider == "gemini" ? "x-goog-api-key: " : "Authorization: Bearer ",
                             project.api_key.reveal());
  Answer answer;
  const auto call = client.call(std::move(request), answer);
  call->start();
  while (!answer.done && answer.problem.empty()) loop.run_one();
  if (!answer.done) call->cancel();
  take_out(answer.body, project.api_key.reveal());
  take_out(answer.location, project.api_key.reveal());
  return answer;
}

// What is asked, one after the other, until something is refused. OpenRouter lists its models to anybody, so
// there the key itself is asked for first.
std::vector<std::string> questions(const std::string& provider, const upstream::BaseUrl& base) {
  if (provider == "gemini") return {base.path + "/v1beta/models?pageSize=1000"};
  std::vector<std::string> paths;
  if (provider == "openrouter") paths.push_back(proxy::join_paths(base.path, "/v1/key"));
  paths.push_back(proxy::join_paths(base.path, "/v1/models"));
  return paths;
}

// Gemini's {"models":[{"name":"models/…"}]}, OpenAI's {"data":[{"id":"…"}]}. nullopt: it is neither.
std::optional<std::vector<std::string>> read_models(const std::string& body) {
  const auto answer = nlohmann::json::parse(body, nullptr, false);
  if (!answer.is_object()) return std::nullopt;
  const bool gemini = answer.contains("models");
  const auto list = answer.find(gemini ? "models" : "data");
  if (list == answer.end() || !list->is_array()) return std::nullopt;
  constexpr std::string_view kPrefix = "models/";
  std::vector<std::string> models;
  for (const auto& entry : *list) {
    if (!entry.is_object()) continue;
    const auto name = entry.find(gemini ? "name" : "id");
    if (name == entry.end() || !name->is_string()) continue;
    std::string model = name->get<std::string>();
    if (model.starts_with(kPrefix)) model.erase(0, kPrefix.size());
    models.push_back(std::move(model));
  }
  std::sort(models.begin(), models.end());
  return models;
}

void judge(KeyCheck& check, const Answer& answer, bool last) {
  check.status = answer.status;
  check.verdict = KeyVerdict::unclear;
  if (!answer.problem.empty()) {
    check.problem = answer.problem;
  } else if (answer.status >= 400) {
    check.error = provider::error_of(answer.status, answer.body);
    if (check.error && provider::key_trouble(*check.error) != provider::KeyTrouble::none)
      check.verdict = KeyVerdict::bad;
  } else if (answer.status != 200) {
    check.problem = fmt::format("answered {}{}{}: is base_url right?", answer.status,
                                answer.location.empty() ? "" : ", go to ", answer.location);
  } else if (!last) {
    check.verdict = KeyVerdict::good;
  } else if (auto models = read_models(answer.body)) {
    check.models = std::move(*models);
    check.verdict = KeyVerdict::good;
  } else {
    check.problem = "answered something that is no list of models: is base_url right?";
  }
}

}  // namespace

std::string_view to_string(KeyVerdict verdict) {
  switch (verdict) {
    case KeyVerdict::good:
      return "good";
    case KeyVerdict::bad:
      return "bad";
    case KeyVerdict::unclear:
      return "unclear";
    case KeyVerdict::missing:
      return "missing";
  }
  return "unclear";
}

KeyCheck check_key(const ProjectConfig& project, double connect_timeout_s) {
  KeyCheck check;
  check.project = project.name;
  check.provider = project.provider;
  if (project.api_key.empty()) return check;
  const auto base = upstream::parse_base_url(project.base_url);
  if (!base) {
    check.verdict = KeyVerdict::unclear;
    check.problem = "no base_url is known";
    return check;
  }
  const auto paths = questions(project.provider, *base);
  for (const std::string& path : paths) {
    check.url = fmt::format("{}://{}{}", base->origin.tls ? "https" : "http", base->origin.authority(), path);
    judge(check, get(*base, path, project, connect_timeout_s), &path == &paths.back());
    if (check.verdict != KeyVerdict::good) break;
  }
  return check;
}

}  // namespace weir::daemon
