#include "admission/waiting_line.hpp"

#include <algorithm>

namespace weir::admission {
namespace {

constexpr std::int64_t kWhole = 1'000'000'000;
constexpr double kLeastWeight = 0.001;

bool contains(const std::vector<quota::LimitId>& limits, quota::LimitId limit) {
  return std::find(limits.begin(), limits.end(), limit) != limits.end();
}

bool counts_on(const Route& route, quota::LimitId limit) {
  return std::any_of(route.lanes.begin(), route.lanes.end(),
                     [limit](const Lane* lane) { return contains(lane->limits, limit); });
}

std::int64_t share_of(std::int64_t amount, const quota::LimitSpec& limit) {
  if (limit.amount <= 0) return 0;
  return static_cast<std::int64_t>(static_cast<double>(amount) / static_cast<double>(limit.amount) * kWhole);
}

}  // namespace

// --- marks

void WaitingLine::Marks::mark(quota::LimitId limit) {
  if (limit >= round_of_.size()) round_of_.resize(limit + 1, 0);
  round_of_[limit] = round_;
}

bool WaitingLine::Marks::any(const std::vector<quota::LimitId>& limits) const {
  return std::any_of(limits.begin(), limits.end(), [this](quota::LimitId id) { return contains(id); });
}

// --- in and out

Tenant& WaitingLine::tenant(const Route& route, Priority priority, double weight) {
  const Lane& front = *route.lanes.front();
  const auto [found, fresh] = tenants_.try_emplace({front.project, front.key.consumer, priority}, Tenant{});
  Tenant& tenant = found->second;
  if (fresh) {
    tenant.domain = &domains_[{front.project, priority}];
    tenant.weight = std::max(weight, kLeastWeight);
  }
  return tenant;
}

std::uint64_t WaitingLine::push(const Route& route, Priority priority, double weight, WaitingCall call) {
  Flow& flow = flows_[{&route, priority}];
  if (flow.calls.empty()) {
    flow.route = &route;
    flow.priority = priority;
    flow.tenant = &tenant(route, priority, weight);
  }
  Tenant& tenant = *flow.tenant;
  if (tenant.waiting++ == 0) tenant.counter = std::max(tenant.counter, tenant.domain->served);
  if (call.ticket == 0) call.ticket = ++last_ticket_;
  const std::uint64_t ticket = call.ticket;
  call.flow = &flow;
  flow.wants += call.want;
  by_deadline_.emplace(call.deadline, call.ticket);
  flow.calls.push_back(std::move(call));
  by_ticket_.emplace(ticket, std::prev(flow.calls.end()));
  return ticket;
}

std::vector<WaitingLine::Left> WaitingLine::disband(std::size_t capacity) {
  std::vector<Left> left;
  for (const std::uint64_t ticket : tickets()) {
    const Flow& flow = *find(ticket)->flow;
    const Route* route = flow.route;
    const Priority priority = flow.priority;
    left.push_back({route, priority, *remove(ticket)});
  }
  const std::uint64_t last = last_ticket_;
  *this = WaitingLine(capacity, *book_);
  last_ticket_ = last;
  return left;
}

WaitingCall* WaitingLine::find(std::uint64_t ticket) {
  const auto found = by_ticket_.find(ticket);
  return found == by_ticket_.end() ? nullptr : &*found->second;
}

std::optional<WaitingCall> WaitingLine::remove(std::uint64_t ticket) {
  const auto found = by_ticket_.find(ticket);
  if (found == by_ticket_.end()) return std::nullopt;
  const auto at = found->second;
  Flow& flow = *at->flow;
  WaitingCall call = std::move(*at);
  by_ticket_.erase(found);
  by_deadline_.erase({call.deadline, ticket});
  flow.wants = flow.wants - call.want;
  --flow.tenant->waiting;
  // One of those that were tried in this round: the ones behind it move up.
  auto front = flow.calls.begin();
  for (std::size_t i = 0; i < flow.tried; ++i, ++front) {
    if (front == at) {
      --flow.tried;
      break;
    }
  }
  flow.calls.erase(at);
  if (flow.calls.empty()) {
    flow.passed_over = 0;
    if (!in_round_) flows_.erase({flow.route, flow.priority});
  } else if (in_round_) {
    offer(flow);
  }
  call.flow = nullptr;
  return call;
}

// --- a round

WaitingLine::Key WaitingLine::key(const Flow& flow, const WaitingCall& call) {
  const int priority = flow.passed_over >= kTurns ? -1 : static_cast<int>(flow.priority);
  return {priority, flow.tenant->counter - flow.tenant->domain->base, call.ticket};
}

WaitingCall* WaitingLine::candidate(Flow& flow) {
  if (flow.tried >= kLook || flow.tried >= flow.calls.size()) return nullptr;
  return &*std::next(flow.calls.begin(), static_cast<std::ptrdiff_t>(flow.tried));
}

void WaitingLine::offer(Flow& flow) {
  const WaitingCall* call = candidate(flow);
  if (call == nullptr) return;
  flow.entry = ++last_entry_;
  round_.push({key(flow, *call), &flow, flow.entry});
}

void WaitingLine::begin_round() {
  in_round_ = true;
  broken_off_ = false;
  next_room_ = SteadyTime::max();
  overtakable_.clear();
  blocked_.clear();
  std::swap(lacking_, lacked_);
  lacking_.clear();
  for (auto& [of, domain] : domains_) domain.base = domain.served;
  for (auto& [of, flow] : flows_) {
    flow.tried = 0;
    offer(flow);
  }
}

WaitingCall* WaitingLine::next() {
  while (!round_.empty()) {
    const Entry entry = round_.top();
    round_.pop();
    Flow& flow = *entry.flow;
    if (flow.entry != entry.number) continue;
    WaitingCall* call = candidate(flow);
    if (call == nullptr) continue;
    if (key(flow, *call) > entry.key) {  // its consumer was served meanwhile, or its call has left
      offer(flow);
      continue;
    }
    return call;
  }
  end_round();
  return nullptr;
}

void WaitingLine::end_round() {
  in_round_ = false;
  std::erase_if(flows_, [](const auto& each) { return each.second.calls.empty(); });
}

void WaitingLine::break_off() {
  round_ = {};
  broken_off_ = true;
  end_round();
  for (const auto& [of, flow] : flows_) {
    for (const quota::LimitId limit : flow.lacks) lacking_.mark(limit);
  }
}

void WaitingLine::lack(WaitingCall& call, const std::vector<quota::LimitId>& lacks, SteadyTime room_at) {
  if (&call == &call.flow->calls.front()) call.flow->lacks = lacks;
  next_room_ = std::min(next_room_, room_at);
  for (const quota::LimitId limit : lacks) lacking_.mark(limit);
}

void WaitingLine::stuck(WaitingCall& call, const std::vector<quota::LimitId>& lacks, SteadyTime room_at) {
  lack(call, lacks, room_at);
  if (call.overtaken >= kMaxOvertakes) {
    for (const quota::LimitId limit : lacks) blocked_.mark(limit);
  } else {
    overtakable_.push_back({call.ticket, lacks});
  }
  ++call.flow->tried;
  offer(*call.flow);
}

WaitingCall WaitingLine::admitted(WaitingCall& call, const Lane& lane) {
  Flow& flow = *call.flow;
  for (const Overtakable& each : overtakable_) {
    if (std::none_of(each.lacks.begin(), each.lacks.end(),
                     [&](quota::LimitId id) { return contains(lane.limits, id); })) {
      continue;
    }
    WaitingCall* overtaken = find(each.ticket);
    if (overtaken == nullptr || ++overtaken->overtaken < kMaxOvertakes) continue;
    for (const quota::LimitId limit : each.lacks) blocked_.mark(limit);
  }
  flow.passed_over = 0;
  went_past(lane, flow.priority);
  return *remove(call.ticket);
}

void WaitingLine::went_past(const Lane& lane, Priority priority) {
  for (auto& [of, flow] : flows_) {
    if (flow.priority <= priority || flow.calls.empty()) continue;
    const bool shares =
        std::any_of(lane.limits.begin(), lane.limits.end(),
                    [&, &route = *flow.route](quota::LimitId id) { return counts_on(route, id); });
    // A turn that has come is put forward at once: the entry with the older key is stale.
    if (shares && ++flow.passed_over == kTurns) offer(flow);
  }
}

bool WaitingLine::lacks(const std::vector<quota::LimitId>& limits) const {
  return !empty() && (broken_off_ || lacking_.any(limits));
}

// --- fair shares

Share WaitingLine::charge(Flow& flow, const Lane& lane, const Amounts& held) {
  Share share;
  std::int64_t most = 0;
  for (const quota::LimitId id : lane.limits) {
    const quota::LimitSpec& limit = book_->spec(id);
    if (!lacking_.contains(id) && !lacked_.contains(id)) continue;
    const std::int64_t part = share_of(held.of(limit.metric), limit);
    if (part <= most) continue;
    most = part;
    share = {flow.tenant, id, held.of(limit.metric)};
  }
  if (share.tenant == nullptr) return share;
  Tenant& tenant = *share.tenant;
  tenant.domain->served = std::max(tenant.domain->served, tenant.counter);
  tenant.counter += static_cast<std::int64_t>(static_cast<double>(most) / tenant.weight);
  return share;
}

void WaitingLine::correct(const Share& share, const Amounts& actual) {
  if (share.tenant == nullptr) return;
  const quota::LimitSpec& limit = book_->spec(share.limit);
  const std::int64_t more = share_of(actual.of(limit.metric) - share.amount, limit);
  share.tenant->counter += static_cast<std::int64_t>(static_cast<double>(more) / share.tenant->weight);
}

std::int64_t WaitingLine::ahead(const Route& route, Priority priority, const Lane& lane,
                                quota::LimitId limit) const {
  const Metric metric = book_->spec(limit).metric;
  // Of its own consumer everybody stands before it; others of its priority take turns with it.
  const auto own = tenants_.find({route.lanes.front()->project, lane.key.consumer, priority});
  const double own_calls = own == tenants_.end() ? 1 : static_cast<double>(own->second.waiting) + 1;
  const double own_weight = own == tenants_.end() ? 1 : own->second.weight;
  double sum = 0;
  for (const auto& [of, flow] : flows_) {
    if (flow.calls.empty() || flow.priority > priority || !counts_on(*flow.route, limit)) continue;
    double part = 1;
    if (flow.priority == priority && (own == tenants_.end() || flow.tenant != &own->second)) {
      const double turns = own_calls * flow.tenant->weight / own_weight;
      part = std::min(1.0, turns / static_cast<double>(flow.tenant->waiting));
    }
    sum += part * static_cast<double>(flow.wants.of(metric));
  }
  return static_cast<std::int64_t>(sum);
}

// --- what it looks like

void WaitingLine::count_waiting(std::vector<std::size_t>& by_limit) const {
  by_limit.assign(book_->size(), 0);
  for (const auto& [of, flow] : flows_) {
    for (const quota::LimitId limit : flow.lacks) by_limit[limit] += flow.calls.size();
  }
}

std::size_t WaitingLine::waiting(const Project& project, Priority priority) const {
  std::size_t count = 0;
  for (const auto& [of, flow] : flows_) {
    if (flow.priority == priority && flow.route->lanes.front()->project == &project)
      count += flow.calls.size();
  }
  return count;
}

void WaitingLine::overdue(SteadyTime now, std::vector<std::uint64_t>& tickets) const {
  for (const auto& [deadline, ticket] : by_deadline_) {
    if (deadline > now) break;
    tickets.push_back(ticket);
  }
}

std::vector<std::uint64_t> WaitingLine::tickets() const {
  std::vector<std::uint64_t> tickets;
  for (const auto& [ticket, call] : by_ticket_) tickets.push_back(ticket);
  std::sort(tickets.begin(), tickets.end());
  return tickets;
}

std::optional<SteadyTime> WaitingLine::next_event() const {
  if (empty()) return std::nullopt;
  return std::min(by_deadline_.begin()->first, next_room_);
}

}  // namespace weir::admission
