// A JSON value that knows where it stands, so that an error in a data file says where. Borrows the file's
// name and the document; one thread. Every function throws std::runtime_error "file: /json/pointer: what" if
// the value is not what was asked for.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace weir::catalog {

// Refuses what nlohmann lets pass: a key that stands twice in one object.
nlohmann::json parse_json(const std::string& file, const std::string& text);

class Node {
 public:
  Node(const std::string& file, const nlohmann::json& value, std::string pointer = "")
      : file_(&file), value_(&value), pointer_(std::move(pointer)) {}

  [[noreturn]] void fail(std::string_view what) const;
  [[nodiscard]] const nlohmann::json& value() const { return *value_; }

  // Objects.
  void only(std::initializer_list<std::string_view> keys) const;  // any other key is an error
  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] Node at(std::string_view key) const;  // it must be there
  [[nodiscard]] std::vector<std::pair<std::string, Node>> members() const;
  // Arrays.
  [[nodiscard]] std::vector<Node> elements() const;
  [[nodiscard]] std::vector<std::string> texts() const;  // of non-empty strings, not empty itself
  // Plain values.
  [[nodiscard]] std::string text() const;                               // not empty
  [[nodiscard]] std::string text_or_empty(std::string_view key) const;  // of a member that may be absent
  [[nodiscard]] std::string day() const;                                // "2026-09-04"
  [[nodiscard]] std::int64_t whole() const;                             // 0 to 10^15
  // A number of at most `decimals` decimals, times 10^decimals; 0 to 10^6 before that.
  [[nodiscard]] std::int64_t scaled(int decimals) const;

 private:
  const std::string* file_;
  const nlohmann::json* value_;
  std::string pointer_;
};

}  // namespace weir::catalog
