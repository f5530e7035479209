#include "http/credentials.hpp"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

#include "http/text.hpp"

namespace weir::http {
namespace {

using std::chrono::seconds;

constexpr CoarseTime kComplain = std::chrono::minutes(1);

// Takes the same time wherever they differ.
bool same(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < secret.size(); ++i) {
    const char c = i < given.size() ? given[i] : '\0';
    difference |= static_cast<unsigned char>(c) ^ static_cast<unsigned char>(secret[i]);
  }
  return difference == 0;
}

}  // namespace

std::string_view bearer_token(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (!starts_with_ignoring_case(authorization, kScheme)) return {};
  return trimmed(authorization.substr(kScheme.size()));
}

Credentials::Credentials(std::string own, std::vector<ConsumerToken> consumers) : own_(std::move(own)) {
  for (ConsumerToken& consumer : consumers) holders_.push_back({.is = std::move(consumer)});
}

bool Credentials::same_as(const Credentials& other) const {
  return own_ == other.own_ &&
         std::equal(holders_.begin(), holders_.end(), other.holders_.begin(), other.holders_.end(),
                    [](const Holder& a, const Holder& b) { return a.is == b.is; });
}

Caller Credentials::identify(std::string_view secret, bool asked, CoarseTime now) {
  Holder* found = nullptr;
  for (Holder& holder : holders_) {
    if (same(secret, holder.is.token)) found = &holder;
  }
  const bool own = own_.empty() || same(secret, own_);
  if (found == nullptr) return {.known = own || !asked};
  return {.consumer = found->is.consumer,
          .wait_s = wait_of(*found, now),
          .requests_per_s = found->is.requests_per_s};
}

// Each request takes its part of a second; what was not taken is kept for one second, or for one request.
std::int64_t Credentials::wait_of(Holder& holder, CoarseTime now) {
  if (holder.is.requests_per_s <= 0) return 0;
  const CoarseTime part(static_cast<std::int64_t>(1e9 / holder.is.requests_per_s));
  const CoarseTime least = now - std::max<CoarseTime>(seconds(1), part);
  const CoarseTime earned = std::max(holder.earned, least) + part;
  if (earned <= now) {
    holder.earned = earned;
    return 0;
  }
  ++holder.refused;
  if (holder.complained == CoarseTime{} || now - holder.complained >= kComplain) {
    spdlog::warn("consumer {} sends more than {} requests a second: {} refused", holder.is.consumer,
                 holder.is.requests_per_s, std::exchange(holder.refused, 0));
    holder.complained = now;
  }
  return std::chrono::ceil<seconds>(earned - now).count();
}

}  // namespace weir::http
