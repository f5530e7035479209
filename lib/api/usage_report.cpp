#include "api/usage_report.hpp"

#include "api/render.hpp"
#include "time/rfc3339.hpp"

namespace weir::api {
namespace {

void append_usage_row(std::string& out, const ledger::UsageRow& row) {
  const ledger::Totals& t = row.totals;
  const auto text = [&out](const char* key, const std::string& value) {
    out += key;
    if (value.empty()) {
      out += "null";
    } else {
      append_string(out, value);
    }
  };
  const auto count = [&out](const char* key, std::int64_t value) {
    out += key;
    append_int(out, value);
  };
  out += "{\"bucket_start\":";
  if (row.bucket_start) {
    append_time(out, *row.bucket_start);
  } else {
    out += "null";
  }
  text(",\"project\":", row.project);
  text(",\"model\":", row.model);
  text(",\"consumer\":", row.consumer);
  count(",\"calls\":", t.calls);
  count(",\"errors\":", t.errors);
  count(",\"denied\":", t.denied);
  count(",\"expired\":", t.expired);
  count(",\"input_tokens\":", t.usage.input_tokens);
  count(",\"cached_input_tokens\":", t.usage.cached_input_tokens);
  count(",\"output_tokens\":", t.usage.output_tokens);
  count(",\"thoughts_tokens\":", t.usage.thoughts_tokens);
  count(",\"tool_use_tokens\":", t.usage.tool_use_tokens);
  count(",\"total_tokens\":", t.usage.total_tokens());
  out += ",\"cost_usd\":";
  append_usd(out, t.cost);
  out += '}';
}

void append_usage_csv(std::string& out, const ledger::UsageRow& row) {
  const ledger::Totals& t = row.totals;
  if (row.bucket_start) out += to_rfc3339(*row.bucket_start);
  for (const std::string* name : {&row.project, &row.model, &row.consumer}) {
    out += ',';
    append_csv_text(out, *name);
  }
  for (const std::int64_t value :
       {t.calls, t.errors, t.denied, t.expired, t.usage.input_tokens, t.usage.cached_input_tokens,
        t.usage.output_tokens, t.usage.thoughts_tokens, t.usage.tool_use_tokens, t.usage.total_tokens()}) {
    out += ',';
    append_int(out, value);
  }
  out += ',';
  append_usd(out, t.cost);
  out += '\n';
}

constexpr std::string_view kCsvHeader =
    "bucket_start,project,model,consumer,calls,errors,denied,expired,input_tokens,cached_input_tokens,"
    "output_tokens,thoughts_tokens,tool_use_tokens,total_tokens,cost_usd\n";

// A little above what rows take: a text of many megabytes is not copied as it grows.
constexpr std::size_t kRowBytes = 400;
constexpr std::size_t kCsvRowBytes = 150;

}  // namespace

std::string render_usage(const std::vector<ledger::UsageRow>& rows, UsageText form) {
  std::string out;
  if (form == UsageText::csv) {
    out.reserve(kCsvHeader.size() + rows.size() * kCsvRowBytes);
    out += kCsvHeader;
    for (const ledger::UsageRow& row : rows) append_usage_csv(out, row);
    return out;
  }
  out.reserve(32 + rows.size() * kRowBytes);
  out += "{\"rows\":[";
  for (const ledger::UsageRow& row : rows) {
    if (out.back() != '[') out += ',';
    append_usage_row(out, row);
  }
  return out += "]}";
}

}  // namespace weir::api
