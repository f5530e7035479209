// weir simulate
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <ostream>

#include <fmt/format.h>

#include "daemon/commands/command.hpp"
#include "daemon/service_setup.hpp"
#include "daemon/text/simulation.hpp"
#include "text/printable.hpp"
#include "text/suggest.hpp"
#include "time/rfc3339.hpp"

#include "simulation/engine.hpp"
#include "simulation/summary.hpp"
#include "simulation/trace.hpp"

namespace weir::daemon {
namespace {

using simulation::Counting;

// The same trace must be decided the same way tomorrow, so this is no clock's time. Midnight in Los Angeles,
// where Gemini's days begin; a Monday and the first of a month, so that weeks and months are whole too; weeks
// away from any change to or from daylight saving time; later than every built-in table of limits and prices.
constexpr auto kDefaultStart = "2027-02-01T08:00:00Z";
constexpr std::size_t kPiece = 64 * 1024;

struct Options {
  std::string trace, config, start, upstream;
  double jitter_s = 0;
  std::uint64_t seed = 1;
  bool summary = false, json = false;
};

// "sliding", "minute", "minute:PHASE" or "bucket".
simulation::UpstreamOptions upstream_options(const Options& options) {
  simulation::UpstreamOptions upstream;
  upstream.jitter = Micros(std::llround(options.jitter_s * 1e6));
  upstream.seed = options.seed;
  const std::size_t colon = options.upstream.find(':');
  const std::string word = options.upstream.substr(0, colon);
  if (word == "sliding") {
    upstream.counting = Counting::sliding;
  } else if (word == "minute") {
    upstream.counting = Counting::fixed;
  } else if (word == "bucket") {
    upstream.counting = Counting::bucket;
  } else {
    throw CommandError(kWrongUsage,
                       fmt::format("--upstream takes sliding, minute:PHASE or bucket, not \"{}\"{}",
                                   options.upstream, did_you_mean(word, {"sliding", "minute", "bucket"})));
  }
  if (colon == std::string::npos) return upstream;
  double phase = -1;
  const std::string text = options.upstream.substr(colon + 1);
  if (upstream.counting != Counting::fixed || !CLI::detail::lexical_cast(text, phase) ||
      !(phase >= 0 && phase <= 3600)) {
    throw CommandError(kWrongUsage, fmt::format("--upstream {}: only minute takes a phase, of 0 to 3600 "
                                                "seconds, as in minute:30",
                                                options.upstream));
  }
  upstream.phase = Micros(std::llround(phase * 1e6));
  return upstream;
}

void check(const Options& options) {
  if (options.json && !options.summary)
    throw CommandError(kWrongUsage, "--json is about --summary: decisions are JSON in any case");
  if (options.upstream.empty() && options.jitter_s > 0)
    throw CommandError(kWrongUsage, "--jitter is about a modelled provider: add --upstream");
}

std::string no_such_project(std::string_view name, const admission::Setup& setup) {
  std::vector<std::string_view> known;
  for (const auto& project : setup.projects) known.push_back(project.name);
  for (const auto& pool : setup.pools) known.push_back(pool.name);
  return fmt::format("no project or pool is named \"{}\"{}", name, did_you_mean(name, known));
}

// Feeds the trace to the engine. Answers what is wrong with the line that ended it; "" if none did.
std::string feed(simulation::TraceReader& reader, simulation::Engine& engine) {
  simulation::Arrival arrival;
  while (true) {
    switch (reader.next(arrival)) {
      case simulation::TraceReader::Got::end:
        engine.finish();
        return {};
      case simulation::TraceReader::Got::fault:
        return reader.fault();
      case simulation::TraceReader::Got::arrival:
        if (!engine.arrive(arrival)) return no_such_project(arrival.project, engine.service().setup());
    }
  }
}

// Where decisions go: in pieces, so that writing costs little.
class DecisionWriter {
 public:
  explicit DecisionWriter(std::ostream& out) : out_(out) {}
  void write(const simulation::Decided& decided, const quota::Book& book) {
    append_decision(lines_, decided, decided.limit ? book.spec(*decided.limit).name : std::string_view());
    if (lines_.size() >= kPiece) flush();
  }
  void flush() {
    out_ << lines_;
    lines_.clear();
    if (!out_) throw CommandError(kFailed, "cannot write to standard output: the decisions are incomplete");
  }

 private:
  std::ostream& out_;
  std::string lines_;
};

WallTime start_of(const Options& options) {
  const auto start = parse_rfc3339(options.start.empty() ? kDefaultStart : options.start);
  if (start) return *start;
  throw CommandError(kWrongUsage, fmt::format("--start takes a time as 2026-11-22 or 2026-11-22T08:00:00Z, "
                                              "not \"{}\"",
                                              options.start));
}

int run(const Options& options, Shell& shell) {
  check(options);
  std::optional<simulation::UpstreamOptions> upstream;
  if (!options.upstream.empty()) upstream = upstream_options(options);
  const WallTime start = start_of(options);
  const admission::Setup setup = service_setup(read_configuration(options.config, shell));

  std::ifstream file;
  const bool standard_input = options.trace == "-";
  if (!standard_input) {
    file.open(options.trace, std::ios::binary);
    if (!file) throw CommandError(kWrongUsage, fmt::format("cannot read the trace {}", options.trace));
  }
  simulation::TraceReader reader(standard_input ? std::cin : file, setup.max_wait);
  simulation::Summary summary;
  DecisionWriter writer(shell.out);
  simulation::Engine* running = nullptr;
  simulation::Engine engine(setup, catalog::Catalog::embedded(), start, upstream,
                            [&](const simulation::Decided& decided) {
                              if (options.summary) {
                                summary.add(decided, *running);
                              } else {
                                writer.write(decided, running->service().book());
                              }
                            });
  running = &engine;

  const std::string fault = feed(reader, engine);
  if (!options.summary) writer.flush();
  if (!fault.empty()) {
    shell.err << fmt::format("{}:{}: {}\n", standard_input ? "stdin" : printable(options.trace),
                             reader.line(), printable(fault));
    return kWrongUsage;
  }
  if (!options.summary) return kDone;
  const nlohmann::ordered_json totals = summary_json(summary, engine);
  shell.out << (options.json ? printable_json(totals.dump(2)) + "\n" : render_summary(totals, shell.look));
  return kDone;
}

}  // namespace

void add_simulate(CLI::App& program, Shell& shell, Action& action) {
  auto* command = program.add_subcommand(
      "simulate", "Runs recorded or made-up arrivals through the quota model, in virtual time");
  command->footer(
      "  weir simulate --trace arrivals.ndjson --config weir.toml            # one decision a line\n"
      "  weir simulate --trace arrivals.ndjson --summary                     # totals, and how full each "
      "limit "
      "was\n"
      "  weir simulate --trace arrivals.ndjson --summary --upstream minute:30 --jitter 0.2\n"
      "                                     # and how many calls a provider with these limits would refuse\n"
      "  echo '{\"at\":0,\"model\":\"gemini-2.5-flash\",\"wait_s\":30,\"id\":\"a\"}' | weir simulate --trace "
      "-");
  const auto options = std::make_shared<Options>();
  command->add_option("--trace", options->trace, "arrivals as NDJSON, in time order; - for standard input")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--config", options->config,
                   "configuration file (default: $WEIR_CONFIG, else /etc/weir/weir.toml)")
      ->type_name("FILE");
  command
      ->add_option(
          "--start", options->start,
          fmt::format("wall clock at \"at\": 0 (default: {}, so that every run is the same)", kDefaultStart))
      ->type_name("TIME");
  command->add_flag("--summary", options->summary, "totals instead of decisions");
  command->add_flag("--json", options->json, "the totals as JSON");
  command
      ->add_option("--upstream", options->upstream,
                   "model a provider with the same limits: sliding, minute:PHASE (its minutes begin PHASE "
                   "seconds after full ones), or bucket")
      ->type_name("KIND");
  command
      ->add_option("--jitter", options->jitter_s, "admitted calls reach it 0 to S seconds later (default: 0)")
      ->type_name("S")
      ->check(number_within(0, 3600));
  command->add_option("--seed", options->seed, "of the jitter's chance (default: 1)")->type_name("N");
  command->callback(
      [&shell, &action, options] { action = [&shell, options] { return run(*options, shell); }; });
}

}  // namespace weir::daemon
