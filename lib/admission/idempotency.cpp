#include "admission/idempotency.hpp"

#include <algorithm>

namespace weir::admission {
namespace {

std::uint64_t fnv1a(std::string_view text, std::uint64_t hash) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  // A last mix: FNV alone leaves the high bits of short texts weak.
  hash ^= hash >> 32;
  hash *= 0xd6e8feb86659fd93;
  return hash ^ (hash >> 32);
}

}  // namespace

KeyHash hash_of(std::string_view text) {
  return {fnv1a(text, 0xcbf29ce484222325), fnv1a(text, 0x9ae16a3b2f90404f)};
}

std::optional<Idempotency::First> Idempotency::find(const KeyHash& key) const {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return std::nullopt;
  return found->second.first;
}

void Idempotency::remember(const KeyHash& key, const First& first, SteadyTime at) {
  while (!by_age_.empty() && (by_age_.size() >= kMaxKeys || by_age_.front().first + kKeep < at)) {
    const auto [since, oldest] = by_age_.front();
    by_age_.pop_front();
    // Unless it was forgotten, and is in use again since.
    if (const auto found = keys_.find(oldest); found != keys_.end() && found->second.at == since)
      keys_.erase(found);
  }
  const auto [entry, fresh] = keys_.try_emplace(key, Kept{first, at});
  entry->second.first = first;
  if (fresh) by_age_.emplace_back(at, key);
}

void Idempotency::forget(std::span<const ledger::CallId> calls) {
  boost::unordered::erase_if(keys_, [calls](const auto& entry) {
    return std::find(calls.begin(), calls.end(), entry.second.first.call) != calls.end();
  });
}

}  // namespace weir::admission
