#include "admission/waiting_line.hpp"

#include <algorithm>

namespace weir::admission {

std::uint64_t WaitingLine::push(WaitingCall call) {
  call.ticket = ++last_ticket_;
  calls_.push_back(std::move(call));
  return last_ticket_;
}

bool WaitingLine::remove(std::uint64_t ticket) {
  return std::erase_if(calls_, [ticket](const WaitingCall& call) { return call.ticket == ticket; }) > 0;
}

WaitingCall* WaitingLine::at_or_after(std::uint64_t ticket) {
  const auto found = std::find_if(calls_.begin(), calls_.end(),
                                  [ticket](const auto& call) { return call.ticket >= ticket; });
  return found == calls_.end() ? nullptr : &*found;
}

void WaitingLine::block(quota::LimitId limit) {
  if (limit >= blocked_in_round_.size()) blocked_in_round_.resize(limit + 1, 0);
  blocked_in_round_[limit] = round_;
}

bool WaitingLine::blocks(const std::vector<quota::LimitId>& limits) const {
  if (calls_.empty()) return false;
  return std::any_of(limits.begin(), limits.end(), [this](quota::LimitId id) {
    return id < blocked_in_round_.size() && blocked_in_round_[id] == round_;
  });
}

std::optional<SteadyTime> WaitingLine::next_event() const {
  std::optional<SteadyTime> next;
  for (const WaitingCall& call : calls_) {
    const SteadyTime at = std::min(call.deadline, call.retry_at);
    if (!next || at < *next) next = at;
  }
  return next;
}

}  // namespace weir::admission
