#include "api/omissions.hpp"

namespace weir::api {

bool Omissions::add(EventType type, std::string_view project, std::string_view consumer) {
  struct {
    std::string_view project, consumer;
  } const subject{project, consumer};
  auto found = counts_.find(subject);
  if (found == counts_.end()) {
    if (counts_.size() >= kMaxSubjects) return false;
    found = counts_.emplace(Subject{std::string(project), std::string(consumer)}, Counts{}).first;
  }
  ++found->second.at(static_cast<std::size_t>(type));
  return true;
}

std::size_t Omissions::bytes() const {
  constexpr std::size_t kNodeBytes = 128;
  std::size_t sum = 0;
  for (const auto& [subject, counts] : counts_)
    sum += kNodeBytes + subject.project.size() + subject.consumer.size();
  return sum;
}

}  // namespace weir::api
