#include "admission/history.hpp"

#include <limits>
#include <map>
#include <tuple>

namespace weir::admission {

HistoryQuestion ask_history(Directory& directory, const quota::Book& book, const Now& now) {
  HistoryQuestion question{.now = now.wall, .limits = {}, .lanes = {}};
  question.limits.reserve(book.size());
  for (quota::LimitId id = 0; id < book.size(); ++id) {
    const quota::LimitSpec& spec = book.spec(id);
    question.limits.push_back(
        {spec.metric, spec.window, spec.amount, spec.time_zone, directory.owner(id).zone});
  }
  question.lanes.reserve(directory.lanes().size());
  for (const Lane& lane : directory.lanes()) question.lanes.emplace_back(lane.key, lane.limits);
  return question;
}

std::vector<quota::Habit> read_history(ledger::Reader& reader, const HistoryQuestion& question) {
  std::vector<quota::PastHours> past;
  past.reserve(question.limits.size());
  for (const auto& limit : question.limits) {
    past.emplace_back(limit.window, limit.amount, limit.zone,
                      Zone::find(limit.time_zone).value_or(limit.zone));
  }
  std::map<std::tuple<ledger::NameId, ledger::NameId, ledger::NameId>, const std::vector<quota::LimitId>*>
      lanes;
  for (const auto& [key, limits] : question.lanes) lanes[{key.project, key.model, key.consumer}] = &limits;

  constexpr auto kHour = std::chrono::hours(1);
  const WallTime this_hour(std::chrono::floor<std::chrono::hours>(question.now));
  const std::int64_t first_minute = reader.first_minute().value_or(std::numeric_limits<std::int64_t>::max());
  std::vector<std::int64_t> used;
  for (WallTime hour = this_hour - HistoryQuestion::kDays * 24 * kHour; hour < this_hour; hour += kHour) {
    const std::int64_t minute = hour.time_since_epoch() / std::chrono::minutes(1);
    if (minute < first_minute) continue;
    used.assign(past.size(), 0);
    reader.sum_minutes(minute, minute + 60, [&](const ledger::Key& key, const Amounts& charged) {
      const auto lane = lanes.find({key.project, key.model, key.consumer});
      if (lane == lanes.end()) return;
      for (const quota::LimitId id : *lane->second) used[id] += charged.of(question.limits[id].metric);
    });
    for (std::size_t id = 0; id < past.size(); ++id) past[id].add(hour, used[id]);
  }
  std::vector<quota::Habit> habits;
  habits.reserve(past.size());
  for (const quota::PastHours& of_limit : past) habits.push_back(of_limit.habit());
  return habits;
}

}  // namespace weir::admission
