// A client with its loop on this thread, and a receiver that writes down what it is told.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "stand_in.hpp"
#include "upstream/client.hpp"

namespace weir::upstream::test {

// Notes everything; cancels or pauses where a test sets it to.
class Notes : public Receiver {
 public:
  std::shared_ptr<Call> call;
  std::string log;  // "connected sent head:200 end"
  std::string body, headers, trailers;
  Failure failure;
  std::size_t pieces = 0;
  bool over = false;
  std::function<void()> at_connected, at_head, at_body, at_room, at_sent;

  void on_connected(bool reused) override {
    log += reused ? "reused " : "connected ";
    if (at_connected) at_connected();
  }
  void on_sent() override {
    log += "sent ";
    if (at_sent) at_sent();
  }
  void on_room() override {
    if (at_room) at_room();
  }
  void on_head(const AnswerHead& head) override;
  void on_body(std::string_view bytes) override {
    ++pieces;
    body += bytes;
    if (at_body) at_body();
  }
  void on_quiet() override {}
  void on_trailers(std::string_view lines) override { trailers = lines; }
  void on_end() override {
    log += "end";
    over = true;
  }
  void on_failure(const Failure& what) override {
    failure = what;
    log += "failed";
    over = true;
  }
};

class Fixture {
 public:
  explicit Fixture(ClientOptions options = quick());

  static ClientOptions quick() { return {}; }
  static Request request(const StandIn& server, std::string head, std::string body = "");
  static Request get(const StandIn& server, bool idempotent = true);
  static Request post(const StandIn& server, const std::string& body);

  // Runs one call to its end.
  std::unique_ptr<Notes> run(Request request);
  std::unique_ptr<Notes> start(Request request);
  // Runs the loop until `condition` holds; false after a minute.
  bool until(const std::function<bool()>& condition);

  boost::asio::io_context loop{1};
  std::unique_ptr<Client> client;
};

}  // namespace weir::upstream::test
