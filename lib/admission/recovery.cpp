// Rebuilding the service from the ledger.
//
// Sliding limits and open calls: from the single calls of the longest window and the last quarter of an hour
// (a short walk along the primary key), and from the few older ones that straddle a quarter of an hour.
// Calendar limits: from the totals, which hold each closed call once, at its admission; a call that touches a
// second day straddles, and is added to that day. The totals of days serve only while they are cut in the
// zone of the limit: else, and for two days after the project's zone has changed, those of minutes do.
#include <algorithm>
#include <map>
#include <stdexcept>
#include <tuple>

#include "admission/service.hpp"

namespace weir::admission {
namespace {

constexpr Micros kMinute = std::chrono::minutes(1);
constexpr std::int64_t kTwoDays = std::int64_t{2} * 24 * 60;  // in minutes

std::int64_t minutes(WallTime at) {
  return at.time_since_epoch() / kMinute;
}

bool is_sliding(const quota::LimitSpec& spec) {
  return spec.window.kind == quota::WindowKind::sliding;
}

}  // namespace

// One calendar window of one zone, as some limits of a project count it.
struct CalendarPeriod {
  CalendarUnit unit;
  std::string zone;
  WallInterval interval;
};

class Recovery {
 public:
  Recovery(Service& service, ledger::Reader& reader, const Now& now)
      : service_(service), reader_(reader), now_(now) {}

  void run() {
    service_.last_id_ = std::max(reader_.last_id(), service_.last_id_);
    for (ledger::DayZone& known : reader_.day_zones())
      service_.day_zones_.insert_or_assign(known.project, std::move(known));
    // First: limits and names that were learned decide what counts where.
    service_.observations_.restore(reader_.observations(), now_);
    make_lanes_of_recent_totals();
    recent_calls();
    older_straddlers();
    for (Project& project : service_.directory_.projects()) calendar_totals(project);
    for (const ledger::IdempotencyKey& key : reader_.idempotency_keys()) {
      service_.idempotency_.remember({key.hash_high, key.hash_low}, {key.body_hash, key.call},
                                     SteadyTime(Micros(key.call)));
    }
    service_.estimates_.restore(reader_.corrections());
  }

 private:
  Lane* lane(const ledger::Key& key) {
    const auto [known, fresh] = lanes_.try_emplace({key.project, key.model, key.consumer}, nullptr);
    if (fresh) known->second = service_.directory_.lane(key, now_.wall);
    return known->second;
  }

  // How long a closed call can count in a sliding window after its latest moment, rounding included. Lanes
  // exist before it is asked.
  Micros reach() const {
    Micros longest{0};
    for (quota::LimitId id = 0; id < service_.book_.size(); ++id) {
      const quota::LimitSpec& spec = service_.book_.spec(id);
      if (is_sliding(spec)) longest = std::max(longest, spec.window.length);
    }
    return longest + longest / quota::SlidingWindow::kBuckets + std::chrono::seconds(1);
  }

  // Limits of models that no table lists come into being with their lanes.
  void make_lanes_of_recent_totals() {
    const std::int64_t now_minute = minutes(now_.wall);
    reader_.sum_minutes(now_minute - 60, now_minute + 60,
                        [this](const ledger::Key& key, const Amounts&) { lane(key); });
    for (Project& project : service_.directory_.projects()) {
      const auto id = service_.ledger_.intern(project.setup->name);
      const std::int32_t today = project.local_day(now_.wall);
      reader_.sum_days(id, today - 31, today + 2,
                       [this](const ledger::Key& key, const Amounts&) { lane(key); });
    }
  }

  void charge_sliding(const ledger::Call& call) {
    if (call.outcome.state == ledger::State::cancelled) return;
    Lane* of = lane(call.admission.key);
    if (of == nullptr) return;
    limits_.clear();
    for (const quota::LimitId id : of->limits) {
      if (is_sliding(service_.book_.spec(id))) limits_.push_back(id);
    }
    service_.book_.charge(limits_, call.outcome.charged,
                          span_of(call.admission.id, call.admission.skew_us, call.outcome), now_);
  }

  void reopen(const ledger::Admission& admission) {
    Lane* of = lane(admission.key);
    if (of == nullptr) return;
    service_.open_.insert({.id = admission.id,
                           .lane = of,
                           .held = admission.held,
                           .skew = Micros(admission.skew_us),
                           .lease = Micros(admission.lease_us),
                           .waited = Micros(admission.waited_us),
                           .local_day = admission.local_day,
                           .estimate = admission.estimate,
                           .uncertain = admission.uncertain});
    service_.book_.hold(of->limits, admission.held);
  }

  void recent_calls() {
    ledger::CallId from = (now_.steady - reach() - kLongSpan).time_since_epoch().count();
    if (const ledger::CallId oldest = reader_.oldest_open(); oldest > 0) from = std::min(from, oldest);
    reader_.each_call(from, [this](const ledger::Call& call) {
      if (call.closed) {
        charge_sliding(call);
      } else {
        reopen(call.admission);
      }
    });
    walked_from_ = from;
  }

  void older_straddlers() {
    reader_.each_straddler(now_.steady - reach(), [this](const ledger::Call& call) {
      if (call.admission.id < walked_from_) charge_sliding(call);
    });
  }

  void calendar_totals(Project& project) {
    std::vector<CalendarPeriod> periods;
    for (const quota::LimitId id : project.limits) {
      const quota::LimitSpec& spec = service_.book_.spec(id);
      const auto unit = quota::calendar_unit(spec.window.kind);
      if (!unit) continue;
      const Zone zone = *Zone::find(spec.time_zone);
      // The neighbours too: near midnight they count, and a wall clock that is set back must find what it had
      // counted.
      const WallInterval current = zone.interval(*unit, now_.wall);
      for (const WallTime at : {current.begin - Micros(1), current.begin, current.end}) {
        const WallInterval interval = zone.interval(*unit, at);
        const bool known = std::any_of(periods.begin(), periods.end(), [&](const CalendarPeriod& p) {
          return p.unit == *unit && p.zone == spec.time_zone && p.interval.begin == interval.begin;
        });
        if (!known) periods.push_back({*unit, spec.time_zone, interval});
      }
    }
    for (const CalendarPeriod& period : periods) period_totals(project, period);
  }

  void restore(const ledger::Key& key, const CalendarPeriod& period, const Amounts& charged) {
    Lane* of = lane(key);
    if (of == nullptr) return;
    for (const quota::LimitId id : of->limits) {
      const quota::LimitSpec& spec = service_.book_.spec(id);
      if (quota::calendar_unit(spec.window.kind) != period.unit || spec.time_zone != period.zone) continue;
      service_.book_.restore(id, period.interval.begin, charged.of(spec.metric), now_);
    }
  }

  // Whether the totals of days say what was charged in `period`: they must have been cut in its zone, and the
  // days that were cut in another before must all have ended. Days of one number, in two zones, end up to 26
  // hours apart.
  bool days_tell(const Project& project, const CalendarPeriod& period) const {
    if (period.zone != project.setup->time_zone) return false;
    const auto known = service_.day_zones_.find(service_.ledger_.intern(project.setup->name));
    if (known == service_.day_zones_.end()) return true;  // nobody has said otherwise
    const auto& [id, kept] = *known;
    if (kept.zone != period.zone) return false;  // changed just now
    return kept.since_minute == 0 || minutes(period.interval.begin) >= kept.since_minute + kTwoDays;
  }

  void period_totals(Project& project, const CalendarPeriod& period) {
    const ledger::NameId id = service_.ledger_.intern(project.setup->name);
    const auto add = [&](const ledger::Key& key, const Amounts& charged) {
      if (key.project == id) restore(key, period, charged);
    };
    if (days_tell(project, period)) {
      reader_.sum_days(id, project.zone.local_day(period.interval.begin),
                       project.zone.local_day(period.interval.end), add);
    } else {
      reader_.sum_minutes(minutes(period.interval.begin), minutes(period.interval.end), add);
    }
    // What touches the period but was admitted outside of it.
    const Micros guard = project.setup->guard;
    const auto add_if_outside = [&](const ledger::Call& call) {
      if (call.admission.key.project != id || call.outcome.state == ledger::State::cancelled) return;
      if (period.interval.contains(call.admitted_at())) return;
      const quota::Span span = span_of(call.admission.id, call.admission.skew_us, call.outcome);
      const WallTime begin = span.wall(span.admitted) - guard;
      const WallTime end = span.wall(std::max(span.admitted, span.latest)) + guard;
      if (begin < period.interval.end && end >= period.interval.begin) {
        restore(call.admission.key, period, call.outcome.charged);
      }
    };
    reader_.each_straddler(period.interval.begin - 2 * guard, period.interval.begin, add_if_outside);
    reader_.each_straddler(period.interval.end, period.interval.end + 2 * guard, add_if_outside);
  }

  Service& service_;
  ledger::Reader& reader_;
  const Now now_;
  std::map<std::tuple<ledger::NameId, ledger::NameId, ledger::NameId>, Lane*> lanes_;
  std::vector<quota::LimitId> limits_;
  ledger::CallId walked_from_ = 0;
};

void Service::keep_day_zones(const Now& now) {
  for (const ProjectSetup& project : setup_.projects) {
    const ledger::NameId id = ledger_.intern(project.name);
    const auto [known, fresh] = day_zones_.try_emplace(id, ledger::DayZone{id, project.time_zone, 0});
    if (!fresh) {
      if (known->second.zone == project.time_zone) continue;
      known->second = {id, project.time_zone, minutes(now.wall)};
    }
    ledger_.append(known->second);
  }
}

void Service::count(ledger::Reader& reader, const Now& now) {
  for (const auto& [id, name] : reader.names()) {
    if (ledger_.intern(name) != id) throw std::logic_error("the ledger's names are not what the file says");
  }
  Recovery(*this, reader, now).run();
}

void Service::recover(ledger::Reader& reader, const Now& now) {
  Recovery(*this, reader, now).run();
  keep_day_zones(now);
  forecasts_.begin(now);
  tick(now);
}

}  // namespace weir::admission
