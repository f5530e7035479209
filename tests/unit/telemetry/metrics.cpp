#include "telemetry/metrics.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

#include <unistd.h>

#include <doctest/doctest.h>

#include "telemetry/process.hpp"

using namespace weir::telemetry;

namespace {

FamilyOptions calls_options() {
  FamilyOptions options;
  options.name = "weir_calls_total";
  options.help = "Calls that upstream answered.";
  options.labels = {"model", "consumer"};
  options.bounded_labels = {"model", "consumer"};
  return options;
}

std::size_t count_of(const std::string& text, const std::string& wanted) {
  std::size_t count = 0;
  for (std::size_t at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("a family without series still tells its help and type") {
  Registry registry;
  registry.add(calls_options());
  CHECK(registry.snapshot().render() ==
        "# HELP weir_calls_total Calls that upstream answered.\n# TYPE weir_calls_total counter\n");
}

TEST_CASE("series are rendered in the order of their creation, at 0 from the start") {
  Registry registry;
  Family& calls = registry.add(calls_options());
  Counter& first = calls.counter({"gemini-2.5-flash", "chat"});
  calls.counter({"gemini-2.5-pro", "chat"});
  first.add();
  first.add(41);
  CHECK(registry.snapshot().render() ==
        "# HELP weir_calls_total Calls that upstream answered.\n"
        "# TYPE weir_calls_total counter\n"
        "weir_calls_total{model=\"gemini-2.5-flash\",consumer=\"chat\"} 42\n"
        "weir_calls_total{model=\"gemini-2.5-pro\",consumer=\"chat\"} 0\n");
}

TEST_CASE("the same label values give the same series, and references stay good while thousands are added") {
  Registry registry;
  FamilyOptions options = calls_options();
  options.max_series = 100'000;
  Family& calls = registry.add(options);
  Counter& first = calls.counter({"m", "c"});
  for (int i = 0; i < 5000; ++i) calls.counter({"m" + std::to_string(i), "c"});
  CHECK(&first == &calls.counter({"m", "c"}));
  first.add(7);
  const std::string text = registry.snapshot().render();
  CHECK(text.find("weir_calls_total{model=\"m\",consumer=\"c\"} 7\n") != std::string::npos);
  CHECK(text.find("weir_calls_total{model=\"m4999\",consumer=\"c\"} 0\n") != std::string::npos);
  CHECK(count_of(text, "\n") == 5001 + 2);
}

TEST_CASE("a metric without labels has no braces") {
  Registry registry;
  FamilyOptions options;
  options.name = "weir_ledger_backlog";
  options.type = Type::gauge;
  registry.add(options).gauge({}).set(2.5);
  CHECK(registry.snapshot().render() ==
        "# HELP weir_ledger_backlog \n# TYPE weir_ledger_backlog gauge\nweir_ledger_backlog 2.5\n");
}

TEST_CASE("a counter of billionths is rendered without float noise") {
  Registry registry;
  FamilyOptions options;
  options.name = "weir_cost_usd_total";
  options.scale = 1e-9;
  Counter& cost = registry.add(options).counter({});
  const auto rendered = [&] {
    const std::string text = registry.snapshot().render();
    return text.substr(text.rfind(' ') + 1);
  };
  CHECK(rendered() == "0\n");
  cost.add(123'456);
  CHECK(rendered() == "0.000123456\n");
  cost.add(7'000'000'000 - 123'456);
  CHECK(rendered() == "7\n");
  cost.add(1);
  CHECK(rendered() == "7.000000001\n");
}

TEST_CASE("histogram buckets are cumulative, bounds included, and agree with sum and count") {
  Registry registry;
  FamilyOptions options;
  options.name = "weir_ledger_commit_seconds";
  options.help = "Time of a commit.";
  options.type = Type::histogram;
  options.labels = {"kind"};
  options.buckets = {0.001, 0.5, 2};
  Family& family = registry.add(options);
  Histogram& commits = family.histogram({"a"});
  for (const double value : {0.0005, 0.001, 0.25, 2.0, 2.5, 1e9}) commits.observe(value);
  commits.observe(std::numeric_limits<double>::quiet_NaN());
  family.histogram({"b"});
  CHECK(registry.snapshot().render() ==
        "# HELP weir_ledger_commit_seconds Time of a commit.\n"
        "# TYPE weir_ledger_commit_seconds histogram\n"
        "weir_ledger_commit_seconds_bucket{kind=\"a\",le=\"0.001\"} 2\n"
        "weir_ledger_commit_seconds_bucket{kind=\"a\",le=\"0.5\"} 3\n"
        "weir_ledger_commit_seconds_bucket{kind=\"a\",le=\"2\"} 4\n"
        "weir_ledger_commit_seconds_bucket{kind=\"a\",le=\"+Inf\"} 6\n"
        "weir_ledger_commit_seconds_sum{kind=\"a\"} 1000000004.7515\n"
        "weir_ledger_commit_seconds_count{kind=\"a\"} 6\n"
        "weir_ledger_commit_seconds_bucket{kind=\"b\",le=\"0.001\"} 0\n"
        "weir_ledger_commit_seconds_bucket{kind=\"b\",le=\"0.5\"} 0\n"
        "weir_ledger_commit_seconds_bucket{kind=\"b\",le=\"2\"} 0\n"
        "weir_ledger_commit_seconds_bucket{kind=\"b\",le=\"+Inf\"} 0\n"
        "weir_ledger_commit_seconds_sum{kind=\"b\"} 0\n"
        "weir_ledger_commit_seconds_count{kind=\"b\"} 0\n");
}

TEST_CASE("past the cap, new bounded label values share the series other, and known ones stay apart") {
  Registry registry;
  FamilyOptions options = calls_options();
  options.labels = {"project", "consumer"};
  options.bounded_labels = {"consumer"};
  options.max_series = 3;
  Family& calls = registry.add(options);
  for (int i = 0; i < 100; ++i) calls.counter({"p", "c" + std::to_string(i)}).add();
  calls.counter({"p", "c1"}).add();
  const std::string text = registry.snapshot().render();
  CHECK(text.find("{project=\"p\",consumer=\"c0\"} 1\n") != std::string::npos);
  CHECK(text.find("{project=\"p\",consumer=\"c1\"} 2\n") != std::string::npos);
  CHECK(text.find("{project=\"p\",consumer=\"c2\"} 1\n") != std::string::npos);
  CHECK(text.find("{project=\"p\",consumer=\"other\"} 97\n") != std::string::npos);
  CHECK(count_of(text, "\n") == 2 + 4);
}

TEST_CASE(
    "a snapshot keeps its values and series while the registry goes on, and another thread may render it") {
  Registry registry;
  Family& calls = registry.add(calls_options());
  Counter& counter = calls.counter({"m", "c"});
  counter.add(1);
  const Snapshot before = registry.snapshot();
  std::string rendered;
  std::thread renderer([&] { rendered = before.render(); });
  for (int i = 0; i < 1000; ++i) calls.counter({"m" + std::to_string(i), "c"}).add();
  counter.add(1);
  const Snapshot after = registry.snapshot();
  renderer.join();
  CHECK(rendered.find("weir_calls_total{model=\"m\",consumer=\"c\"} 1\n") != std::string::npos);
  CHECK(count_of(rendered, "\n") == 3);
  CHECK(count_of(after.render(), "\n") == 2 + 1001);
}

TEST_CASE("a cleared family starts anew and older snapshots keep what they had") {
  Registry registry;
  FamilyOptions options = calls_options();
  options.type = Type::gauge;
  Family& family = registry.add(options);
  for (int i = 0; i < 300; ++i) family.gauge({std::to_string(i), "c"}).set(i);
  const Snapshot before = registry.snapshot();
  family.clear();
  family.gauge({"only", "c"}).set(1);
  CHECK(count_of(before.render(), "\n") == 302);
  CHECK(count_of(registry.snapshot().render(), "\n") == 3);
}

TEST_CASE("a caller's mistake is refused at once") {
  Registry registry;
  Family& calls = registry.add(calls_options());
  CHECK_THROWS_AS(registry.add(calls_options()), std::invalid_argument);  // twice
  CHECK_THROWS_AS(calls.gauge({"m", "c"}), std::logic_error);
  CHECK_THROWS_AS(calls.counter({"m"}), std::logic_error);
  FamilyOptions options;
  options.name = "9lives";
  CHECK_THROWS_AS(registry.add(options), std::invalid_argument);
  options.name = "lives";
  options.labels = {"no-dash"};
  CHECK_THROWS_AS(registry.add(options), std::invalid_argument);
  options.labels = {"le"};
  options.type = Type::histogram;
  options.buckets = {1, 2};
  CHECK_THROWS_AS(registry.add(options), std::invalid_argument);
  options.labels = {};
  options.buckets = {1, 1};
  CHECK_THROWS_AS(registry.add(options), std::invalid_argument);
}

TEST_CASE("promtool finds nothing to say about a rendered sample") {
  if (std::system("command -v promtool > /dev/null 2>&1") != 0) {
    MESSAGE("skipped: promtool is not installed (Debian: prometheus)");
    return;
  }
  Registry registry;
  FamilyOptions options = calls_options();
  options.help = "A back\\slash, a\nline feed and \"quotes\".";
  registry.add(options).counter({"quo\"te", "back\\slash\nnew \xff line"}).add(3);
  options = {};
  options.name = "weir_quota_limit";
  options.help = "Amount.";
  options.type = Type::gauge;
  options.labels = {"limit"};
  Family& gauges = registry.add(options);
  gauges.gauge({"nan"}).set(std::numeric_limits<double>::quiet_NaN());
  gauges.gauge({"inf"}).set(std::numeric_limits<double>::infinity());
  gauges.gauge({"small"}).set(1.25e-17);
  options = {};
  options.name = "weir_admission_wait_seconds";
  options.help = "Waits.";
  options.type = Type::histogram;
  options.buckets = {0.1, 1, 10};
  registry.add(options).histogram({}).observe(0.5);
  std::string text = registry.snapshot().render();
  append_process_metrics(text);

  const auto base = std::filesystem::temp_directory_path() / ("weir-metrics-" + std::to_string(::getpid()));
  const std::string sample = base.string() + ".txt";
  const std::string said = base.string() + ".out";
  std::ofstream(sample) << text;
  const std::string command = "promtool check metrics < '" + sample + "' > '" + said + "' 2>&1";
  CHECK(std::system(command.c_str()) == 0);
  std::stringstream output;
  output << std::ifstream(said).rdbuf();
  CHECK(output.str().empty());
  std::filesystem::remove(sample);
  std::filesystem::remove(said);
}
