#include "proxy/heads.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "http/text.hpp"

#include "proxy/callers.hpp"

namespace weir::proxy {
namespace {

// Names of header fields. Most that are asked for are none of them, and their length already tells.
class Names {
 public:
  constexpr Names(std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
      names_.at(count_++) = name;
      lengths_ |= std::uint64_t{1} << name.size();
    }
  }
  [[nodiscard]] bool have(std::string_view name) const {
    if (name.size() >= 64 || (lengths_ >> name.size() & 1) == 0) return false;
    return std::any_of(names_.begin(), names_.begin() + count_,
                       [name](std::string_view other) { return http::equal_ignoring_case(name, other); });
  }

 private:
  std::array<std::string_view, 8> names_;
  std::size_t count_ = 0;
  std::uint64_t lengths_ = 0;
};

// Of the connection they came on, not of the message.
constexpr Names kHopByHop = {"connection",          "keep-alive", "proxy-connection",  "proxy-authenticate",
                             "proxy-authorization", "te",         "transfer-encoding", "upgrade"};
constexpr Names kOurs = {"host",          "content-length", "expect",
                         "authorization", "x-goog-api-key", "sec-websocket-extensions"};
constexpr Names kUrls = {"x-goog-upload-url", "x-goog-upload-control-url", "location"};

// The names that a message's Connection lines give, beside those that never pass.
class Named {
 public:
  void add(std::string_view name, std::string_view value) {
    if (!http::equal_ignoring_case(name, "connection")) return;
    http::for_each_element(value, [this](std::string_view element) {
      if (!kHopByHop.have(element)) names_.push_back(element);
    });
  }
  [[nodiscard]] bool has(std::string_view name) const {
    return std::any_of(names_.begin(), names_.end(),
                       [name](std::string_view other) { return http::equal_ignoring_case(name, other); });
  }

 private:
  std::vector<std::string_view> names_;
};

constexpr std::size_t kLineExtra = 4;      // ": " and the line's end
constexpr std::size_t kRoomForOurs = 256;  // of an answer: what we add to it

bool ours(std::string_view name) {
  return http::starts_with_ignoring_case(name, "x-weir-");
}

void append_line(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

// OpenAI's clients in browsers, which cannot set headers, present their key as one of these.
void append_subprotocols(std::string& out, std::string_view offered) {
  std::string kept;
  http::for_each_element(offered, [&](std::string_view element) {
    if (element.starts_with(kSubprotocolKey)) return;
    if (!kept.empty()) kept += ", ";
    kept += element;
  });
  if (!kept.empty()) append_line(out, "Sec-WebSocket-Protocol", kept);
}

bool has_element(const http::Request& request, std::string_view header, std::string_view wanted) {
  bool found = false;
  for (std::size_t i = 0; i < request.header_count(); ++i) {
    const auto [name, value] = request.header_at(i);
    if (!http::equal_ignoring_case(name, header)) continue;
    http::for_each_element(value, [&](std::string_view element) {
      found = found || http::equal_ignoring_case(element, wanted);
    });
  }
  return found;
}

}  // namespace

bool asks_for_websocket(const http::Request& request) {
  return request.method == http::Method::get && !request.chunked && request.content_length.value_or(0) == 0 &&
         has_element(request, "connection", "upgrade") && has_element(request, "upgrade", "websocket") &&
         !request.header("sec-websocket-key").empty();
}

std::string request_lines(const http::Request& request) {
  Named named;
  std::size_t size = 0;
  for (std::size_t i = 0; i < request.header_count(); ++i) {
    const auto [name, value] = request.header_at(i);
    named.add(name, value);
    size += name.size() + value.size() + kLineExtra;
  }
  std::string lines;
  lines.reserve(size);
  bool takes_trailers = false;
  for (std::size_t i = 0; i < request.header_count(); ++i) {
    const auto [name, value] = request.header_at(i);
    if (http::equal_ignoring_case(name, "sec-websocket-protocol")) {
      append_subprotocols(lines, value);
      continue;
    }
    if (http::equal_ignoring_case(name, "te")) {
      http::for_each_element(value, [&](std::string_view element) {
        takes_trailers = takes_trailers || http::equal_ignoring_case(element, "trailers");
      });
    }
    if (kHopByHop.have(name) || kOurs.have(name) || ours(name) || named.has(name)) continue;
    if (http::equal_ignoring_case(name, "accept-encoding")) continue;
    append_line(lines, name, value);
  }
  if (takes_trailers) lines += "TE: trailers\r\nConnection: TE\r\n";
  return lines;
}

std::string trailer_lines(std::string_view lines) {
  std::string passing;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n') + 1);
    lines.remove_prefix(line.size());
    const std::string_view name = line.substr(0, line.find(':'));
    if (!kHopByHop.have(name) && !kOurs.have(name) && !ours(name)) passing += line;
  }
  return passing;
}

void drop_line(std::string& lines, std::string_view name) {
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', at), lines.size() - 1) + 1;
    const std::string_view line = std::string_view(lines).substr(at, end - at);
    if (http::equal_ignoring_case(line.substr(0, line.find(':')), name)) {
      lines.erase(at, end - at);
    } else {
      at = end;
    }
  }
}

bool accepts_gzip(const http::Request& request) {
  bool accepts = false;
  for (std::size_t i = 0; i < request.header_count(); ++i) {
    const auto [name, value] = request.header_at(i);
    if (!http::equal_ignoring_case(name, "accept-encoding")) continue;
    http::for_each_element(value, [&](std::string_view element) {
      const std::string_view coding = http::trimmed(element.substr(0, element.find(';')));
      if (!http::equal_ignoring_case(coding, "gzip")) return;
      const std::string_view weight =
          http::trimmed(element.substr(std::min(element.find(';'), element.size())));
      accepts = weight.find("q=0") == std::string_view::npos || weight.find("q=0.") != std::string_view::npos;
    });
  }
  return accepts;
}

AnswerLines answer_lines(const upstream::AnswerHead& head,
                         const std::function<std::string(std::string_view)>& rewrite_url) {
  Named named;
  std::size_t size = 0;
  for (std::size_t i = 0; i < head.count(); ++i) {
    const auto [name, value] = head.field(i);
    named.add(name, value);
    size += name.size() + value.size() + kLineExtra;
  }
  AnswerLines lines;
  lines.text.reserve(size + kRoomForOurs);
  for (std::size_t i = 0; i < head.count(); ++i) {
    const auto [name, value] = head.field(i);
    if (kHopByHop.have(name) || ours(name) || named.has(name)) continue;
    if (http::equal_ignoring_case(name, "content-length")) continue;
    if (http::equal_ignoring_case(name, "alt-svc"))
      continue;  // says where else upstream is, not where we are
    lines.has_date = lines.has_date || http::equal_ignoring_case(name, "date");
    lines.has_request_id = lines.has_request_id || http::equal_ignoring_case(name, "x-request-id");
    if (kUrls.have(name)) {
      append_line(lines.text, name, rewrite_url(value));
    } else {
      append_line(lines.text, name, value);
    }
  }
  return lines;
}

}  // namespace weir::proxy
