#include "daemon/text/key_check.hpp"

#include <fmt/format.h>

#include "provider/key_trouble.hpp"
#include "text/printable.hpp"

namespace weir::daemon {
namespace {

using provider::ErrorKind;
using provider::KeyTrouble;

std::string_view trouble_meaning(KeyTrouble trouble) {
  switch (trouble) {
    case KeyTrouble::invalid:
      return "the key is not known there: mistyped, cut off, deleted, or another provider's";
    case KeyTrouble::expired:
      return "the key has expired: make a new one";
    case KeyTrouble::leaked:
      return "the key was found in public and is blocked for good: delete it and make a new one";
    case KeyTrouble::restricted:
      return "the key is restricted to certain websites, addresses, apps or APIs, and this call is not among "
             "them: change its restrictions, or make a key for servers";
    case KeyTrouble::service_disabled:
      return "the key's project has not switched this API on: enable it, then wait a few minutes";
    case KeyTrouble::suspended:
      return "the provider has suspended the project or account that the key belongs to";
    case KeyTrouble::no_credit:
      return "the key is known, but nobody pays for it: billing is off, or the credits are used up";
    case KeyTrouble::location:
      return "the provider does not serve the place that this machine calls from";
    case KeyTrouble::no_permission:
      return "the key is known, but may not do this";
    case KeyTrouble::none:
      break;
  }
  return {};
}

std::string_view error_meaning(const provider::UpstreamError& error) {
  if (const auto meaning = trouble_meaning(key_trouble(error)); !meaning.empty()) return meaning;
  switch (error.kind) {
    case ErrorKind::quota:
    case ErrorKind::unnamed_429:
    case ErrorKind::spend:
      return "a quota is used up, which says nothing about the key: try again later";
    case ErrorKind::overloaded:
    case ErrorKind::server:
      return "the provider has trouble of its own, which says nothing about the key: try again later";
    default:
      return error.status == 404 ? "there is no list of models at that address: is base_url right?"
                                 : "the provider refuses the question, which says nothing about the key";
  }
}

// "400: API key expired.", as far as there is any of it.
std::string told(const KeyCheck& check) {
  if (!check.error) return {};
  std::string out = fmt::format("{}", check.error->status);
  if (!check.error->message.empty()) out += ": " + check.error->message;
  return printable(out);
}

Style style_of(KeyVerdict verdict) {
  switch (verdict) {
    case KeyVerdict::good:
      return Style::good;
    case KeyVerdict::bad:
      return Style::bad;
    case KeyVerdict::unclear:
      return Style::warning;
    case KeyVerdict::missing:
      return Style::dim;
  }
  return Style::plain;
}

}  // namespace

std::string meaning_of(const KeyCheck& check) {
  switch (check.verdict) {
    case KeyVerdict::good:
      return fmt::format("{} takes it and lists {} model{}", check.provider, check.models.size(),
                         check.models.size() == 1 ? "" : "s");
    case KeyVerdict::missing:
      return "the project has no api_key_file";
    default:
      return check.error ? std::string(error_meaning(*check.error)) : check.problem;
  }
}

std::string render_key_check(const KeyCheck& check, bool with_models, const Look& look) {
  std::string out =
      fmt::format("{}: {}: {}", check.project, paint(to_string(check.verdict), style_of(check.verdict), look),
                  printable(meaning_of(check)));
  if (const std::string words = told(check); !words.empty()) out += fmt::format(" ({})", words);
  if (check.verdict == KeyVerdict::unclear) out += fmt::format(" [{}]", check.url);
  out += '\n';
  if (with_models) {
    for (const std::string& model : check.models) out += "  " + printable(model) + "\n";
  }
  return out;
}

nlohmann::ordered_json key_checks_json(const std::vector<KeyCheck>& checks) {
  nlohmann::ordered_json keys = nlohmann::ordered_json::array();
  for (const KeyCheck& check : checks) {
    nlohmann::ordered_json key = {
        {"project", check.project},     {"provider", check.provider}, {"verdict", to_string(check.verdict)},
        {"meaning", meaning_of(check)}, {"url", check.url},           {"status", nullptr},
        {"trouble", nullptr},           {"message", nullptr},         {"models", check.models}};
    if (check.status != 0) key["status"] = check.status;
    if (check.error) {
      if (const KeyTrouble trouble = key_trouble(*check.error); trouble != KeyTrouble::none)
        key["trouble"] = to_string(trouble);
      key["message"] = check.error->message;
    }
    keys.push_back(std::move(key));
  }
  return {{"keys", std::move(keys)}};
}

}  // namespace weir::daemon
