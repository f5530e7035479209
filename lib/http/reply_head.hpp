// The head of an answer, written by hand: constant pieces and to_chars cost a third of Beast's serializer.
#pragma once

#include <array>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace weir::http {

// "Not Found"; "Unknown" for a code that no RFC names.
std::string_view reason_phrase(int status);

enum class Persistence : std::uint8_t {
  implied,     // HTTP/1.1: the connection stays open, nothing to say
  keep_alive,  // HTTP/1.0 client that asked for it
  close,
};

struct ReplyHead {
  int status = 200;
  std::string_view content_type;              // empty: none
  std::optional<std::size_t> content_length;  // nullopt: none is sent (204, 304, streams)
  bool chunked = false;
  Persistence persistence = Persistence::implied;
  std::string_view date;
  std::string_view request_id;
  std::string_view headers;  // more lines, each ended by "\r\n"
};

// Appends status line, headers and the empty line.
void append_head(std::string& out, const ReplyHead& head);

// "HTTP/1.1 404 Not Found\r\n"; an empty `reason` becomes the usual one.
void append_status_line(std::string& out, int status, std::string_view reason);
// "Content-Length: 12\r\n"
void append_content_length(std::string& out, std::uint64_t length);
// One chunk of a chunked body (RFC 9112, 7.1); `bytes` is not empty, which would end the body.
void append_chunk(std::string& out, std::string_view bytes);

// The Date header's value, formatted once a second. Not for several threads.
class DateCache {
 public:
  std::string_view now();

 private:
  std::time_t second_ = -1;
  std::array<char, 32> text_{};
};

// Request ids: 16 hex digits, unique in the process and, by a random start, very likely across restarts.
class RequestIds {
 public:
  RequestIds();
  void next(std::array<char, 16>& out);

 private:
  std::uint64_t state_;
};

}  // namespace weir::http
