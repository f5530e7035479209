#include "fixture.hpp"

#include <chrono>
#include <csignal>

namespace weir::upstream::test {

void Notes::on_head(const AnswerHead& head) {
  log += "head:" + std::to_string(head.status) + " ";
  for (std::size_t i = 0; i < head.count(); ++i) {
    const auto [name, value] = head.field(i);
    headers.append(name).append("=").append(value).append("\n");
  }
  if (at_head) at_head();
}

Fixture::Fixture(ClientOptions options) : client(std::make_unique<Client>(loop, options)) {
  std::signal(SIGPIPE, SIG_IGN);  // as the daemon does
}

Request Fixture::request(const StandIn& server, std::string head, std::string body) {
  Request request;
  request.origin = {.tls = false, .host = "127.0.0.1", .port = server.port()};
  request.head = std::move(head);
  request.body = std::move(body);
  return request;
}

Request Fixture::get(const StandIn& server, bool idempotent) {
  Request made = request(server, "GET /x HTTP/1.1\r\nHost: up\r\n\r\n");
  made.idempotent = idempotent;
  return made;
}

Request Fixture::post(const StandIn& server, const std::string& body) {
  return request(
      server, "POST /x HTTP/1.1\r\nHost: up\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n",
      body);
}

std::unique_ptr<Notes> Fixture::start(Request request) {
  auto notes = std::make_unique<Notes>();
  notes->call = client->call(std::move(request), *notes);
  notes->call->start();
  return notes;
}

std::unique_ptr<Notes> Fixture::run(Request request) {
  auto notes = start(std::move(request));
  until([&] { return notes->over; });
  return notes;
}

bool Fixture::until(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    loop.restart();
    loop.run_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace weir::upstream::test
