// Estimates of a call's input, corrected by what calls turned out to use.
//
// A caller that sends the request's body instead of a number gets a raw estimate
// (provider::estimate_request). Each settlement with a real usage tells the ratio of actual to raw; the next
// raw estimate is multiplied by a high quantile of the ratios of late, so that most calls (95 of 100) use no
// more than they were charged at first. Worked example: ten calls of 1,000 estimated tokens used 1,480 to
// 1,520 each; the eleventh is charged some 1,540. What an estimate is still short of stays charged, as for
// any call.
//
// Kept for each (project, model, consumer), and for each (project, model) over all consumers, which stands in
// for a consumer with few calls. Estimates that rest on assumed figures (a file that is only named) err in
// ways of their own, so they are corrected apart, and spoil nothing for the others.
//
// Owned by the service; loop thread only. Memory is bounded: kMost histograms of some 270 bytes. Durable: the
// service hands what has changed to the ledger, at most once a minute.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "ledger/journal.hpp"
#include "quota/book.hpp"

namespace weir::admission {

// What was read off a request's body, in place of amounts that the caller did not state. Uncorrected.
struct Guess {
  std::int64_t input = 0;   // estimated input tokens; 0: stated
  std::int64_t output = 0;  // the most that the request lets the call answer; 0: stated, or no bound
  bool uncertain = false;   // the input rests on assumed figures
};

// A running quantile in constant memory and time: a histogram of 128 buckets, 16 an octave, around 1/16 to
// 16; ratios outside count in the last one on their side. All counts are halved when they reach kFull, so the
// newest few hundred decide.
class Ratios {
 public:
  static constexpr int kBuckets = 128;
  static constexpr int kFull = 512;
  static constexpr int kFewest = 10;  // below it they decide nothing

  void add(double ratio);
  // That quantile (above 0, at most 1), interpolated within its bucket, which is 4 % wide; 1 while there are
  // too few.
  [[nodiscard]] double factor(double quantile) const;
  [[nodiscard]] bool enough() const { return total_ >= kFewest; }

  // "bucket:count …", of the buckets that are not empty; text that is none gives nullopt.
  [[nodiscard]] std::string text() const;
  static std::optional<Ratios> parse(std::string_view text);

 private:
  void halve();

  std::array<std::uint16_t, kBuckets> counts_{};
  std::uint16_t total_ = 0;
};

class Estimates {
 public:
  // Past it, consumers that are new share their model's, and models that are new are not corrected.
  static constexpr std::size_t kMost = 20'000;

  explicit Estimates(double quantile) : quantile_(quantile) {}
  void set_quantile(double quantile) { quantile_ = quantile; }

  // A raw estimate for a call of `key`, as it is to be charged. At least 1.
  [[nodiscard]] std::int64_t corrected(const ledger::Key& key, bool uncertain, std::int64_t raw) const;
  // Raw estimate and actual usage of a call that was settled; both above 0.
  void learn(const ledger::Key& key, bool uncertain, std::int64_t raw, std::int64_t actual);

  void restore(std::span<const ledger::Correction> kept);
  enum class Tell : std::uint8_t { some, all };
  // Hands what has changed to the ledger: each once a minute, some at a time so as not to hold the loop; or
  // all at once (the daemon stops). Nothing while the disk fails.
  void tell(ledger::Journal& journal, SteadyTime now, Tell how);

 private:
  struct Slot {
    ledger::NameId project, model, consumer;
    bool uncertain;
    bool operator==(const Slot&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Slot& slot) const;
  };
  struct Entry {
    Ratios ratios;
    bool changed = false;  // since it was last told
  };
  void add(const Slot& slot, double ratio);
  [[nodiscard]] const Ratios* enough(const Slot& slot) const;
  [[nodiscard]] double factor(const ledger::Key& key, bool uncertain) const;

  double quantile_;
  boost::unordered_flat_map<Slot, Entry, Hash> entries_;
  std::vector<Slot> changed_;  // since the last minute's telling began
  std::vector<Slot> telling_;  // of that, what is left to tell
  SteadyTime told_{};          // when it began
};

// `want` with its guessed parts cut to what the limits can ever allow: an estimate alone never makes a call
// one that never fits. Stated amounts stay.
Amounts fitting(Amounts want, const Guess& guess, std::span<const quota::LimitId> limits,
                const quota::Book& book);

}  // namespace weir::admission
