// A book rebuilt from the ledger equals the live one, after any traffic, at any moment, whatever the wall
// clock did; and so does the one that a reload makes while traffic goes on.
#include <map>
#include <optional>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "admission/recount.hpp"
#include "admission/service.hpp"
#include "ledger/reader.hpp"
#include "tests/property/quota_random.hpp"
#include "tests/unit/admission/fixture.hpp"
#include "time/rfc3339.hpp"

namespace weir::admission {
namespace {

using property::Random;

Setup setup() {
  Setup setup;
  ProjectSetup west{.name = "west",
                    .provider = "gemini",
                    .tier = "free",
                    .as_of = "",
                    .time_zone = "America/Los_Angeles",
                    .limits = {}};
  west.limits = {limit({"gemini-2.5-flash"}, Metric::requests, "day", 40),
                 limit({"gemini-*"}, Metric::requests, "60s", 12),
                 limit({"gemini-*"}, Metric::total_tokens, "10m", 90'000),
                 limit({"gemini-*"}, Metric::output_tokens, "1h", 500'000),
                 limit({"gemini-*"}, Metric::in_flight, "in_flight", 25),
                 limit({"gemini-*"}, Metric::cost_usd, "day", 2'000'000'000)};
  ProjectSetup east{.name = "east",
                    .provider = "groq",
                    .tier = "free",
                    .as_of = "",
                    .use_catalog = false,
                    .time_zone = "UTC",
                    .guard = Micros(2'000'000),
                    .limits = {}};
  east.limits = {limit({"*"}, Metric::requests, "week", 400, "Asia/Kolkata"),
                 limit({"*"}, Metric::input_tokens, "month", 3'000'000, "UTC"),
                 limit({"m?"}, Metric::requests, "day", 60, "Asia/Tokyo"),
                 limit({"m1"}, Metric::requests, "1s", 3)};
  setup.projects = {west, east};
  setup.consumers = {
      {.name = "batch", .max_share = 0.5, .limits = {limit({"*"}, Metric::requests, "day", 30, "")}}};
  return setup;
}

// What an operator may make of it: other amounts, zones of limits and of projects, tiers, limits more and
// less.
Setup changed_setup() {
  Setup changed = setup();
  ProjectSetup& west = changed.projects[0];
  west.tier = "tier1";
  west.time_zone = "Pacific/Kiritimati";
  west.limits[0].amount = 3;
  west.limits[1] = limit({"gemini-*"}, Metric::requests, "10m", 30);
  west.limits.push_back(limit({"*"}, Metric::requests, "month", 5'000, "Asia/Tokyo"));
  west.limits.push_back(limit({"gemini-2.5-pro"}, Metric::input_tokens, "1h", 100'000));
  ProjectSetup& east = changed.projects[1];
  east.guard = Micros(250'000);
  east.time_zone = "Pacific/Pago_Pago";
  east.limits = {limit({"m1"}, Metric::requests, "1s", 3), limit({"*"}, Metric::requests, "week", 400, "UTC"),
                 limit({"*"}, Metric::input_tokens, "month", 3'000'000, "Pacific/Pago_Pago"),
                 limit({"large"}, Metric::total_tokens, "day", 60, "Asia/Tokyo")};
  changed.consumers[0].max_share = 0.9;
  changed.consumers[0].limits = {limit({"gemini-*"}, Metric::input_tokens, "60s", 50'000, "")};
  return changed;
}

// The daemon without sockets: service and ledger over one file, under a clock of the test's.
struct Run {
  ledger::Loop loop;
  telemetry::Registry metrics;
  ledger::Ledger ledger;
  Service service;

  Run(const std::string& path, const Now& now, const Setup& under)
      : ledger(options(path), loop.post()), service(under, catalog::Catalog::embedded(), ledger, metrics) {
    ledger::Reader reader(path);
    service.recover(reader, now);
  }
  // It opens again at once, so its end waits for the slowest disk.
  static ledger::Options options(const std::string& path) {
    ledger::Options options;
    options.path = path;
    options.close_within = std::chrono::minutes(5);
    return options;
  }
  void drain() {
    bool drained = false;
    ledger.drain([&drained] { drained = true; });
    REQUIRE(loop.run_until([&drained] { return drained; }));
  }
};

std::string text_of(const quota::LimitView& view) {
  return fmt::format("amount {} used {} elsewhere {} held {} remaining {} resets {} exhausted {}",
                     view.amount, view.used, view.used_elsewhere, view.held, view.remaining,
                     view.resets_at ? to_rfc3339(*view.resets_at) : "never",
                     view.exhausted_until ? to_rfc3339(*view.exhausted_until) : "no");
}

// Every limit's state at `now` and at moments to come, by name.
std::map<std::string, std::string> picture(Service& service, const Now& now) {
  std::map<std::string, std::string> picture;
  quota::Book book = service.book();  // looking ahead moves windows: a copy does
  for (const Micros ahead : {Micros(0), Micros(700'000), Micros(59'900'000), Micros(61'000'000),
                             Micros(599'000'000), Micros(3'600'000'000)}) {
    const Now then{now.steady + ahead, now.wall + ahead};
    for (Project& project : service.directory().projects()) {
      for (const quota::LimitId id : project.limits) {
        // A limit that was learned knows of the calls before that only after a restart: it errs on the safe
        // side then.
        if (std::any_of(project.learned.begin(), project.learned.end(),
                        [&](const auto& spec) { return !spec.gate && spec.name == book.spec(id).name; })) {
          continue;
        }
        const quota::LimitView view = book.view(id, then);
        if (book.spec(id).gate && !view.exhausted_until) continue;  // counts nothing
        if (view.used == 0 && view.held == 0)
          continue;  // a model nobody has asked for yet has no lane after a restart
        picture[fmt::format("+{}s {} {}", ahead.count() / 1e6, project.setup->name, book.spec(id).name)] =
            text_of(view);
      }
    }
  }
  return picture;
}

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {
    // Near a midnight, a month's end or a daylight saving change as often as not.
    const std::vector<std::string> starts = {
        "2026-11-22T11:00:00Z", "2026-11-23T07:59:30Z", "2026-11-01T06:59:50Z", "2026-11-02T07:59:50Z",
        "2026-11-30T23:59:40Z", "2026-03-09T06:58:00Z", "2026-11-22T18:29:30Z", "2026-11-22T14:59:30Z"};
    now_.wall = *parse_rfc3339(random_.pick(starts)) + Micros(random_.between(0, 30'000'000));
    now_.steady = SteadyTime(now_.wall.time_since_epoch() - Micros(random_.between(0, 1) * 3'600'000'000));
    run_ = std::make_unique<Run>(directory_.file(), now_, setup_);
  }

  void play(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      if (random_.percent(2)) restart();
      if (random_.percent(2)) reload();
    }
    restart();
  }

 private:
  void advance(Micros by) {
    now_.steady += by;
    now_.wall += by;
    if (random_.percent(1)) now_.wall += Micros(random_.between(-3'600'000'000, 3'600'000'000));
    run_->drain();  // a lease does not end before its admission is answered
    run_->service.tick(now_);
  }

  void step() {
    switch (random_.between(0, 9)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return admit();
      case 4:
      case 5:
        return settle();
      case 6:
        return settle_late();
      case 7:
        return cancel();
      case 8:
        return record();
      default:
        return pass();
    }
  }

  void pass() {
    const std::vector<std::int64_t> lengths = {1'000,      50'000,      900'000,       7'000'000,
                                               61'000'000, 400'000'000, 4'000'000'000, 30'000'000'000};
    advance(Micros(random_.between(0, random_.pick(lengths))));
  }

  std::pair<std::string, std::string> project_and_model() {
    if (random_.percent(60)) {
      return {"west", random_.pick<std::string>(
                          {"gemini-2.5-flash", "gemini-2.5-pro", "gemini-flash-latest", "gemini-9-new"})};
    }
    return {"east", random_.pick<std::string>({"m1", "m2", "large"})};
  }

  Settlement settlement(const OpenCall* call) {
    Settlement settlement;
    settlement.status = random_.pick<int>({200, 200, 200, 400, 429, 500, 503});
    if (settlement.status == 200 && random_.percent(80)) {
      settlement.usage = Usage{.input_tokens = random_.between(0, 9'000),
                               .output_tokens = random_.between(0, 3'000),
                               .thoughts_tokens = random_.between(0, 500)};
    }
    if (settlement.status == 429 && random_.percent(30)) settlement.error = refusal();
    if (call != nullptr && random_.percent(50)) {
      settlement.sent_at = now_.wall_at(call->admitted()) + Micros(random_.between(-1'000'000, 5'000'000));
    }
    return settlement;
  }

  // A quota per day or minute with its amount, as upstream names it.
  provider::UpstreamError refusal() {
    provider::UpstreamError error;
    error.status = 429;
    error.kind = provider::ErrorKind::quota;
    provider::QuotaViolation violation;
    violation.quota_id = "quota";
    violation.period = random_.percent(50) ? provider::QuotaPeriod::day : provider::QuotaPeriod::minute;
    violation.metric = random_.percent(70) ? Metric::requests : Metric::input_tokens;
    if (random_.percent(80)) violation.amount = random_.between(1, 2'000);
    error.violations.push_back(violation);
    return error;
  }

  void admit() {
    const auto [project, model] = project_and_model();
    const std::string consumer = random_.pick<std::string>({"default", "batch", "chat"});
    Ask ask;
    ask.route = run_->service.route(project, model, consumer, now_);
    ask.want.input_tokens = random_.between(0, 8'000);
    ask.want.output_tokens = random_.between(0, 2'000);
    ask.lease = Micros(random_.often_an_end(1'000'000, 3'600'000'000));
    const Answer answer = run_->service.admit(ask, now_);
    if (answer.verdict == Verdict::admitted) known_.push_back(answer.call->id);
  }

  void settle() {
    if (known_.empty()) return;
    const ledger::CallId id = random_.pick(known_);
    if (const OpenCall* call = run_->service.open_call(id)) run_->service.settle(id, settlement(call), now_);
  }

  // What an earlier run of time has expired, or what was settled already.
  void settle_late() {
    if (known_.empty()) return;
    const ledger::CallId id = random_.pick(known_);
    if (run_->service.open_call(id) != nullptr) return;
    run_->drain();
    ledger::Reader reader(directory_.file());
    const auto call = reader.call(id);
    REQUIRE(call);
    if (random_.percent(70)) {
      run_->service.settle_closed(*call, settlement(nullptr), now_);
    } else {
      run_->service.cancel_closed(*call, now_);
    }
  }

  void cancel() {
    if (!known_.empty() && random_.percent(40)) run_->service.cancel(random_.pick(known_), now_);
  }

  void record() {
    const auto [project, model] = project_and_model();
    Lane* lane = run_->service.directory().lane(project, model, "default", now_.wall);
    const std::vector<std::int64_t> ages = {0, 500'000, 50'000'000, 3'000'000'000, 90'000'000'000};
    const Micros age(random_.between(0, random_.pick(ages)));
    run_->service.record(*lane, now_.wall - age, Amounts{}, settlement(nullptr), now_);
  }

  // A new configuration, or the same again, while calls come and go: the next restart finds the same.
  void reload() {
    if (random_.percent(50)) setup_ = random_.percent(50) ? setup() : changed_setup();
    std::optional<Recount> counted;
    for (int attempt = 0; !counted || !run_->service.recount_holds(); ++attempt) {
      REQUIRE(attempt < 100);
      counted.reset();
      std::unique_ptr<ledger::Reader> reader;
      run_->ledger.cut([this] { run_->service.begin_recount(); },
                       [&](bool good) {
                         REQUIRE(good);
                         reader = std::make_unique<ledger::Reader>(directory_.file());
                         reader->pin();
                       });
      step();  // perhaps after the cut, and before it is on disk
      REQUIRE(run_->loop.run_until([&] { return reader != nullptr; }));
      step();
      counted.emplace(setup_, catalog::Catalog::embedded(), *reader, now_);
      for (int i = 0; i < 5; ++i) step();
    }
    run_->service.reload(setup_, *counted, now_);
    restart();
  }

  void restart() {
    run_->service.tick(now_);  // as a stop does; leases that end at this moment are closed on both sides
    run_->drain();
    const auto live = picture(run_->service, now_);
    const std::size_t open = run_->service.open_calls();
    run_.reset();
    run_ = std::make_unique<Run>(directory_.file(), now_, setup_);
    const auto rebuilt = picture(run_->service, now_);
    CHECK(run_->service.open_calls() == open);
    for (const auto& [name, state] : live) {
      INFO(name, " at ", to_rfc3339(now_.wall));
      const auto found = rebuilt.find(name);
      REQUIRE(found != rebuilt.end());
      CHECK(found->second == state);
    }
    for (const auto& [name, state] : rebuilt) {
      INFO(name, " at ", to_rfc3339(now_.wall), ": ", state);
      CHECK(live.contains(name));
    }
  }

  Random random_;
  ledger::TempDirectory directory_;
  Now now_;
  Setup setup_ = setup();
  std::unique_ptr<Run> run_;
  std::vector<ledger::CallId> known_;
};

}  // namespace

TEST_CASE("a book rebuilt from the ledger equals the live one") {
  const std::uint64_t first = property::first_seed();
  for (int i = 0; i < property::scaled(200); ++i) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
    CAPTURE(seed);
    World world(seed);
    world.play(120);
  }
}

}  // namespace weir::admission
