// What is wrong with a key, or with the account behind it, when an upstream refuses it. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "provider/error.hpp"

namespace weir::provider {

enum class KeyTrouble : std::uint8_t {
  none,              // the refusal is about something else, and says nothing about the key
  invalid,           // no such key
  expired,           // its time is over
  leaked,            // found in public, and blocked for that
  restricted,        // good, but not from here: bound to websites, addresses, apps or other APIs
  service_disabled,  // good, but its project has not switched the API on
  suspended,         // good, but its project or account is suspended
  no_credit,         // good, but nobody pays: billing is off, or credits are used up
  location,          // the provider does not serve this place
  no_permission,     // known, and not allowed to do this
};
std::string_view to_string(KeyTrouble trouble);

// By ErrorInfo's reason where there is one, else by the words: Google tells of an expired key with the reason
// of an invalid one, and of a leaked one without any.
KeyTrouble key_trouble(const UpstreamError& error);

}  // namespace weir::provider
