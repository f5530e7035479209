#include "catalog/names.hpp"

#include <algorithm>
#include <utility>

#include "quota/limit.hpp"

namespace weir::catalog {
namespace {

bool ends_with(std::string_view text, std::string_view ending) {
  if (text.size() <= ending.size()) return false;  // nothing may be left of a name that is all ending
  const auto tail = text.substr(text.size() - ending.size());
  return std::equal(ending.begin(), ending.end(), tail.begin(),
                    [](char e, char t) { return e == '#' ? t >= '0' && t <= '9' : e == t; });
}

}  // namespace

Names::Names(Rules rules, const std::vector<std::string>& listed) : rules_(std::move(rules)) {
  listed_.insert(listed.begin(), listed.end());
  for (const auto& [alias, target] : rules_.aliases) listed_.insert(target);
}

std::vector<std::string_view> Names::spellings(std::string_view model) const {
  for (const std::string& prefix : rules_.prefixes) {
    if (model.size() > prefix.size() && model.starts_with(prefix)) model.remove_prefix(prefix.size());
  }
  std::vector<std::string_view> names = {model};
  while (!rules_.aliases.contains(model)) {
    const auto ending = std::find_if(rules_.endings.begin(), rules_.endings.end(),
                                     [&](const std::string& e) { return ends_with(model, e); });
    if (ending == rules_.endings.end()) break;
    model.remove_suffix(ending->size());
    names.push_back(model);
  }
  return names;
}

std::string Names::canonical(std::string_view model) const {
  const auto names = spellings(model);
  if (const auto alias = rules_.aliases.find(names.back()); alias != rules_.aliases.end()) {
    return alias->second;
  }
  const auto shortest = std::find_if(names.rbegin(), names.rend(),
                                     [&](std::string_view name) { return listed_.contains(name); });
  return std::string(shortest == names.rend() ? names.front() : *shortest);
}

bool Names::is_family(std::string_view name) const {
  return rules_.families.contains(name);
}

bool Names::covers(std::string_view name, std::string_view model) const {
  if (name == model) return true;
  const auto family = rules_.families.find(name);
  return family != rules_.families.end() &&
         std::any_of(family->second.begin(), family->second.end(),
                     [&](const std::string& pattern) { return quota::glob_match(pattern, model); });
}

}  // namespace weir::catalog
