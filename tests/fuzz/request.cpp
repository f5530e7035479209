// The HTTP server's parser: cut anywhere, the same requests come out, and every view lies within them.
// The first byte: how it is cut.
#include <string>
#include <vector>

#include "http/request_parser.hpp"

#include "fuzz.hpp"

namespace weir::fuzz {
namespace {

constexpr std::size_t kMaxHeader = 16 * 1024, kMaxBody = 64 * 1024;

std::string transcript(const http::Request& request, const http::RequestParser& parser) {
  std::string text(request.method_name);
  for (const std::string_view part : {request.target, request.path, request.query, request.body})
    text.append(1, '\n').append(part);
  for (std::size_t i = 0; i < request.header_count(); ++i) {
    const auto [name, value] = request.header_at(i);
    text.append(1, '\n').append(name).append(": ").append(value);
  }
  return text + (parser.keep_alive() ? " stays" : " goes") + (parser.expects_continue() ? " waits" : "");
}

// Those that are accepted, up to the first refusal.
std::vector<std::string> requests_of(std::string_view bytes, unsigned seed) {
  std::vector<std::string> found;
  http::InputBuffer buffer;
  http::RequestParser parser(kMaxHeader, kMaxBody);
  http::Request request;
  bool refused = false;
  in_pieces(bytes, seed, [&](std::string_view piece) {
    const auto room = buffer.prepare(piece.size());
    std::copy(piece.begin(), piece.end(), room.begin());
    buffer.commit(piece.size());
    while (!refused && buffer.size() > 0) {
      const auto step = parser.parse(buffer);
      if (step == http::RequestParser::Step::failed) {
        refused = true;
        const int status = parser.refusal().status;
        expect(status >= 400 && status < 600 && !parser.refusal().detail.empty(), "a refusal says why");
        break;
      }
      if (step == http::RequestParser::Step::need_more) break;
      if (step == http::RequestParser::Step::head_done) continue;
      parser.view(buffer, request);
      expect(request.body.size() <= kMaxBody, "a body is no longer than allowed");
      found.push_back(transcript(request, parser));
      parser.finish(buffer);
    }
  });
  return found;
}

}  // namespace

void run(std::string_view input) {
  const unsigned seed = take_byte(input) | 1;
  expect(requests_of(input, 0) == requests_of(input, seed), "however it is cut, the same requests come out");
}

}  // namespace weir::fuzz
