// weir admit
#include <chrono>
#include <cmath>
#include <ostream>

#include <fmt/format.h>

#include "daemon/commands/command.hpp"
#include "daemon/commands/run_command.hpp"
#include "daemon/text/admission.hpp"
#include "daemon/text/human.hpp"
#include "text/printable.hpp"

namespace weir::daemon {
namespace {

struct Options {
  DaemonOptions daemon;
  std::string model, project, consumer, priority;
  std::int64_t input_tokens = 0, output_tokens = 0, images = 0;
  double wait_s = 0, lease_s = 0;
  bool json = false;
  std::vector<std::string> command;
};

std::string admission_body(const Options& options) {
  nlohmann::json body = {{"model", options.model}};
  if (!options.project.empty()) body["project"] = options.project;
  if (!options.consumer.empty()) body["consumer"] = options.consumer;
  if (!options.priority.empty()) body["priority"] = options.priority;
  if (options.input_tokens > 0) body["input_tokens"] = options.input_tokens;
  if (options.output_tokens > 0) body["output_tokens"] = options.output_tokens;
  if (options.images > 0) body["images"] = options.images;
  if (options.wait_s > 0) body["wait_s"] = options.wait_s;
  if (options.lease_s > 0) body["lease_s"] = options.lease_s;
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// The command ran: its exit code counts, whatever becomes of the settlement.
void close_admission(Client& client, const std::string& id, const CommandResult& result, Shell& shell) {
  ClientRequest request;
  request.target = "/v1/admissions/" + percent_encode(id);
  request.method = "DELETE";
  if (result.started) {
    request.method = "POST";
    request.target += "/settlement";
    request.body =
        nlohmann::json({{"status", result.exit_code == 0 ? 200 : 500}, {"latency_s", seconds(result.took)}})
            .dump();
  }
  try {
    const ClientAnswer answer = client.send(request);
    if (answer.status >= 300) {
      shell.err << fmt::format("weir admit: admission {} is not settled: {}\n", id,
                               render_problem(json_of(answer), answer.status));
    }
  } catch (const std::runtime_error& error) {
    shell.err << fmt::format("weir admit: admission {} is not settled, its charge stays: {}\n", id,
                             error.what());
  }
}

int run(const Options& options, Shell& shell) {
  if (options.json && !options.command.empty()) {
    throw CommandError(kWrongUsage,
                       "--json and a command exclude each other: standard output is the command's");
  }
  Client client = connect(options.daemon, shell);
  ClientRequest request;
  request.method = "POST";
  request.target = "/v1/admissions";
  request.body = admission_body(options);
  request.patience += std::chrono::milliseconds(std::llround(options.wait_s * 1000));
  const auto begin = std::chrono::steady_clock::now();
  const ClientAnswer answer = client.send(request);
  const auto elapsed = std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - begin);
  const nlohmann::json body = json_of(answer);
  if (answer.status != 200 && answer.status != 201) {
    const Micros wait(std::llround(options.wait_s * 1e6));
    if (options.json && body.is_object()) shell.out << printable_json(body.dump(2)) << '\n';
    throw CommandError(refusal_exit_code(body, answer.status, wait, elapsed),
                       render_problem(body, answer.status));
  }
  const std::string id = text_at(body, "admission_id");
  if (id.empty())
    throw CommandError(kFailed, fmt::format("what answers at {} is not weir", client.endpoint().text));
  if (options.json) {
    shell.out << printable_json(body.dump(2)) << '\n';
    return kDone;
  }
  if (options.command.empty()) {
    shell.out << render_admission(body);
    return kDone;
  }
  const CommandResult result = run_command(options.command, {{"WEIR_ADMISSION_ID", id}});
  if (!result.started) shell.err << "weir admit: " << result.problem << '\n';
  close_admission(client, id, result, shell);
  return result.exit_code;
}

}  // namespace

void add_admit(CLI::App& program, Shell& shell, Action& action,
               const std::vector<std::string>& command_line) {
  auto* command =
      program.add_subcommand("admit", "Asks whether a call may go now; runs a command when it may");
  command->footer(
      "  weir admit --model gemini-2.5-flash --input-tokens 1200 --wait 30 -- ./ask-the-model.sh\n"
      "  weir admit --model gemini-2.5-flash --json | jq -r .admission_id\n\n"
      "After --, a command: it runs once the call is admitted, with WEIR_ADMISSION_ID in its environment. "
      "Its exit\n"
      "code settles the admission and is the exit code here. Without one: 0 admitted, 4 denied, 5 waited and "
      "timed\n"
      "out; what was admitted is yours to settle (POST /v1/admissions/ID/settlement).");
  const auto options = std::make_shared<Options>();
  options->command = command_line;
  add_daemon_options(*command, options->daemon);
  command->add_option("--model", options->model, "model to be called")->required()->type_name("NAME");
  command->add_option("--project", options->project, "project or pool (default: \"default\")")
      ->type_name("NAME");
  command->add_option("--consumer", options->consumer, "on whose account (default: \"default\")")
      ->type_name("NAME");
  command->add_option("--priority", options->priority, "in the waiting line (default: the consumer's)")
      ->type_name("high|normal|low")
      ->check(CLI::IsMember({"high", "normal", "low"}));
  const auto count = CLI::Range(std::int64_t{0}, std::int64_t{9'007'199'254'740'991});
  command->add_option("--input-tokens", options->input_tokens, "estimate of the prompt's tokens")
      ->type_name("N")
      ->check(count);
  command
      ->add_option("--output-tokens", options->output_tokens,
                   "estimate of the answer's tokens, with thinking")
      ->type_name("N")
      ->check(count);
  command->add_option("--images", options->images, "images to be generated")->type_name("N")->check(count);
  command->add_option("--wait", options->wait_s, "seconds to wait for room (default: 0)")
      ->type_name("S")
      ->check(number_within(0, 86'400));
  command
      ->add_option("--lease", options->lease_s, "seconds after which an unsettled admission counts as sent")
      ->type_name("S")
      ->check(number_within(0, 86'400));
  command->add_flag("--json", options->json, "the daemon's answer as JSON");
  command->callback(
      [&shell, &action, options] { action = [&shell, options] { return run(*options, shell); }; });
}

}  // namespace weir::daemon
