// `weir check-key`: what came of it, as lines and as JSON.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/key_check.hpp"
#include "daemon/text/table.hpp"

namespace weir::daemon {

// What the answer means and what to do about it, without the upstream's own words. One sentence, no full
// stop.
std::string meaning_of(const KeyCheck& check);

// A line; `with_models`: and each model on a line of its own.
std::string render_key_check(const KeyCheck& check, bool with_models, const Look& look);
nlohmann::ordered_json key_checks_json(const std::vector<KeyCheck>& checks);

}  // namespace weir::daemon
