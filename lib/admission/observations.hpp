// What upstream's answers teach (docs/learning.md): which limit is used up and until when, how much
// it really allows, how much of it others use, that a model is off, that everything must rest for a moment.
//
// Durable: each observation is also in the ledger, with its evidence; it expires, and can be forgotten. What
// it changes is in the book: an exhausted limit, an observed amount, a charge from elsewhere. Bounded; loop
// thread only.
//
// | heard                                | act                                                             |
// |--------------------------------------|-----------------------------------------------------------------|
// | 429 that names a quota per day       | exhausted until the day ends; at an earlier hint one call at a  |
// |                                      | time probes, three successes in a row reopen it                 |
// | 429 that names a quota per minute    | exhausted for the hint, at least one whole window               |
// | its amount                           | the limit's amount for 7 days (never above a configured one);   |
// |                                      | a limit that we did not have is added                           |
// | amount minus our own count           | used elsewhere: charged                                         |
// | amount 0                             | off until the next day, then one probe a day                    |
// | 429 that names nothing               | the model cools down: 2 s, doubled up to 60 s by the next ones  |
// | 429 on spending                      | the limit on spending rests: 60 s, doubled up to 10 min         |
// | credits used up                      | the project rests until that is forgotten; one probe an hour    |
// | 503, three in a row                  | the model cools down as above; nothing is learned               |
// | a success beyond a published limit    | (explore = true) raises its amount, for 7 days                  |
// | x-ratelimit-*, anthropic-ratelimit-* | amount and use elsewhere; calls in flight stay held beside it   |
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admission/directory.hpp"
#include "admission/settlement.hpp"
#include "ledger/journal.hpp"
#include "provider/error.hpp"
#include "quota/book.hpp"

namespace weir::admission {

class Observations {
 public:
  static constexpr std::size_t kMax = 1000;  // the oldest goes first

  Observations(quota::Book& book, Directory& directory, ledger::Journal& ledger, Metrics& metrics,
               Directory::HoldOpen hold_open)
      : book_(book),
        directory_(directory),
        ledger_(ledger),
        metrics_(metrics),
        hold_open_(std::move(hold_open)) {}

  // What upstream answered to a call of `lane`, admitted at `admitted`, that is settled by now.
  void hear(Lane& lane, const Settlement& answer, SteadyTime admitted, const Now& now);

  // Whether a call of `lane`, refused for these reasons, may go all the same, to find out whether what was
  // published is too strict: the project wants that, every limit in the way is a published one that upstream
  // has not confirmed, none was passed so in the last minute, and none is being passed now.
  [[nodiscard]] bool may_explore(const Lane& lane, std::span<const quota::Violation> violations,
                                 const Now& now) const;
  // Such a call goes; it ended, well or not.
  void explore(std::span<const quota::Violation> violations, const Now& now);
  void explored(Lane& lane, bool success, const Now& now);

  void restore(const std::vector<ledger::Observation>& known, const Now& now);
  // The same from what is known now, after the directory and the book have started over.
  void start_over(const Now& now);
  // False if there is none of that id.
  bool forget(std::int64_t id, const Now& now);
  // Drops what has ended, lets probes go. Once a second.
  void tick(const Now& now);
  [[nodiscard]] const std::vector<ledger::Observation>& all() const { return all_; }

 private:
  // Beside the observation of the same index.
  struct State {
    quota::LimitId limit = 0;
    bool has_limit = true;
    bool probing = false;  // calls admitted since probe_from may tell that it is open again
    SteadyTime probe_from{};
    int successes = 0;  // in a row, of such calls
  };
  // Refusals in a row that make a rest grow.
  struct Rest {
    int refusals = 0;
    int overloads = 0;
    SteadyTime until{};
  };

  struct Exploration {
    SteadyTime began{};
    bool under_way = false;
  };

  void refused(Lane& lane, const provider::UpstreamError& error, const Now& now);
  void violated(Lane& lane, const provider::QuotaViolation& violation, const provider::UpstreamError& error,
                const Now& now);
  void exhausted(Lane& lane, quota::LimitId limit, const provider::QuotaViolation& violation,
                 const provider::UpstreamError& error, const Now& now);
  void turned_off(Lane& lane, quota::LimitId limit, const std::string& evidence, const Now& now);
  void learn_amount(Lane& lane, quota::LimitId limit, std::int64_t amount, const std::string& evidence,
                    const Now& now);
  void learn_model_name(Lane& lane, const std::string& upstream_name, const std::string& evidence,
                        const Now& now);
  void rename_back(const ledger::Observation& seen, const Now& now);
  void rest(Lane& lane, quota::LimitId limit, std::string_view kind, Micros first, Micros longest,
            const provider::UpstreamError& error, const Now& now);
  void overloaded(Lane& lane, const Now& now);
  void close_for(quota::LimitId limit, Micros length, const Now& now);
  void out_of_credits(Lane& lane, const provider::UpstreamError& error, const Now& now);
  void succeeded(Lane& lane, SteadyTime admitted, const Now& now);
  void read_headers(Lane& lane, const Settlement& answer, const Now& now);
  void reopen_window(std::size_t index, const Now& now);

  // The limit of `lane` that counts this; nullopt if it has none such. `per_model`: upstream counts its model
  // alone, so no limit that other models share will do.
  std::optional<quota::LimitId> limit_of(const Lane& lane, Metric metric, provider::QuotaPeriod period,
                                         bool per_model) const;
  quota::LimitId add_limit(Lane& lane, const provider::QuotaViolation& violation);
  quota::LimitId gate(Lane& lane, std::string models, std::string_view suffix);
  void charge_others(quota::LimitId limit, std::int64_t amount, const Now& now);
  void count_over_admission(const Lane& lane, quota::LimitId limit, const Now& now);

  [[nodiscard]] std::optional<std::size_t> find(quota::LimitId limit, std::string_view kind) const;
  // Adds, in place of one of the same limit and kind.
  State& keep(ledger::Observation seen, std::optional<quota::LimitId> limit, const Now& now);
  ledger::Observation seen(const Lane& lane, std::string_view limit, std::string_view kind, WallTime until,
                           std::string evidence, const Now& now) const;
  void store(std::size_t index) { ledger_.append(all_[index]); }
  void drop(std::size_t index);

  quota::Book& book_;
  Directory& directory_;
  ledger::Journal& ledger_;
  Metrics& metrics_;
  Directory::HoldOpen hold_open_;
  std::vector<ledger::Observation> all_;  // oldest first
  std::vector<State> states_;
  std::map<quota::LimitId, Rest> rests_;  // by the limit that rests
  std::map<quota::LimitId, Exploration> explorations_;
};

}  // namespace weir::admission
