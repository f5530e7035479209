// Reads one request after the other out of an InputBuffer, without copying: Beast's basic_parser walks the
// bytes, and the head and the body stay where they were received (the pieces of a chunked body are moved
// together). Stricter than Beast wherever an intermediary could see another request than we do. Owned by one
// connection, loop thread. Bad input is a value (Refusal); nothing throws but bad_alloc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/beast/http/basic_parser.hpp>

#include "http/exchange.hpp"
#include "http/input_buffer.hpp"

namespace weir::http {

// Where a text lies, counted from the request's first byte: the buffer may move while a request comes in.
struct TextSpan {
  std::uint32_t at = 0, size = 0;
};

struct FieldTable {  // what Request::fields_ points to
  struct Field {
    TextSpan name, value;
  };
  const char* base = nullptr;
  std::vector<Field> fields;
  [[nodiscard]] std::string_view text(TextSpan span) const { return {base + span.at, span.size}; }
};

// Why a request is not served; the connection is closed after the answer.
struct Refusal {
  int status = 0;
  std::string_view detail;
};

// The machine under RequestParser: takes Beast's callbacks for one request, keeps spans, refuses what Beast
// lets pass.
class RequestMachine final : public boost::beast::http::basic_parser<true> {
 public:
  using Verb = boost::beast::http::verb;
  using ErrorCode = boost::beast::error_code;
  using Text = boost::beast::string_view;

  RequestMachine(FieldTable& table, std::size_t max_header_bytes);

  Refusal refusal;
  Verb verb = Verb::unknown;
  int version = 11;
  TextSpan method, target;
  int host = -1, origin = -1, authorization = -1, expect = -1,
      request_id = -1;  // indices of fields; -1: none
  bool has_length = false;
  bool has_transfer_encoding = false;
  char* base = nullptr;  // the request's first byte during put()
  std::size_t size = 0;
  std::size_t body_at = 0;  // 0: head not done
  std::size_t body_size = 0;
  std::string trailers;  // as lines

 private:
  void refuse(int status, std::string_view detail, ErrorCode& ec);
  [[nodiscard]] TextSpan span(Text text) const;

  void on_request_impl(Verb verb, Text method, Text target, int version, ErrorCode& ec) override;
  void on_response_impl(int, Text, int, ErrorCode&) override {}
  void on_field_impl(boost::beast::http::field field, Text name, Text value, ErrorCode& ec) override;
  void on_header_impl(ErrorCode&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(Text body, ErrorCode&) override;
  void on_chunk_header_impl(std::uint64_t, Text, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t remain, Text body, ErrorCode&) override;
  void on_finish_impl(ErrorCode&) override {}

  FieldTable& table_;
  const std::size_t max_trailer_bytes_;
};

class RequestParser {
 public:
  static constexpr std::size_t kMaxFields = 128;

  enum class Step : std::uint8_t {
    need_more,
    head_done,  // the body may still be to come; call again to go on
    complete,
    failed,  // see refusal()
  };

  RequestParser(std::size_t max_header_bytes, std::size_t max_body_bytes)
      : max_header_bytes_(max_header_bytes), max_body_bytes_(max_body_bytes) {}

  // Goes on with what `buffer` holds. After complete and failed only finish() makes sense.
  Step parse(InputBuffer& buffer);
  // Views into `buffer` as far as parsing came, valid until its next prepare(). Leaves request_id empty
  // unless the caller's is sane. Give the same `request` each time: what did not change is not written again.
  void view(InputBuffer& buffer, Request& request);
  // From here on the body is taken in pieces, without a limit: after each parse(), view() has what has come,
  // and drop_body() takes that out of `buffer`. After head_done.
  void stream_body() { machine_->body_limit(boost::none); }
  void drop_body(InputBuffer& buffer);
  // Takes the request out of `buffer`; ready for the next.
  void finish(InputBuffer& buffer);

  [[nodiscard]] std::size_t parsed() const { return parsed_; }  // bytes of the request under way
  [[nodiscard]] bool head_done() const { return head_done_; }
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }
  [[nodiscard]] bool http_1_0() const { return machine_ && machine_->version == 10; }
  // From here on: after head_done, and the texts after view().
  [[nodiscard]] bool body_done() const { return machine_->is_done(); }
  [[nodiscard]] bool keep_alive() const { return keep_alive_; }
  [[nodiscard]] bool expects_continue() const { return machine_->expect >= 0; }
  [[nodiscard]] std::optional<std::uint64_t> content_length() const;
  // Bytes of a body with a length that are still to come.
  [[nodiscard]] std::optional<std::uint64_t> content_length_remaining() const;
  [[nodiscard]] std::optional<std::string_view> host() const { return field(machine_->host); }
  // Of an absolute target ("GET http://host/ HTTP/1.1").
  [[nodiscard]] std::optional<std::string_view> target_authority() const { return target_authority_; }
  [[nodiscard]] std::optional<std::string_view> origin() const { return field(machine_->origin); }
  [[nodiscard]] std::optional<std::string_view> authorization() const {
    return field(machine_->authorization);
  }

 private:
  Step fail(int status, std::string_view detail);
  Step after_error(RequestMachine::ErrorCode ec);
  Step check_head();
  [[nodiscard]] std::optional<std::string_view> field(int index) const;

  std::size_t max_header_bytes_;
  std::size_t max_body_bytes_;
  FieldTable table_;

  // Of the request under way.
  std::optional<RequestMachine> machine_;
  std::size_t parsed_ = 0;  // bytes from its first one
  bool head_done_ = false;
  bool viewed_ = false;  // view() has seen the whole head, at table_.base
  bool keep_alive_ = false;
  Refusal refusal_;
  std::optional<std::string_view> target_authority_;
};

}  // namespace weir::http
