#include "quota/sliding_window.hpp"

namespace weir::quota {

void SlidingWindow::advance(SteadyTime now) {
  if (now > advanced_to_) advanced_to_ = now;
  while (head_ < buckets_.size() && leaves(buckets_[head_]) <= advanced_to_) {
    used_ -= buckets_[head_].amount;
    ++head_;
  }
  if (head_ == buckets_.size()) {
    buckets_.clear();
    head_ = 0;
  } else if (head_ > static_cast<std::size_t>(kBuckets)) {
    buckets_.erase(buckets_.begin(), buckets_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void SlidingWindow::add(SteadyTime latest, std::int64_t amount) {
  if (amount == 0) return;
  const std::int64_t since_epoch = latest.time_since_epoch().count();
  const Bucket wanted{(since_epoch + bucket_.count() - 1) / bucket_.count(), amount};
  if (leaves(wanted) <= advanced_to_) return;
  // Nearly always the newest bucket or one beside it.
  std::size_t at = buckets_.size();
  while (at > head_ && buckets_[at - 1].index > wanted.index) --at;
  if (at > head_ && buckets_[at - 1].index == wanted.index) {
    buckets_[at - 1].amount += amount;
  } else {
    buckets_.insert(buckets_.begin() + static_cast<std::ptrdiff_t>(at), wanted);
  }
  used_ += amount;
}

void SlidingWindow::add(const SlidingWindow& other, int sign) {
  for (std::size_t i = other.head_; i < other.buckets_.size(); ++i) {
    add(SteadyTime(other.buckets_[i].index * bucket_), sign * other.buckets_[i].amount);
  }
}

std::optional<SteadyTime> SlidingWindow::freed(std::int64_t amount) const {
  std::int64_t left = 0;
  for (std::size_t i = head_; i < buckets_.size(); ++i) {
    left += buckets_[i].amount;
    if (left >= amount) return leaves(buckets_[i]);
  }
  return std::nullopt;
}

std::optional<SteadyTime> SlidingWindow::next_leave() const {
  for (std::size_t i = head_; i < buckets_.size(); ++i) {
    if (buckets_[i].amount != 0) return leaves(buckets_[i]);
  }
  return std::nullopt;
}

}  // namespace weir::quota
