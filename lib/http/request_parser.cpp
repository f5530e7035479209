#include "http/request_parser.hpp"

#include <algorithm>
#include <cstring>

#include "http/text.hpp"

namespace weir::http {
namespace {

namespace beast = boost::beast;
using beast::http::error;

std::string_view standard(beast::string_view text) {
  return {text.data(), text.size()};
}

// 1-128 of [A-Za-z0-9._:-]: goes into logs and back to the caller as it is.
bool sane_request_id(std::string_view id) {
  if (id.empty() || id.size() > 128) return false;
  for (const char c : id) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == ':' || c == '-';
    if (!good) return false;
  }
  return true;
}

Method to_method(beast::http::verb verb) {
  switch (verb) {
    case beast::http::verb::get:
      return Method::get;
    case beast::http::verb::head:
      return Method::head;
    case beast::http::verb::post:
      return Method::post;
    case beast::http::verb::delete_:
      return Method::del;
    case beast::http::verb::options:
      return Method::options;
    default:
      return Method::other;
  }
}

// Length of "http://" or "https://" at the start of an absolute target; 0: none.
std::size_t scheme_length(std::string_view target) {
  if (starts_with_ignoring_case(target, "http://")) return 7;
  if (starts_with_ignoring_case(target, "https://")) return 8;
  return 0;
}

}  // namespace

std::size_t Request::header_count() const {
  return fields_ == nullptr ? 0 : static_cast<const FieldTable*>(fields_)->fields.size();
}

std::pair<std::string_view, std::string_view> Request::header_at(std::size_t index) const {
  const auto& table = *static_cast<const FieldTable*>(fields_);
  return {table.text(table.fields[index].name), table.text(table.fields[index].value)};
}

std::string_view Request::header(std::string_view name) const {
  if (fields_ == nullptr) return {};
  const auto& table = *static_cast<const FieldTable*>(fields_);
  for (const auto& field : table.fields) {
    if (field.name.size == name.size() && equal_ignoring_case(table.text(field.name), name)) {
      return table.text(field.value);
    }
  }
  return {};
}

RequestMachine::RequestMachine(FieldTable& table, std::size_t max_header_bytes)
    : table_(table), max_trailer_bytes_(max_header_bytes) {
  table_.fields.clear();
  header_limit(static_cast<std::uint32_t>(max_header_bytes));
  body_limit(boost::none);  // asked of the guard first; see RequestParser::check_head
  eager(false);             // stop after the head
}

void RequestMachine::refuse(int status, std::string_view detail, ErrorCode& ec) {
  refusal = {status, detail};
  ec = error::bad_field;
}

TextSpan RequestMachine::span(Text text) const {
  if (text.empty()) return {};
  return {static_cast<std::uint32_t>(text.data() - base), static_cast<std::uint32_t>(text.size())};
}

void RequestMachine::on_request_impl(Verb which, Text method_text, Text target_text, int http_version,
                                     ErrorCode&) {
  verb = which;
  method = span(method_text);
  version = http_version;
  target = span(target_text);
}

void RequestMachine::on_field_impl(beast::http::field known, Text name, Text value, ErrorCode& ec) {
  using beast::http::field;
  if (body_at != 0) {  // a trailer, of which we believe nothing
    trailers.append(name).append(": ").append(value).append("\r\n");
    if (trailers.size() > max_trailer_bytes_) refuse(431, "the trailers are too large", ec);
    return;
  }
  if (table_.fields.size() >= RequestParser::kMaxFields) return refuse(431, "more than 128 header lines", ec);
  // A folded value is either put together elsewhere or begins behind a line end.
  const auto outside = value.data() < name.data() || value.data() >= base + size;
  if (!value.empty() &&
      (outside ||
       std::memchr(name.end(), '\r', static_cast<std::size_t>(value.data() - name.end())) != nullptr)) {
    return refuse(400, "folded header lines are not accepted", ec);
  }
  const auto index = static_cast<int>(table_.fields.size());
  table_.fields.push_back({span(name), span(value)});
  switch (known) {
    case field::host:
      if (host >= 0) return refuse(400, "more than one Host header", ec);
      host = index;
      break;
    case field::origin:
      if (origin >= 0) return refuse(400, "more than one Origin header", ec);
      origin = index;
      break;
    case field::authorization:
      if (authorization >= 0) return refuse(400, "more than one Authorization header", ec);
      authorization = index;
      break;
    case field::expect:
      if (!equal_ignoring_case(standard(value), "100-continue"))
        return refuse(417, "only Expect: 100-continue is known", ec);
      expect = index;
      break;
    case field::content_length:
      if (has_length) return refuse(400, "more than one Content-Length header", ec);
      if (value.find_first_not_of("0123456789") != Text::npos)
        return refuse(400, "Content-Length is not a number", ec);
      has_length = true;
      break;
    case field::transfer_encoding:
      // Beast would take "gzip" for no encoding at all, and chunked on HTTP/1.0.
      if (version < 11) return refuse(400, "Transfer-Encoding needs HTTP/1.1", ec);
      if (has_transfer_encoding) return refuse(400, "more than one Transfer-Encoding header", ec);
      if (value.empty()) return refuse(400, "empty Transfer-Encoding", ec);
      if (!equal_ignoring_case(standard(value), "chunked")) {
        return refuse(501, "the only Transfer-Encoding that is known is chunked", ec);
      }
      has_transfer_encoding = true;
      break;
    default:
      if (name.size() == 12 && equal_ignoring_case(standard(name), "X-Request-Id") && request_id < 0) {
        request_id = index;
      }
      break;
  }
}

std::size_t RequestMachine::on_body_impl(Text body, ErrorCode&) {
  body_size += body.size();
  return body.size();
}

std::size_t RequestMachine::on_chunk_body_impl(std::uint64_t, Text body, ErrorCode&) {
  std::memmove(base + body_at + body_size, body.data(),
               body.size());  // over chunk headers that were read already
  body_size += body.size();
  return body.size();
}

RequestParser::Step RequestParser::fail(int status, std::string_view detail) {
  refusal_ = {status, detail};
  return Step::failed;
}

RequestParser::Step RequestParser::parse(InputBuffer& buffer) {
  if (!machine_) {
    // RFC 9112, 2.2: empty lines before a request line are skipped.
    while (buffer.size() >= 2 && buffer.data()[0] == '\r' && buffer.data()[1] == '\n') buffer.consume(2);
    if (buffer.size() == 0 || (buffer.size() == 1 && buffer.data()[0] == '\r')) return Step::need_more;
    machine_.emplace(table_, max_header_bytes_);
  }
  machine_->base = buffer.data();
  machine_->size = buffer.size();
  RequestMachine::ErrorCode ec;
  if (parsed_ < buffer.size() && !machine_->is_done()) {
    parsed_ += machine_->put({buffer.data() + parsed_, buffer.size() - parsed_}, ec);
  }
  if (ec && ec != error::need_more) return after_error(ec);
  if (!head_done_) {
    if (machine_->is_header_done()) return check_head();
    return buffer.size() >= max_header_bytes_ ? fail(431, "the header is too large") : Step::need_more;
  }
  if (machine_->is_done()) return Step::complete;
  if (machine_->chunked()) {
    // Chunk headers and extensions that were read are dropped, so that they cannot fill the memory.
    const auto body_end = machine_->body_at + machine_->body_size;
    buffer.erase(body_end, parsed_);
    parsed_ = body_end;
    if (buffer.size() - parsed_ > max_header_bytes_)
      return fail(431, "a chunk header or the trailers are too large");
  }
  return Step::need_more;
}

RequestParser::Step RequestParser::after_error(RequestMachine::ErrorCode ec) {
  if (machine_->refusal.status != 0) return fail(machine_->refusal.status, machine_->refusal.detail);
  if (ec == error::header_limit) return fail(431, "the header is too large");
  if (ec == error::body_limit) return fail(413, "the body is too large");
  if (ec == error::bad_method) return fail(400, "the request line has no valid method");
  if (ec == error::bad_target) return fail(400, "the request line has no valid target");
  if (ec == error::bad_version) return fail(400, "the request line does not end in HTTP/1.0 or HTTP/1.1");
  if (ec == error::bad_content_length || ec == error::multiple_content_length) {
    return fail(400, "Content-Length is not one number, or comes with Transfer-Encoding");
  }
  if (ec == error::bad_transfer_encoding)
    return fail(400, "Transfer-Encoding comes twice or with Content-Length");
  if (ec == error::bad_chunk || ec == error::bad_chunk_extension)
    return fail(400, "the chunked body is malformed");
  return fail(400, head_done_ ? "the body is malformed" : "a header line is malformed");
}

RequestParser::Step RequestParser::check_head() {
  if (parsed_ > max_header_bytes_) return fail(431, "the header is too large");
  head_done_ = true;
  machine_->body_at = parsed_;
  keep_alive_ = machine_->keep_alive();
  if (machine_->version == 11 && machine_->host < 0) return fail(400, "HTTP/1.1 requires a Host header");
  machine_->body_limit(max_body_bytes_);  // of a chunked one; a Content-Length is looked at by the connection
  machine_->eager(true);
  return Step::head_done;
}

void RequestParser::view(InputBuffer& buffer, Request& request) {
  if (viewed_ && table_.base == buffer.data()) {  // only the body has come since
    request.body = {buffer.data() + machine_->body_at, machine_->body_size};
    request.trailers = machine_->trailers;
    return;
  }
  request = Request{};
  target_authority_.reset();
  if (!machine_) return;
  viewed_ = head_done_;
  table_.base = buffer.data();
  request.method = to_method(machine_->verb);
  request.method_name = table_.text(machine_->method);
  request.target = request.path = table_.text(machine_->target);
  if (const auto scheme = scheme_length(request.target); scheme > 0) {
    const auto end = std::min(request.target.find_first_of("/?", scheme), request.target.size());
    target_authority_ = request.target.substr(scheme, end - scheme);
    request.path = request.target.substr(end);
    if (request.path.empty() || request.path.front() != '/') request.path = std::string_view("/");
  }
  if (const auto mark = request.target.find('?'); mark != std::string_view::npos) {
    request.query = request.target.substr(mark + 1);
    request.path = request.path.substr(0, request.path.find('?'));
  }
  request.body = {buffer.data() + machine_->body_at, machine_->body_size};
  request.trailers = machine_->trailers;
  if (head_done_) {
    request.content_length = content_length();
    request.chunked = machine_->chunked();
  }
  request.fields_ = &table_;
  if (const auto id = field(machine_->request_id); id && sane_request_id(*id)) request.request_id = *id;
}

void RequestParser::drop_body(InputBuffer& buffer) {
  buffer.erase(machine_->body_at, parsed_);
  parsed_ = machine_->body_at;
  machine_->body_size = 0;
}

void RequestParser::finish(InputBuffer& buffer) {
  buffer.consume(parsed_);
  machine_.reset();
  if (table_.fields.capacity() > 32) table_.fields = {};
  table_.fields.clear();
  parsed_ = 0;
  head_done_ = viewed_ = false;
  refusal_ = {};
}

std::optional<std::uint64_t> RequestParser::content_length() const {
  const auto length = machine_->content_length();
  return length ? std::optional(*length) : std::nullopt;
}

std::optional<std::uint64_t> RequestParser::content_length_remaining() const {
  const auto length = machine_->content_length_remaining();
  return length ? std::optional(*length) : std::nullopt;
}

std::optional<std::string_view> RequestParser::field(int index) const {
  if (index < 0) return std::nullopt;
  return table_.text(table_.fields[static_cast<std::size_t>(index)].value);
}

}  // namespace weir::http
