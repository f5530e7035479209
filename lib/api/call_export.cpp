#include "api/call_export.hpp"

#include <map>

#include "api/render.hpp"
#include "ledger/call_id.hpp"
#include "time/rfc3339.hpp"

namespace weir::api {
namespace {

constexpr std::size_t kStreamPage = 1000;

class Names {
 public:
  explicit Names(ledger::Reader& reader) : reader_(reader) {}
  const std::string& operator()(ledger::NameId id) {
    const auto known = names_.find(id);
    return known != names_.end() ? known->second : names_.emplace(id, reader_.name(id)).first->second;
  }

 private:
  ledger::Reader& reader_;
  std::map<ledger::NameId, std::string> names_;
};

void append_csv(std::string& out, const ledger::Call& call, Names& names) {
  const ledger::Outcome& outcome = call.outcome;
  ledger::append_id(out, call.admission.id);
  out += ',';
  if (call.admission.lease_us > 0) ledger::append_id(out, call.admission.id);
  for (const ledger::NameId name :
       {call.admission.key.project, call.admission.key.model, call.admission.key.consumer}) {
    out += ',';
    append_csv_text(out, names(name));
  }
  out += ',';
  out += to_string(call.closed ? outcome.state : ledger::State::open);
  out += ',';
  if (call.closed && outcome.status != 0) append_int(out, outcome.status);
  out += ',';
  out += to_rfc3339(call.admitted_at());
  out += ',';
  if (call.closed) out += to_rfc3339(call.admitted_at() + Micros(outcome.settled_us));
  out += ',';
  if (call.closed && outcome.latency_us >= 0) append_seconds(out, Micros(outcome.latency_us));
  const Usage& usage = outcome.usage;
  for (const std::int64_t count : {usage.input_tokens, usage.cached_input_tokens, usage.output_tokens,
                                   usage.thoughts_tokens, usage.tool_use_tokens, usage.total_tokens()}) {
    out += ',';
    append_int(out, count);
  }
  out += ',';
  append_usd(out, outcome.cost);
  out += outcome.estimated || !call.closed ? ",true\n" : ",false\n";
}

constexpr std::string_view kCsvHeader =
    "call_id,admission_id,project,model,consumer,state,status,admitted_at,settled_at,latency_s,input_tokens,"
    "cached_input_tokens,output_tokens,thoughts_tokens,tool_use_tokens,total_tokens,cost_usd,estimated\n";

}  // namespace

std::string render_page(ledger::Reader& reader, const ledger::CallFilter& filter) {
  const ledger::CallPage page = reader.calls(filter);
  Names names(reader);
  std::string out = "{\"calls\":[";
  for (const ledger::Call& call : page.calls) {
    if (out.back() != '[') out += ',';
    const ledger::Key& key = call.admission.key;
    append_call(out, call, names(key.project), names(key.model), names(key.consumer));
  }
  out += "],\"next_cursor\":";
  if (page.next == 0) {
    out += "null}";
  } else {
    out += '"';
    ledger::append_id(out, page.next);
    out += "\"}";
  }
  return out;
}

http::Source call_stream(ReportPool& reports, ledger::CallFilter filter, ExportForm form) {
  struct Progress {
    ledger::CallFilter filter;
    bool begun = false;
  };
  auto progress = std::make_shared<Progress>();
  progress->filter = std::move(filter);
  progress->filter.limit = kStreamPage;
  return [&reports, progress, form](std::function<void(std::optional<std::string>, bool)> deliver) {
    // A stream that cannot be read on ends without its last chunk, so that the client sees it was cut.
    const auto failed = [deliver](const std::string&) { deliver(std::nullopt, false); };
    const bool queued = reports.run(
        [progress, form, deliver](ledger::Reader& reader) -> ReportPool::Then {
          const ledger::CallPage page = reader.calls(progress->filter);
          Names names(reader);
          std::string out;
          if (form == ExportForm::csv && !progress->begun) out += kCsvHeader;
          progress->begun = true;
          for (const ledger::Call& call : page.calls) {
            if (form == ExportForm::csv) {
              append_csv(out, call, names);
            } else {
              const ledger::Key& key = call.admission.key;
              append_call(out, call, names(key.project), names(key.model), names(key.consumer));
              out += '\n';
            }
          }
          progress->filter.before = page.next;
          return [deliver, out = std::move(out), last = page.next == 0]() mutable {
            deliver(std::move(out), last);
          };
        },
        failed);
    if (!queued) failed({});
  };
}

}  // namespace weir::api
