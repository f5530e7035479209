#include "proxy/target.hpp"

#include <algorithm>
#include <array>

#include <boost/container/small_vector.hpp>

#include "http/uri.hpp"

namespace weir::proxy {
namespace {

using Segments = boost::container::small_vector<std::string_view, 8>;

// A path without escapes, which is nearly every one, is read where it stands.
bool has_escapes(std::string_view path) {
  return path.find('%') != std::string_view::npos;
}

// Decoded segments, empty ones left out. Views into `path`, or into `decoded`, which is filled if that
// differs.
Segments segments_of(std::string_view path, std::string& decoded) {
  if (has_escapes(path)) path = decoded = http::percent_decode(path).value_or(std::string(path));
  Segments segments;
  while (!path.empty()) {
    const std::string_view segment = path.substr(0, path.find('/'));
    if (!segment.empty()) segments.push_back(segment);
    path.remove_prefix(std::min(segment.size() + 1, path.size()));
  }
  return segments;
}

template <std::size_t N>
bool one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

constexpr std::array<std::string_view, 3> kVersions = {"v1", "v1beta", "v1alpha"};
constexpr std::array<std::string_view, 6> kVerbs = {"generateContent", "streamGenerateContent",
                                                    "embedContent",    "batchEmbedContents",
                                                    "predict",         "predictLongRunning"};

// "models/{m}:{verb}", and what the OpenAI-compatible paths and Interactions are below a version.
Operation gemini(const Segments& segments, bool post) {
  Operation operation;
  if (segments.size() < 2 || !one_of(segments[0], kVersions)) return operation;
  operation.version = segments[0];
  const auto is = [&](std::size_t at, std::string_view text) {
    return at < segments.size() && segments[at] == text;
  };
  if (segments[1] == "openai") {
    operation.form = Form::google_openai;
    operation.metered = post && ((segments.size() == 4 && is(2, "chat") && is(3, "completions")) ||
                                 (segments.size() == 3 && is(2, "embeddings")) ||
                                 (segments.size() == 4 && is(2, "images") && is(3, "generations")));
    return operation;
  }
  if (segments[1] == "interactions") {
    operation.form = Form::interactions;
    operation.metered = post && segments.size() == 2;
    return operation;
  }
  if (!post || segments[1] != "models" || segments.size() != 3) return operation;
  const std::string_view last = segments[2];
  const std::size_t colon = last.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return operation;
  operation.verb = last.substr(colon + 1);
  if (!one_of(operation.verb, kVerbs)) return operation;
  operation.metered = operation.model_in_path = true;
  operation.model = last.substr(0, colon);
  return operation;
}

// The base URL may hold a part of the path, so only its end tells.
Operation openai(const Segments& segments, bool post) {
  Operation operation;
  operation.form = Form::openai;
  if (!post || segments.empty()) return operation;
  const std::string_view last = segments.back();
  const std::string_view before = segments.size() > 1 ? segments[segments.size() - 2] : "";
  operation.metered = last == "completions" || last == "responses" || last == "embeddings" ||
                      (last == "generations" && before == "images");
  return operation;
}

}  // namespace

std::optional<Target> parse_target(std::string_view path, std::string_view query) {
  path.remove_prefix(std::min(kPrefix.size(), path.size()));
  Target target;
  if (path.find('#') != std::string_view::npos || query.find('#') != std::string_view::npos)
    return std::nullopt;  // upstream may cut the target there, and read what we did not
  target.name = path.substr(0, path.find('/'));
  target.path = path.substr(target.name.size());
  target.query = query;
  if (target.path.empty()) target.path = "/";
  if (target.name.empty()) return std::nullopt;
  if (has_escapes(target.path) && !http::percent_decode(target.path)) return std::nullopt;
  std::string decoded;
  for (const std::string_view segment : segments_of(target.path, decoded)) {
    if (segment.find_first_of(std::string_view("\\\0\r\n", 4)) != std::string_view::npos) return std::nullopt;
    if (segment == "." || segment == "..") return std::nullopt;
  }
  return target;
}

Operation operation_of(std::string_view provider, std::string_view path, bool post) {
  std::string decoded;
  const Segments segments = segments_of(path, decoded);
  return provider == "gemini" ? gemini(segments, post) : openai(segments, post);
}

Operation session_of(std::string_view provider, std::string_view path, std::string_view query) {
  std::string decoded;
  const Segments segments = segments_of(path, decoded);
  Operation operation;
  operation.session = true;
  operation.form = provider == "gemini" ? Form::google : Form::openai;
  if (segments.empty()) return operation;
  if (provider == "gemini") {
    operation.metered = segments.front() == "ws";
  } else {
    operation.metered = segments.back() == "realtime" || segments.back() == "responses";
    operation.model_in_messages = segments.back() == "responses";
    int models = 0;
    for (const auto& [name, value] : http::query_params(query)) {
      if (name != "model") continue;
      operation.model = value;
      operation.two_models = ++models > 1;
    }
  }
  return operation;
}

std::string with_model_parameter(std::string_view query, std::string_view model) {
  std::string result;
  while (!query.empty()) {
    const std::string_view piece = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(piece.size() + 1, query.size()));
    const auto pair = http::query_params(piece);
    if (!result.empty()) result += '&';
    if (!pair.empty() && pair.front().first == "model") {
      result.append("model=").append(model);
    } else {
      result += piece;
    }
  }
  return result;
}

std::string Operation::path_for(std::string_view other_model) const {
  return "/" + version + "/models/" + std::string(other_model) + ":" + verb;
}

Query without_key(std::string_view query) {
  Query result;
  while (!query.empty()) {
    const std::string_view piece = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(piece.size() + 1, query.size()));
    const auto pair = http::query_params(piece);
    if (!pair.empty() && (pair.front().first == "key" || pair.front().first == "access_token")) {
      if (result.key.empty()) result.key = pair.front().second;
      continue;
    }
    if (!result.rest.empty()) result.rest += '&';
    result.rest += piece;
  }
  return result;
}

std::optional<std::string> path_here(std::string_view url, std::string_view project,
                                     const upstream::BaseUrl& base) {
  std::string_view rest = url;
  if (!url.starts_with('/') || url.starts_with("//")) {
    const auto target = upstream::parse_base_url(url.substr(0, url.find_first_of("?#")));
    if (!target || target->origin != base.origin) return std::nullopt;
    rest.remove_prefix(std::min(url.find_first_of("/?#", url.find("://") + 3), url.size()));
  }
  const std::string_view behind = rest.substr(std::min(base.path.size(), rest.size()));
  if (rest.starts_with(base.path) && (behind.empty() || behind.find_first_of("/?#") == 0)) rest = behind;
  const std::string_view path = rest.substr(0, rest.find('?'));
  std::string here = std::string(kPrefix).append(project).append(path);
  if (path.size() < rest.size()) {
    if (const Query query = without_key(rest.substr(path.size() + 1)); !query.rest.empty())
      here.append("?").append(query.rest);
  }
  return here;
}

std::string join_paths(std::string_view base, std::string_view path) {
  const std::size_t slash = base.rfind('/');
  if (slash != std::string_view::npos) {
    const std::string_view last = base.substr(slash);  // "/v1"
    if (last.size() > 1 && path.starts_with(last) &&
        (path.size() == last.size() || path[last.size()] == '/')) {
      path.remove_prefix(last.size());
    }
  }
  return std::string(base) + std::string(path);
}

}  // namespace weir::proxy
