#include "admission/estimates.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace weir::admission {
namespace {

constexpr double kPerOctave = 16;
constexpr double kOctavesBelow = 4;  // the middle of the first bucket is 1/16
constexpr Micros kTellEvery = std::chrono::minutes(1);
constexpr std::size_t kTellAtOnce = 500;  // about a millisecond of writing texts

int bucket_of(double ratio) {
  const double position = std::round((std::log2(ratio) + kOctavesBelow) * kPerOctave);
  return static_cast<int>(std::clamp(position, 0.0, static_cast<double>(Ratios::kBuckets - 1)));
}

}  // namespace

void Ratios::add(double ratio) {
  ++counts_[static_cast<std::size_t>(bucket_of(ratio))];
  if (++total_ >= kFull) halve();
}

void Ratios::halve() {
  total_ = 0;
  for (std::uint16_t& count : counts_) total_ = static_cast<std::uint16_t>(total_ + (count /= 2));
}

double Ratios::factor(double quantile) const {
  if (!enough()) return 1;
  const double rank = quantile * total_;
  const int wanted = std::clamp(static_cast<int>(std::ceil(rank)), 1, static_cast<int>(total_));
  const std::uint16_t* bucket = counts_.data();
  int below = 0;  // in the buckets before it
  while (below + *bucket < wanted) below += *bucket++;
  const double within = (rank - below) / *bucket;
  const auto place = static_cast<double>(bucket - counts_.data());
  return std::exp2((place + within - 0.5) / kPerOctave - kOctavesBelow);
}

std::string Ratios::text() const {
  std::string text;
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    if (counts_[bucket] != 0)
      text += fmt::format("{}{}:{}", text.empty() ? "" : " ", bucket, counts_[bucket]);
  }
  return text;
}

std::optional<Ratios> Ratios::parse(std::string_view text) {
  Ratios ratios;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    std::size_t bucket = 0;
    std::uint16_t count = 0;
    const auto first = std::from_chars(at, end, bucket);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != ':') return std::nullopt;
    const auto second = std::from_chars(first.ptr + 1, end, count);
    if (second.ec != std::errc() || bucket >= kBuckets || count + ratios.total_ >= kFull) return std::nullopt;
    ratios.counts_[bucket] = static_cast<std::uint16_t>(ratios.counts_[bucket] + count);
    ratios.total_ = static_cast<std::uint16_t>(ratios.total_ + count);
    at = second.ptr;
    if (at != end && *at++ != ' ') return std::nullopt;
  }
  return ratios;
}

std::size_t Estimates::Hash::operator()(const Slot& slot) const {
  constexpr std::uint64_t kMix = 0x9e3779b97f4a7c15;
  std::uint64_t hash = static_cast<std::uint64_t>(slot.project) << 1 | (slot.uncertain ? 1U : 0U);
  for (const ledger::NameId id : {slot.model, slot.consumer})
    hash = (hash ^ static_cast<std::uint64_t>(id)) * kMix ^ hash >> 29;
  return static_cast<std::size_t>(hash);
}

const Ratios* Estimates::enough(const Slot& slot) const {
  const auto found = entries_.find(slot);
  return found != entries_.end() && found->second.ratios.enough() ? &found->second.ratios : nullptr;
}

double Estimates::factor(const ledger::Key& key, bool uncertain) const {
  for (const ledger::NameId consumer : {key.consumer, ledger::NameId{0}}) {
    if (const Ratios* ratios = enough({key.project, key.model, consumer, uncertain}))
      return ratios->factor(quantile_);
  }
  return 1;
}

std::int64_t Estimates::corrected(const ledger::Key& key, bool uncertain, std::int64_t raw) const {
  const double tokens = std::ceil(static_cast<double>(raw) * factor(key, uncertain));
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(tokens));
}

void Estimates::learn(const ledger::Key& key, bool uncertain, std::int64_t raw, std::int64_t actual) {
  const double ratio = static_cast<double>(actual) / static_cast<double>(raw);
  for (const ledger::NameId consumer : {key.consumer, ledger::NameId{0}})
    add({key.project, key.model, consumer, uncertain}, ratio);
}

void Estimates::add(const Slot& slot, double ratio) {
  auto found = entries_.find(slot);
  if (found == entries_.end()) {
    if (entries_.size() >= kMost) return;
    found = entries_.emplace(slot, Entry{}).first;
  }
  found->second.ratios.add(ratio);
  if (!std::exchange(found->second.changed, true)) changed_.push_back(slot);
}

void Estimates::restore(std::span<const ledger::Correction> kept) {
  for (const ledger::Correction& each : kept) {
    const auto ratios = Ratios::parse(each.ratios);
    if (!ratios || entries_.size() >= kMost) continue;
    entries_.insert_or_assign(Slot{each.key.project, each.key.model, each.key.consumer, each.uncertain},
                              Entry{.ratios = *ratios});
  }
}

void Estimates::tell(ledger::Journal& journal, SteadyTime now, Tell how) {
  // While the disk fails it would pile up; it can wait.
  if (journal.admission_outlook() != ledger::Commit::durable) return;
  if (how == Tell::all || (telling_.empty() && now - told_ >= kTellEvery)) {
    telling_.insert(telling_.end(), changed_.begin(), changed_.end());
    changed_.clear();
    told_ = now;
  }
  for (std::size_t left = how == Tell::all ? telling_.size() : kTellAtOnce; left > 0 && !telling_.empty();
       --left) {
    const Slot slot = telling_.back();
    telling_.pop_back();
    Entry& entry = entries_.find(slot)->second;
    entry.changed = false;
    journal.append(ledger::Correction{.key = {slot.project, slot.model, slot.consumer},
                                      .uncertain = slot.uncertain,
                                      .ratios = entry.ratios.text()});
  }
}

Amounts fitting(Amounts want, const Guess& guess, std::span<const quota::LimitId> limits,
                const quota::Book& book) {
  if (guess.input == 0 && guess.output == 0) return want;
  for (const quota::LimitId id : limits) {
    const quota::LimitSpec& spec = book.spec(id);
    if (!spec.enforce) continue;
    const auto cut = [most = spec.amount](std::int64_t& amount) { amount = std::min(amount, most); };
    switch (spec.metric) {
      case Metric::input_tokens:
        if (guess.input > 0) cut(want.input_tokens);
        break;
      case Metric::output_tokens:
        if (guess.output > 0) cut(want.output_tokens);
        break;
      case Metric::total_tokens:
        // What the call may answer gives way before what it asks.
        if (guess.input > 0)
          want.input_tokens =
              std::min(want.input_tokens,
                       std::max<std::int64_t>(spec.amount - (guess.output > 0 ? 0 : want.output_tokens), 0));
        if (guess.output > 0)
          want.output_tokens =
              std::min(want.output_tokens, std::max<std::int64_t>(spec.amount - want.input_tokens, 0));
        break;
      case Metric::cost_usd:
        cut(want.cost);
        break;
      default:
        break;
    }
  }
  return want;
}

}  // namespace weir::admission
