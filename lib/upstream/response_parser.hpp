// Reads one answer after the other out of an InputBuffer: Beast's parser walks the bytes, the pieces of a
// chunked body are moved together, nothing is copied. Stricter than Beast where two readers could see
// different answers. Owned by one connection, loop thread. Bad input is a value; nothing throws but
// bad_alloc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/beast/http/basic_parser.hpp>

#include "http/input_buffer.hpp"
#include "http/request_parser.hpp"

namespace weir::upstream {

class ResponseMachine final : public boost::beast::http::basic_parser<false> {
 public:
  using Verb = boost::beast::http::verb;
  using ErrorCode = boost::beast::error_code;
  using Text = boost::beast::string_view;

  explicit ResponseMachine(http::FieldTable& table);

  int status = 0;
  int version = 11;
  http::TextSpan reason;
  bool has_length = false;
  bool has_transfer_encoding = false;
  std::string_view problem;  // why a line was refused
  char* base = nullptr;      // the answer's first byte during put()
  std::size_t size = 0;
  std::size_t body_at = 0;  // 0: head not done
  std::size_t body_size = 0;
  std::string trailers;  // as lines

 private:
  void refuse(std::string_view why, ErrorCode& ec);
  [[nodiscard]] http::TextSpan span(Text text) const;

  void on_request_impl(Verb, Text, Text, int, ErrorCode&) override {}
  void on_response_impl(int status, Text reason, int version, ErrorCode& ec) override;
  void on_field_impl(boost::beast::http::field field, Text name, Text value, ErrorCode& ec) override;
  void on_header_impl(ErrorCode&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(Text body, ErrorCode&) override;
  void on_chunk_header_impl(std::uint64_t, Text, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t remain, Text body, ErrorCode&) override;
  void on_finish_impl(ErrorCode&) override {}

  http::FieldTable& table_;
};

// Views into the buffer, valid until the parser goes on.
struct AnswerHead {
  int status = 0;
  std::string_view reason;
  std::optional<std::uint64_t> content_length;  // also of an answer to HEAD
  const http::FieldTable* fields = nullptr;

  [[nodiscard]] std::size_t count() const { return fields->fields.size(); }
  [[nodiscard]] std::pair<std::string_view, std::string_view> field(std::size_t index) const {
    return {fields->text(fields->fields[index].name), fields->text(fields->fields[index].value)};
  }
  // Value of the first field of that name (any case); empty if absent.
  [[nodiscard]] std::string_view get(std::string_view name) const;
};

class ResponseParser {
 public:
  static constexpr std::size_t kMaxHeadBytes = 64 * 1024;  // also of a chunk's header, and of the trailers
  static constexpr std::size_t kMaxFields = 512;

  enum class Step : std::uint8_t {
    need_more,  // whatever has come of the body is in body()
    head_done,
    complete,  // likewise
    failed,    // see problem()
  };

  // `bodiless`: the answer is one to HEAD.
  void start(bool bodiless);
  Step parse(http::InputBuffer& buffer);
  // The peer has ended the stream: complete if the body is ended by that.
  Step parse_end();
  [[nodiscard]] AnswerHead head(http::InputBuffer& buffer);
  [[nodiscard]] std::string_view body(http::InputBuffer& buffer) const;
  void drop_body(http::InputBuffer& buffer);
  // Of a chunked answer that is complete: lines, each ended by "\r\n"; valid until finish().
  [[nodiscard]] std::string_view trailers() const { return machine_->trailers; }
  // Takes the answer out of `buffer`; start() comes next.
  void finish(http::InputBuffer& buffer);

  [[nodiscard]] std::string_view problem() const { return problem_; }
  [[nodiscard]] bool too_large() const { return too_large_; }
  [[nodiscard]] bool keep_alive() const { return machine_->keep_alive(); }  // after head_done

 private:
  Step fail(std::string_view problem);
  Step fail_large(std::string_view problem);
  Step check_head();

  http::FieldTable table_;
  std::optional<ResponseMachine> machine_;
  bool bodiless_ = false;
  std::size_t parsed_ = 0;
  bool head_done_ = false;
  bool too_large_ = false;
  std::string_view problem_;
};

}  // namespace weir::upstream
