// Header lines on their way through: what is ours to say is left out, hop-by-hop lines are dropped (RFC 9110,
// 7.6.1), everything else passes as it came. Pure functions.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "http/exchange.hpp"

#include "upstream/response_parser.hpp"

namespace weir::proxy {

// The caller's lines that go upstream, each ended by "\r\n": without credentials, X-Weir-*, Host and framing,
// and without an offer to pack a WebSocket's messages, which metering could not read. "TE: trailers" is said
// if the caller says so. Without Accept-Encoding too, which is narrowed to what we can read.
std::string request_lines(const http::Request& request);

// Whether the request asks for a WebSocket: a GET without a body (RFC 6455, 4.1). Other
// protocols are not offered further.
bool asks_for_websocket(const http::Request& request);

// Whether the caller takes gzip.
bool accepts_gzip(const http::Request& request);

// What passes of a message's trailers, either way: `lines` without those that have no place there.
std::string trailer_lines(std::string_view lines);

// Takes the lines of that name out.
void drop_line(std::string& lines, std::string_view name);

struct AnswerLines {
  std::string text;
  bool has_date = false;
  bool has_request_id = false;
};
// Upstream's lines that go to the caller. `rewrite_url` gets the value of each line that holds a URL to go on
// with (X-Goog-Upload-URL and the like) and returns what to say in its place.
AnswerLines answer_lines(const upstream::AnswerHead& head,
                         const std::function<std::string(std::string_view)>& rewrite_url);

}  // namespace weir::proxy
