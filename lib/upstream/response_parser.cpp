#include "upstream/response_parser.hpp"

#include <cstring>

#include "http/text.hpp"

namespace weir::upstream {
namespace {

namespace beast = boost::beast;
using beast::http::error;

}  // namespace

std::string_view AnswerHead::get(std::string_view name) const {
  for (std::size_t i = 0; i < count(); ++i) {
    if (const auto [key, value] = field(i); http::equal_ignoring_case(key, name)) return value;
  }
  return {};
}

ResponseMachine::ResponseMachine(http::FieldTable& table) : table_(table) {
  table_.fields.clear();
  header_limit(ResponseParser::kMaxHeadBytes);
  body_limit(boost::none);
  eager(false);
}

void ResponseMachine::refuse(std::string_view why, ErrorCode& ec) {
  problem = why;
  ec = error::bad_field;
}

http::TextSpan ResponseMachine::span(Text text) const {
  if (text.empty()) return {};
  return {static_cast<std::uint32_t>(text.data() - base), static_cast<std::uint32_t>(text.size())};
}

void ResponseMachine::on_response_impl(int code, Text reason_text, int http_version, ErrorCode& ec) {
  if (code < 100 || code > 599) return refuse("the status code is none", ec);
  status = code;
  reason = span(reason_text);
  version = http_version;
}

void ResponseMachine::on_field_impl(beast::http::field known, Text name, Text value, ErrorCode& ec) {
  using beast::http::field;
  if (body_at != 0) {
    trailers.append(name).append(": ").append(value).append("\r\n");
    if (trailers.size() > ResponseParser::kMaxHeadBytes) ec = error::header_limit;
    return;
  }
  if (table_.fields.size() >= ResponseParser::kMaxFields) return refuse("too many header lines", ec);
  // A folded value is either put together elsewhere or begins behind a line end.
  const auto outside = value.data() < name.data() || value.data() >= base + size;
  if (!value.empty() &&
      (outside ||
       std::memchr(name.end(), '\r', static_cast<std::size_t>(value.data() - name.end())) != nullptr)) {
    return refuse("a header line is folded", ec);
  }
  table_.fields.push_back({span(name), span(value)});
  if (known == field::content_length) {
    if (has_length || value.find_first_not_of("0123456789") != Text::npos)
      return refuse("Content-Length is not one number", ec);
    has_length = true;
  } else if (known == field::transfer_encoding) {
    // Beast would take "gzip" for no encoding at all, and chunked on HTTP/1.0.
    if (has_transfer_encoding || version < 11 ||
        !http::equal_ignoring_case({value.data(), value.size()}, "chunked")) {
      return refuse("the Transfer-Encoding is not chunked", ec);
    }
    has_transfer_encoding = true;
  }
}

std::size_t ResponseMachine::on_body_impl(Text body, ErrorCode&) {
  body_size += body.size();
  return body.size();
}

std::size_t ResponseMachine::on_chunk_body_impl(std::uint64_t, Text body, ErrorCode&) {
  std::memmove(base + body_at + body_size, body.data(), body.size());  // over chunk headers that were read
  body_size += body.size();
  return body.size();
}

void ResponseParser::start(bool bodiless) {
  bodiless_ = bodiless;
  machine_.emplace(table_);
  machine_->skip(bodiless);
  parsed_ = 0;
  head_done_ = too_large_ = false;
  problem_ = {};
}

ResponseParser::Step ResponseParser::fail(std::string_view problem) {
  problem_ = problem;
  return Step::failed;
}

ResponseParser::Step ResponseParser::fail_large(std::string_view problem) {
  too_large_ = true;
  return fail(problem);
}

ResponseParser::Step ResponseParser::parse(http::InputBuffer& buffer) {
  machine_->base = buffer.data();
  machine_->size = buffer.size();
  ResponseMachine::ErrorCode ec;
  if (parsed_ < buffer.size() && !machine_->is_done()) {
    parsed_ += machine_->put({buffer.data() + parsed_, buffer.size() - parsed_}, ec);
  }
  if (ec && ec != error::need_more) {
    if (ec == error::header_limit)
      return fail_large(head_done_ ? "the trailers are larger than 64 KiB"
                                   : "the header is larger than 64 KiB");
    if (!machine_->problem.empty()) return fail(machine_->problem);
    return fail(head_done_ ? "the body is malformed" : "the header is malformed");
  }
  if (!head_done_) {
    if (machine_->is_header_done()) return check_head();
    return buffer.size() >= kMaxHeadBytes ? fail_large("the header is larger than 64 KiB") : Step::need_more;
  }
  if (machine_->is_done()) return Step::complete;
  if (machine_->chunked()) {
    // Chunk headers that were read are dropped; what is left unread may be a part of one, or of the trailers.
    const auto body_end = machine_->body_at + machine_->body_size;
    buffer.erase(body_end, parsed_);
    parsed_ = body_end;
    if (buffer.size() - parsed_ > kMaxHeadBytes)
      return fail_large("a chunk's header or the trailers are larger than 64 KiB");
  }
  return Step::need_more;
}

ResponseParser::Step ResponseParser::check_head() {
  head_done_ = true;
  machine_->body_at = parsed_;
  machine_->eager(true);
  return Step::head_done;
}

ResponseParser::Step ResponseParser::parse_end() {
  if (!head_done_) return fail("the connection was ended before the answer");
  if (machine_->is_done()) return Step::complete;
  ResponseMachine::ErrorCode ec;
  machine_->put_eof(ec);
  return ec ? fail("the connection was ended in the middle of the answer") : Step::complete;
}

AnswerHead ResponseParser::head(http::InputBuffer& buffer) {
  table_.base = buffer.data();
  AnswerHead head{.status = machine_->status,
                  .reason = table_.text(machine_->reason),
                  .content_length = std::nullopt,
                  .fields = &table_};
  if (const auto length = machine_->content_length(); length) head.content_length = *length;
  return head;
}

std::string_view ResponseParser::body(http::InputBuffer& buffer) const {
  return {buffer.data() + machine_->body_at, machine_->body_size};
}

void ResponseParser::drop_body(http::InputBuffer& buffer) {
  buffer.erase(machine_->body_at, parsed_);
  parsed_ = machine_->body_at;
  machine_->body_size = 0;
}

void ResponseParser::finish(http::InputBuffer& buffer) {
  buffer.consume(parsed_);
  machine_.reset();
  if (table_.fields.capacity() > 64) table_.fields = {};
  table_.fields.clear();
  parsed_ = 0;
}

}  // namespace weir::upstream
