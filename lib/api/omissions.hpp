// How many events of a kind were not told one by one, by whom they concern: each listener is told of those
// that it would have been given, and of nobody else's. A value.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace weir::api {

enum class EventType : std::uint8_t { admission, settlement, denial, limit, observation, omitted, reset };
inline constexpr std::size_t kEventTypes = 7;

struct Subject {  // of an event; empty names: of none, for everybody
  std::string project;
  std::string consumer;
};

class Omissions {
 public:
  static constexpr std::size_t kMaxSubjects = 1000;
  // By type: admission, settlement, denial. Others are never omitted.
  using Counts = std::array<std::uint32_t, 3>;

  // False: these are of too many subjects already, and this one was not counted.
  bool add(EventType type, std::string_view project, std::string_view consumer);
  [[nodiscard]] bool empty() const { return counts_.empty(); }
  // About what it takes in memory.
  [[nodiscard]] std::size_t bytes() const;

  // The sum over the subjects of which `concerns` is true.
  template <class Concerns>
  [[nodiscard]] Counts count(const Concerns& concerns) const {
    Counts sum{};
    for (const auto& [subject, counts] : counts_) {
      for (std::size_t type = 0; concerns(subject) && type < sum.size(); ++type) sum[type] += counts[type];
    }
    return sum;
  }

 private:
  struct Before {
    using is_transparent = void;
    template <class Names>
    static std::pair<std::string_view, std::string_view> names(const Names& of) {
      return {of.project, of.consumer};
    }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return names(a) < names(b);
    }
  };
  std::map<Subject, Counts, Before> counts_;
};

}  // namespace weir::api
