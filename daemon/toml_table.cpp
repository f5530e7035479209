#include "daemon/toml_table.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "text/suggest.hpp"
#include "time/rfc3339.hpp"

namespace weir::daemon {
namespace {

Place place_of(const toml::source_region& source) {
  return {static_cast<int>(source.begin.line), static_cast<int>(source.begin.column)};
}

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a fractional number";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

std::vector<ConfigError> sorted(std::vector<ConfigError> findings) {
  std::stable_sort(findings.begin(), findings.end(), [](const ConfigError& a, const ConfigError& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  return findings;
}

}  // namespace

void Findings::error(Place place, std::string message) {
  errors_.push_back({file_, place.line, place.column, std::move(message)});
}

void Findings::warning(Place place, std::string message) {
  warnings_.push_back({file_, place.line, place.column, std::move(message)});
}

std::vector<ConfigError> Findings::take_errors() {
  return sorted(std::exchange(errors_, {}));
}

std::vector<ConfigError> Findings::take_warnings() {
  return sorted(std::exchange(warnings_, {}));
}

TomlTable::TomlTable(const toml::table& table, std::string title, Findings& findings)
    : table_(table), title_(std::move(title)), findings_(findings) {}

const toml::node* TomlTable::take(std::string_view key) {
  taken_.emplace_back(key);
  return table_.get(key);
}

Place TomlTable::place() const {
  return place_of(table_.source());
}

Place TomlTable::place(std::string_view key) const {
  const toml::node* node = table_.get(key);
  return node == nullptr ? place() : place_of(node->source());
}

Place TomlTable::place(std::string_view key, std::size_t index) const {
  const toml::node* node = table_.get(key);
  const toml::array* list = node == nullptr ? nullptr : node->as_array();
  return list == nullptr || index >= list->size() ? place(key) : place_of((*list)[index].source());
}

void TomlTable::missing(std::string_view key, std::string_view what_for) {
  findings_.error(place(), fmt::format("missing key \"{}\" in {}: {}", key, title_, what_for));
}

void TomlTable::wrong_type(std::string_view key, std::string_view wanted, const toml::node& found) {
  findings_.error(place_of(found.source()),
                  fmt::format("{} must be {}, not {}", key, wanted, type_name(found)));
}

bool TomlTable::text(std::string_view key, std::string& out) {
  const toml::node* node = take(key);
  if (node == nullptr) return false;
  const auto* value = node->as_string();
  if (value == nullptr) return wrong_type(key, "a text", *node), false;
  if ((*value)->empty()) return error(key, fmt::format("{} is empty", key)), false;
  out = **value;
  return true;
}

bool TomlTable::boolean(std::string_view key, bool& out) {
  const toml::node* node = take(key);
  if (node == nullptr) return false;
  const auto* value = node->as_boolean();
  if (value == nullptr) return wrong_type(key, "true or false", *node), false;
  out = **value;
  return true;
}

bool TomlTable::integer(std::string_view key, std::int64_t& out, std::int64_t least, std::int64_t most) {
  const toml::node* node = take(key);
  if (node == nullptr) return false;
  const auto* value = node->as_integer();
  if (value == nullptr) return wrong_type(key, "an integer", *node), false;
  if (**value < least || **value > most) {
    error(key, fmt::format("{} must be {} to {}, not {}", key, least, most, **value));
    return false;
  }
  out = **value;
  return true;
}

bool TomlTable::count(std::string_view key, std::size_t& out, std::int64_t least, std::int64_t most) {
  std::int64_t value = 0;
  if (!integer(key, value, least, most)) return false;
  out = static_cast<std::size_t>(value);
  return true;
}

bool TomlTable::number(std::string_view key, double& out, double least, double most) {
  const toml::node* node = take(key);
  if (node == nullptr) return false;
  if (!node->is_number()) return wrong_type(key, "a number", *node), false;
  const double value =
      node->is_integer() ? static_cast<double>(**node->as_integer()) : **node->as_floating_point();
  if (!(value >= least && value <= most)) {  // also refuses nan
    error(key, fmt::format("{} must be {} to {}, not {}", key, least, most, value));
    return false;
  }
  out = value;
  return true;
}

bool TomlTable::date(std::string_view key, std::string& out) {
  const toml::node* node = take(key);
  if (node == nullptr) return false;
  if (const auto* day = node->as_date()) {
    out = fmt::format("{:04}-{:02}-{:02}", (*day)->year, (*day)->month, (*day)->day);
    return true;
  }
  const auto* value = node->as_string();
  if (value == nullptr) return wrong_type(key, "a date as \"2026-11-22\"", *node), false;
  if ((*value)->size() != 10 || !parse_rfc3339(**value)) {
    error(key, fmt::format("{} must be a date as \"2026-11-22\", not \"{}\"", key, **value));
    return false;
  }
  out = **value;
  return true;
}

bool TomlTable::texts(std::string_view key, std::vector<std::string>& out) {
  const toml::node* node = take(key);
  if (node == nullptr) return false;
  const toml::array* list = node->as_array();
  if (list == nullptr) return wrong_type(key, "a list of texts", *node), false;
  std::vector<std::string> read;
  bool good = true;
  const auto refuse = [&](const toml::node& element, std::string message) {
    findings_.error(place_of(element.source()), std::move(message));
    good = false;
  };
  for (const toml::node& element : *list) {
    const auto* value = element.as_string();
    if (value == nullptr) {
      refuse(element, fmt::format("{} must be a list of texts, but holds {}", key, type_name(element)));
    } else if ((*value)->empty()) {
      refuse(element, fmt::format("{} holds an empty text", key));
    } else if (std::find(read.begin(), read.end(), **value) != read.end()) {
      refuse(element, fmt::format("{} holds \"{}\" twice", key, **value));
    } else {
      read.push_back(**value);
    }
  }
  if (good) out = std::move(read);
  return good;
}

bool TomlTable::choice(std::string_view key, const std::vector<std::string_view>& words, std::size_t& out) {
  std::string value;
  if (!text(key, value)) return false;
  const auto found = std::find(words.begin(), words.end(), value);
  if (found == words.end()) {
    error(key, fmt::format("{} must be {}, not \"{}\"{}", key, list_words(words, true), value,
                           did_you_mean(value, words)));
    return false;
  }
  out = static_cast<std::size_t>(found - words.begin());
  return true;
}

const toml::table* TomlTable::table(std::string_view key) {
  const toml::node* node = take(key);
  if (node == nullptr) return nullptr;
  const toml::table* value = node->as_table();
  if (value == nullptr) wrong_type(key, "a table", *node);
  return value;
}

std::vector<const toml::table*> TomlTable::tables(std::string_view key) {
  std::vector<const toml::table*> out;
  const toml::node* node = take(key);
  if (node == nullptr) return out;
  const toml::array* list = node->as_array();
  const std::string wanted = fmt::format("a list of tables, [[{}]]", key);
  if (list == nullptr) return wrong_type(key, wanted, *node), out;
  for (const toml::node& element : *list) {
    if (const toml::table* value = element.as_table()) {
      out.push_back(value);
    } else {
      wrong_type(key, wanted, element);
    }
  }
  return out;
}

void TomlTable::finish() {
  const std::vector<std::string_view> known(taken_.begin(), taken_.end());
  for (const auto& [key, value] : table_) {
    if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
    std::string message = fmt::format("unknown key \"{}\"", key.str());
    if (!title_.empty()) message += " in " + title_;
    if (const std::string_view meant = nearest(key.str(), known); !meant.empty()) {
      message += fmt::format(": did you mean \"{}\"?", meant);
    } else {
      message += fmt::format("; known are {}", list_words(known, false, " and "));
    }
    findings_.error(place_of(key.source()), std::move(message));
  }
}

}  // namespace weir::daemon
