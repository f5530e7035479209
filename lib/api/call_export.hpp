// GET /v1/calls: a page as JSON, or everything that matches as a stream of NDJSON or CSV.
#pragma once

#include <memory>
#include <string>

#include "api/report_pool.hpp"
#include "http/exchange.hpp"
#include "ledger/reader.hpp"

namespace weir::api {

enum class ExportForm : std::uint8_t { ndjson, csv };

// One page as {"calls":[…],"next_cursor":…}. Report thread.
std::string render_page(ledger::Reader& reader, const ledger::CallFilter& filter);

// Reads page after page as the client takes them; memory stays that of one page whatever the ledger's size.
// Loop thread.
http::Source call_stream(ReportPool& reports, ledger::CallFilter filter, ExportForm form);

}  // namespace weir::api
