// Lookups that hang, are shared, are given up; by a resolver whose lookups end when a test says so.
#include "upstream/resolver.hpp"

#include <condition_variable>
#include <mutex>
#include <set>

#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::upstream::test {
namespace {

// Lookups of names that end when they are let go. Shared with threads that may outlive the test.
class World {
 public:
  Found look_up(const std::string& host) {
    std::unique_lock lock(mutex_);
    begun_.push_back(host);
    changed_.wait(lock, [&] { return free_ || let_go_.count(host) > 0; });
    return {{}, {boost::asio::ip::make_address("192.0.2.1")}};
  }
  void let_go(const std::string& host) {
    const std::lock_guard lock(mutex_);
    let_go_.insert(host);
    changed_.notify_all();
  }
  void let_all_go() {
    const std::lock_guard lock(mutex_);
    free_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] std::size_t begun() {
    const std::lock_guard lock(mutex_);
    return begun_.size();
  }
  [[nodiscard]] std::size_t begun(const std::string& host) {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count(begun_.begin(), begun_.end(), host));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> begun_;
  std::set<std::string> let_go_;
  bool free_ = false;
};

class Names : public Fixture {
 public:
  ~Names() { world->let_all_go(); }

  Resolver::Ticket ask(const std::string& host) {
    return resolver->ask(host, [this, host](const Found& found) {
      told += host + (found.error ? "! " : " ");
      if (at_told) at_told();
    });
  }
  std::shared_ptr<World> world = std::make_shared<World>();
  std::unique_ptr<Resolver> resolver = std::make_unique<Resolver>(
      loop, [keep = world](const std::string& host) { return keep->look_up(host); });
  std::string told;
  std::function<void()> at_told;
};

}  // namespace

TEST_CASE("a name that is looked up for long keeps no other waiting, and its callers share one lookup") {
  Names names;
  for (int i = 0; i < 3; ++i) names.ask("slow");
  names.ask("quick");
  names.world->let_go("quick");
  REQUIRE(names.until([&] { return !names.told.empty(); }));
  CHECK(names.told == "quick ");
  names.world->let_go("slow");
  REQUIRE(names.until([&] { return names.told == "quick slow slow slow "; }));
  CHECK(names.world->begun("slow") == 1);
  names.ask("slow");
  REQUIRE(names.until([&] { return names.told == "quick slow slow slow slow "; }));
  CHECK(names.world->begun("slow") == 2);  // nothing is remembered: the system's resolver has its own store
}

TEST_CASE("so many lookups go at once; the next wait in line, and those that nobody waits for are left out") {
  Names names;
  for (std::size_t i = 0; i < Resolver::kMostLookups; ++i) names.ask("slow" + std::to_string(i));
  REQUIRE(names.until([&] { return names.world->begun() == Resolver::kMostLookups; }));
  names.resolver->forget("given-up", names.ask("given-up"));
  names.world->let_go("next");
  names.ask("next");
  CHECK(names.told.empty());
  names.world->let_go("slow3");
  REQUIRE(names.until([&] { return names.told == "slow3 next "; }));
  CHECK(names.world->begun("given-up") == 0);
}

TEST_CASE("who has given up is told nothing, also when another caller of the same name says so") {
  Names names;
  names.resolver->forget("a", names.ask("a"));
  names.ask("a");
  const auto last = names.ask("a");
  names.at_told = [&] { names.resolver->forget("a", last); };
  names.world->let_all_go();
  REQUIRE(names.until([&] { return !names.told.empty(); }));
  names.loop.restart();
  names.loop.run_for(std::chrono::milliseconds(5));
  CHECK(names.told == "a ");
}

TEST_CASE("the end of a resolver waits for no lookup, and comes from whoever is told too") {
  Names names;
  names.ask("slow");
  SUBCASE("from outside") {
    REQUIRE(names.until([&] { return names.world->begun() == 1; }));
    names.resolver.reset();
    names.world->let_all_go();
    names.loop.restart();
    names.loop.run_for(std::chrono::milliseconds(5));
    CHECK(names.told.empty());
  }
  SUBCASE("from who is told first") {
    names.ask("slow");
    names.at_told = [&] { names.resolver.reset(); };
    names.world->let_all_go();
    REQUIRE(names.until([&] { return names.resolver == nullptr; }));
    CHECK(names.told == "slow ");
  }
}

TEST_CASE("the system knows localhost, and no name of the domain invalid") {
  CHECK(!look_up("localhost").addresses.empty());
  CHECK(look_up("no-such-host.invalid").error);
}

}  // namespace weir::upstream::test
