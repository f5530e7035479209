// Under which name a provider counts a call. Constant after construction; any thread; never fails.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::catalog {

class Names {
 public:
  // Prefixes that do not count ("models/"), endings that a listed name may be written with ('#' is any digit:
  // "-preview", "-###"), other spellings, and groups of models that sources name as one ("gemma-3":
  // "gemma-3-*").
  struct Rules {
    std::vector<std::string> prefixes;
    std::vector<std::string> endings;
    std::map<std::string, std::string, std::less<>> aliases;
    std::map<std::string, std::vector<std::string>, std::less<>> families;
  };

  Names() = default;
  // `listed`: every name that a table or price uses, in any spelling.
  Names(Rules rules, const std::vector<std::string>& listed);

  // What the alias among the spellings stands for; else the shortest spelling that is listed; else the name
  // without prefix. Example: gemini-3.1-pro-preview-customtools -> gemini-3.1-pro-preview -> gemini-3.1-pro.
  [[nodiscard]] std::string canonical(std::string_view model) const;
  // The name without prefix, then with one ending less each time, up to an alias: gemini-pro-latest is one
  // (the newest Pro), and must not become gemini-pro, another name of 1.0.
  [[nodiscard]] std::vector<std::string_view> spellings(std::string_view model) const;

  [[nodiscard]] bool is_family(std::string_view name) const;
  // Whether a row or price named `name` holds for the canonical `model`: the same, or a family that has it as
  // a member.
  [[nodiscard]] bool covers(std::string_view name, std::string_view model) const;

 private:
  Rules rules_;
  std::set<std::string, std::less<>> listed_;
};

}  // namespace weir::catalog
