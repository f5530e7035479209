// A new configuration for the running service.
//
// Which calls a limit counts may change with every line of the file: a limit is new, another zone cuts its
// day elsewhere, another tier gives a model's alias another meaning. So nothing is carried over from counter
// to counter: the book is rebuilt from the ledger, as a restart does, and a restart's rules are the only
// ones. That reads beside the loop (Recount), from a state of the ledger that is known to the call; what was
// charged since then is charged again in the new book, and open calls are held in it.
//
// Rejected: carrying counters over by name (a second set of rules, and wrong for what the name does not say),
// and reading on the loop (a month of calls takes seconds).
#include "admission/recount.hpp"

namespace weir::admission {

Recount::Recount(const Setup& setup, const catalog::Catalog& catalog, ledger::Reader& reader, const Now& now)
    : service_(setup, catalog, names_, metrics_) {
  service_.count(reader, now);
}

void Service::begin_recount() {
  since_recount_ = Charges{.all = {}, .directory_revision = directory_.revision()};
}

void Service::drop_recount() {
  since_recount_.reset();
}

bool Service::recount_holds() const {
  return since_recount_ && !since_recount_->too_many &&
         since_recount_->directory_revision == directory_.revision();
}

void Service::reload(const Setup& setup, const Recount& counted, const Now& now) {
  const std::vector<Charge> since = std::exchange(since_recount_, std::nullopt)->all;
  tell_denials(now);
  std::vector<WaitingLine::Left> waiting = line_.disband(setup.max_waiting);

  const Setup setup_before = std::exchange(setup_, setup);
  book_ = quota::Book{};
  metrics_.forget_limits();
  const Directory::Before before = directory_.start_over();
  estimates_.set_quantile(setup_.estimate_quantile);
  // As in recovery: limits and names that were learned decide what counts where.
  observations_.start_over(now);

  // Limits may come into being with their lanes.
  const Service& there = counted.service_;
  for (const Lane& lane : there.directory_.lanes())
    directory_.lane(lane.project_name, lane.model, lane.consumer, now.wall);
  for (quota::LimitId id = 0; id < there.book_.size(); ++id) {
    const std::string& project = there.directory_.owner(id).setup->name;
    const auto here = directory_.limit(project, there.book_.spec(id).name);
    if (here) book_.adopt(*here, there.book_, id, now);
  }
  for (const Charge& charge : since) {
    if (const Lane* lane = directory_.lane(charge.key, now.wall))
      book_.charge(lane->limits, charge.actual, charge.span, now);
  }
  open_.change_each([&](OpenCall& call) {
    Lane* lane = directory_.lane(call.lane->key, now.wall);
    call.lane = lane != nullptr ? lane : &directory_.retire(*call.lane, now.wall);
    call.share = {};
    call.explores = false;
    book_.hold(call.lane->limits, call.held);
  });
  keep_day_zones(now);
  forecasts_.start_over(now);

  std::vector<WaitingCall> removed;
  for (WaitingLine::Left& left : waiting) {
    const Lane& first = *left.route->lanes.front();
    const std::string& name = left.route->pool.empty() ? first.project_name : left.route->pool;
    const Route* route = directory_.route(name, first.model, first.consumer, now.wall);
    if (route == nullptr) {
      removed.push_back(std::move(left.call));
    } else {
      line_.push(*route, left.priority, route->lanes.front()->weight, std::move(left.call));
    }
  }
  // An answer may lead to the next request: the line stands by then.
  for (const WaitingCall& call : removed)
    call.done({.verdict = Verdict::removed, .waited = now.steady - call.since});
  if (!line_.empty()) pump(now);
}

}  // namespace weir::admission
