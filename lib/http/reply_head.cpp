#include "http/reply_head.hpp"

#include <charconv>
#include <random>

namespace weir::http {
namespace {

// The start lines of every day, whole; the rest is put together.
std::string_view common_status_line(int status) {
  switch (status) {
    case 200:
      return "HTTP/1.1 200 OK\r\nDate: ";
    case 201:
      return "HTTP/1.1 201 Created\r\nDate: ";
    case 204:
      return "HTTP/1.1 204 No Content\r\nDate: ";
    case 429:
      return "HTTP/1.1 429 Too Many Requests\r\nDate: ";
    default:
      return {};
  }
}

void append_number(std::string& out, std::size_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

}  // namespace

std::string_view reason_phrase(int status) {
  switch (status) {
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 423:
      return "Locked";
    case 424:
      return "Failed Dependency";
    case 425:
      return "Too Early";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Unknown";
  }
}

void append_head(std::string& out, const ReplyHead& head) {
  if (const auto line = common_status_line(head.status); !line.empty()) {
    out += line;
  } else {
    out += "HTTP/1.1 ";
    append_number(out, static_cast<std::size_t>(head.status));
    out += ' ';
    out += reason_phrase(head.status);
    out += "\r\nDate: ";
  }
  out += head.date;
  if (!head.content_type.empty()) {
    out += "\r\nContent-Type: ";
    out += head.content_type;
  }
  if (head.content_length) {
    out += "\r\nContent-Length: ";
    append_number(out, *head.content_length);
  } else if (head.chunked) {
    out += "\r\nTransfer-Encoding: chunked";
  }
  out += "\r\nX-Request-Id: ";
  out += head.request_id;
  if (head.persistence == Persistence::close) {
    out += "\r\nConnection: close";
  } else if (head.persistence == Persistence::keep_alive) {
    out += "\r\nConnection: keep-alive";
  }
  out += "\r\n";
  out += head.headers;
  out += "\r\n";
}

void append_status_line(std::string& out, int status, std::string_view reason) {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::size_t>(status));
  out += ' ';
  out += reason.empty() ? reason_phrase(status) : reason;
  out += "\r\n";
}

void append_content_length(std::string& out, std::uint64_t length) {
  out += "Content-Length: ";
  append_number(out, length);
  out += "\r\n";
}

void append_chunk(std::string& out, std::string_view bytes) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), bytes.size(), 16).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data())).append("\r\n");
  out.append(bytes).append("\r\n");
}

std::string_view DateCache::now() {
  timespec at{};
  clock_gettime(CLOCK_REALTIME_COARSE, &at);
  if (at.tv_sec != second_) {
    second_ = at.tv_sec;
    std::tm utc{};
    gmtime_r(&second_, &utc);
    // Not strftime: its names follow the locale.
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto two = [](char* p, int n) {
      p[0] = static_cast<char>('0' + n / 10 % 10);
      p[1] = static_cast<char>('0' + n % 10);
    };
    std::string_view("Day, 00 Mon 0000 00:00:00 GMT").copy(text_.data(), 29);
    std::string_view(kDays[utc.tm_wday]).copy(text_.data(), 3);
    two(text_.data() + 5, utc.tm_mday);
    std::string_view(kMonths[utc.tm_mon]).copy(text_.data() + 8, 3);
    two(text_.data() + 12, (utc.tm_year + 1900) / 100);
    two(text_.data() + 14, (utc.tm_year + 1900) % 100);
    two(text_.data() + 17, utc.tm_hour);
    two(text_.data() + 20, utc.tm_min);
    two(text_.data() + 23, utc.tm_sec);
  }
  return {text_.data(), 29};
}

RequestIds::RequestIds() {
  std::random_device random;
  state_ = (static_cast<std::uint64_t>(random()) << 32U) | random();
}

void RequestIds::next(std::array<char, 16>& out) {
  // A counter through splitmix64: a bijection, so no id comes twice.
  state_ += 0x9E3779B97F4A7C15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  z ^= z >> 31U;
  for (char& c : out) {
    c = "0123456789abcdef"[z & 15U];
    z >>= 4U;
  }
}

}  // namespace weir::http
