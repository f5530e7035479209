// What a path below /proxy/ asks for: whose quota, which upstream path, which model. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "upstream/origin.hpp"

namespace weir::proxy {

constexpr std::string_view kPrefix = "/proxy/";

// In which form the API behind a path tells of errors, and so do we.
enum class Form : std::uint8_t {
  google,  // {"error":{"code","message","status","details"}}
  // Gemini's OpenAI-compatible paths. Google's own errors there are arrays around Google's form, of which
  // openai for JavaScript shows nothing ("429 status code (no body)"); ours are OpenAI's.
  google_openai,
  interactions,  // {"error":{"message","code"}}
  openai,        // {"error":{"message","type","code","param"}}
};

// "/proxy/{name}/{rest}", taken apart. Views into the request target.
struct Target {
  std::string_view name;   // of a project or a pool
  std::string_view path;   // "/v1beta/models", as sent; "/" if nothing follows the name
  std::string_view query;  // as sent
};
// `path` begins with kPrefix. nullopt: no name, a segment "." or ".." that could lead out of the base URL,
// or a '#'.
std::optional<Target> parse_target(std::string_view path, std::string_view query);

// What a request costs, as far as its path tells.
struct Operation {
  Form form = Form::google;
  bool metered = false;
  bool session = false;  // a WebSocket is asked for
  bool model_in_path = false;
  bool two_models = false;         // in a session's query: upstream may read the other one
  bool model_in_messages = false;  // of a session, in each of them; in its query, too, if `model` is there
  std::string model;               // if it is in the path, or a session's query
  std::string version;             // "v1beta"; with `model` and `verb`, what the path is made of
  std::string verb;                // "generateContent"

  // The path for another model; only if model_in_path.
  [[nodiscard]] std::string path_for(std::string_view other_model) const;
};
// `provider` as in the configuration; `post`: only posts can cost anything. The path is read as its upstream
// would, percent-escapes and doubled slashes included, so that no spelling gets around the meter.
Operation operation_of(std::string_view provider, std::string_view path, bool post);
// The same for a request that asks for a WebSocket. Metered: Gemini's below /ws/, where the client's first
// message names the model, and of the others /realtime, with the model in the query, and /responses, with the
// model in each of the client's messages.
Operation session_of(std::string_view provider, std::string_view path, std::string_view query);

// The query with another value for its parameter "model".
std::string with_model_parameter(std::string_view query, std::string_view model);

// The query without the caller's key ("key=..." and "access_token=..."), and that key, decoded; "" if there
// is none.
struct Query {
  std::string rest;
  std::string key;
};
Query without_key(std::string_view query);

// Where a URL that upstream says to go on with leads by way of us: "/proxy/{project}/..."; nullopt if that is
// another origin. It may be a path on its own; the base URL's path, if that begins it, is left out.
std::optional<std::string> path_here(std::string_view url, std::string_view project,
                                     const upstream::BaseUrl& base);

// `base` (a path without a slash at its end) before `path`; a first segment that is the base's last ("/v1")
// is not doubled.
std::string join_paths(std::string_view base, std::string_view path);

}  // namespace weir::proxy
