#include "provider/key_trouble.hpp"

#include "provider/error_text.hpp"

namespace weir::provider {
namespace {

// Reasons of Google's google/api/error_reason.proto.
KeyTrouble by_reason(std::string_view reason) {
  if (reason == "API_KEY_INVALID") return KeyTrouble::invalid;
  if (reason == "ACCESS_TOKEN_EXPIRED") return KeyTrouble::expired;
  if (reason.starts_with("API_KEY_") && reason.ends_with("_BLOCKED")) return KeyTrouble::restricted;
  if (reason == "SERVICE_DISABLED") return KeyTrouble::service_disabled;
  if (reason == "CONSUMER_SUSPENDED") return KeyTrouble::suspended;
  if (reason == "CONSUMER_INVALID") return KeyTrouble::invalid;
  if (reason == "BILLING_DISABLED") return KeyTrouble::no_credit;
  return KeyTrouble::none;
}

KeyTrouble by_words(const ErrorText& text) {
  struct Words {
    std::string_view words;
    KeyTrouble trouble;
  };
  static constexpr Words kWords[] = {
      {"reported as leaked", KeyTrouble::leaked},
      {"api key expired", KeyTrouble::expired},
      {"key has expired", KeyTrouble::expired},
      {"location is not supported", KeyTrouble::location},
      {"country, region, or territory not supported", KeyTrouble::location},
      {"has been suspended", KeyTrouble::suspended},
      {"or it is disabled", KeyTrouble::service_disabled},
      {"from referer", KeyTrouble::restricted},
      {"ip address restriction", KeyTrouble::restricted},
  };
  for (const Words& entry : kWords) {
    if (text.contains(entry.words)) return entry.trouble;
  }
  return KeyTrouble::none;
}

}  // namespace

std::string_view to_string(KeyTrouble trouble) {
  switch (trouble) {
    case KeyTrouble::none:
      return "none";
    case KeyTrouble::invalid:
      return "invalid";
    case KeyTrouble::expired:
      return "expired";
    case KeyTrouble::leaked:
      return "leaked";
    case KeyTrouble::restricted:
      return "restricted";
    case KeyTrouble::service_disabled:
      return "service_disabled";
    case KeyTrouble::suspended:
      return "suspended";
    case KeyTrouble::no_credit:
      return "no_credit";
    case KeyTrouble::location:
      return "location";
    case KeyTrouble::no_permission:
      return "no_permission";
  }
  return "none";
}

KeyTrouble key_trouble(const UpstreamError& error) {
  if (error.kind == ErrorKind::credits) return KeyTrouble::no_credit;
  if (error.status != 400 && error.status != 401 && error.status != 403) return KeyTrouble::none;
  if (const KeyTrouble told = by_words(ErrorText(error.message, true)); told != KeyTrouble::none) return told;
  if (const KeyTrouble told = by_reason(error.reason); told != KeyTrouble::none) return told;
  if (error.kind != ErrorKind::auth) return KeyTrouble::none;
  return error.status == 403 ? KeyTrouble::no_permission : KeyTrouble::invalid;
}

}  // namespace weir::provider
