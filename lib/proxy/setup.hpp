// What the proxy is set up with: the configuration, checked, secrets included. A value; a reload brings
// another.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "time/instant.hpp"

#include "upstream/client.hpp"
#include "upstream/via.hpp"

namespace weir::proxy {

struct ProjectSetup {
  std::string name;
  std::string provider;
  std::string base_url;
  std::string api_key;               // sent upstream; "" = none
  std::string ca_file;               // "" = the system's authorities
  bool needs_key = false;            // base_url takes no call without: it is the provider's own
  std::optional<upstream::Via> via;  // the HTTP proxy on the way to base_url
};

struct Setup {
  std::vector<ProjectSetup> projects;
  Micros wait{30'000'000};  // for room, unless the caller says otherwise
  std::size_t max_metered_body_bytes = std::size_t{20} << 20;
  std::size_t max_held_bytes = std::size_t{256} << 20;  // of metered requests' bodies, together
  std::size_t retries = 0;                              // further attempts at most, after a 429 or 503
  upstream::ClientOptions client;
};

}  // namespace weir::proxy
