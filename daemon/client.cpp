#include "daemon/client.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include <boost/asio/connect.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

#include "daemon/version.hpp"

namespace weir::daemon {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Stream = beast::basic_stream<asio::generic::stream_protocol>;

constexpr auto kConnectPatience = std::chrono::seconds(5);
constexpr std::size_t kMaxAnswer = 256U << 20U;  // of an answer held in memory

// One request on its own loop. The stream's timeouts hold for asynchronous operations only, so each step
// starts one and runs the loop until it ended.
class Conversation {
 public:
  Conversation(const Endpoint& endpoint, std::chrono::milliseconds patience)
      : endpoint_(endpoint),
        connect_patience_(std::min<std::chrono::milliseconds>(kConnectPatience, patience)),
        stream_(loop_) {}

  void connect() {
    if (endpoint_.unix_socket) {
      // Its constructor throws on a path that is too long.
      try {
        connect_to(asio::local::stream_protocol::endpoint(endpoint_.host));
      } catch (const boost::system::system_error& error) {
        fail(error.code());
      }
      if (error_) fail(error_);
      return;
    }
    asio::ip::tcp::resolver resolver(loop_);
    const auto found = resolver.resolve(endpoint_.host, endpoint_.port, error_);
    if (error_) fail(error_);
    error_ = asio::error::host_not_found;
    for (const auto& entry : found) {
      connect_to(entry.endpoint());
      if (!error_) return;
    }
    fail(error_);
  }

  void write(http::request<http::string_body>& message, std::chrono::milliseconds patience) {
    stream_.expires_after(patience);
    http::async_write(stream_, message, [this](error_code error, std::size_t) { error_ = error; });
    run();
    // A server may answer and close before it read everything: its answer says why.
    if (error_ && error_ != asio::error::broken_pipe && error_ != asio::error::connection_reset) fail(error_);
  }

  template <typename Parser>
  void read_header(Parser& parser, std::chrono::milliseconds patience) {
    stream_.expires_after(patience);
    http::async_read_header(stream_, buffer_, parser,
                            [this](error_code error, std::size_t) { error_ = error; });
    run();
    if (error_ == http::error::end_of_stream || error_ == http::error::partial_message) {
      throw BrokenAnswer(fmt::format("{} closed the connection without an answer", endpoint_.text));
    }
    if (error_.category() == error_code(http::error::bad_version).category()) {
      throw BrokenAnswer(
          fmt::format("what answers at {} is not a daemon of ours ({})", endpoint_.text, error_.message()));
    }
    if (error_) fail(error_);
  }

  void read(http::response_parser<http::buffer_body>& parser, std::chrono::milliseconds patience,
            const Client::Sink& sink) {
    std::array<char, 64 * 1024> piece;
    while (!parser.is_done()) {
      auto& body = parser.get().body();
      body.data = piece.data();
      body.size = piece.size();
      stream_.expires_after(patience);
      http::async_read_some(stream_, buffer_, parser,
                            [this](error_code error, std::size_t) { error_ = error; });
      run();
      if (error_ && error_ != http::error::need_buffer) break_off();
      if (const std::size_t size = piece.size() - body.size; size > 0) sink({piece.data(), size});
    }
  }

 private:
  void connect_to(const asio::generic::stream_protocol::endpoint& address) {
    error_code ignored;
    stream_.socket().close(ignored);
    stream_.expires_after(connect_patience_);
    stream_.async_connect(address, [this](error_code error) { error_ = error; });
    run();
  }

  void run() {
    loop_.restart();
    loop_.run();
  }

  [[noreturn]] void fail(const error_code& why) {
    if (why == beast::error::timeout) {
      throw Unreachable(fmt::format("the daemon at {} did not answer in time: is it stopped or overloaded?",
                                    endpoint_.text));
    }
    if (why == asio::error::access_denied) {
      throw Unreachable(
          fmt::format("no access to {} (permission denied): join the group that owns it", endpoint_.text));
    }
    if (why == asio::error::host_not_found || why == asio::error::host_not_found_try_again) {
      throw Unreachable(fmt::format("the host of {} is not known: check --url and WEIR_URL", endpoint_.text));
    }
    throw Unreachable(unreachable_message(endpoint_, why.message()));
  }
  [[noreturn]] void break_off() {
    throw BrokenAnswer(fmt::format("the answer of {} broke off ({}): what came before it is incomplete",
                                   endpoint_.text, error_.message()));
  }

  const Endpoint& endpoint_;
  const std::chrono::milliseconds connect_patience_;
  asio::io_context loop_{1};
  Stream stream_;
  beast::flat_buffer buffer_;
  error_code error_;
};

}  // namespace

std::string unreachable_message(const Endpoint& endpoint, std::string_view why) {
  std::string reason(why);
  if (!reason.empty()) reason[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(reason[0])));
  return fmt::format("no daemon at {} ({}): start it with `weir serve`", endpoint.text, reason);
}

ClientAnswer Client::send(const ClientRequest& request, const Sink& sink) {
  http::request<http::string_body> message;
  message.version(11);
  message.method_string(request.method);
  message.target(endpoint_.prefix + request.target);
  message.set(http::field::host, endpoint_.authority());
  message.set(http::field::user_agent, fmt::format("weir/{}", kVersion));
  message.set(http::field::accept, request.accept);
  message.set(http::field::connection, "close");
  if (!token_.empty()) message.set(http::field::authorization, "Bearer " + token_.reveal());
  for (const auto& [name, value] : request.headers) message.set(name, value);
  if (!request.body.empty()) {
    message.set(http::field::content_type, "application/json");
    message.body() = request.body;
    message.prepare_payload();
  }

  Conversation conversation(endpoint_, request.patience);
  conversation.connect();
  conversation.write(message, request.patience);
  http::response_parser<http::buffer_body> head;
  head.body_limit(boost::none);
  conversation.read_header(head, request.patience);
  ClientAnswer answer;
  answer.status = static_cast<int>(head.get().result_int());
  const auto type = head.get()[http::field::content_type];
  answer.content_type.assign(type.data(), type.size());
  const bool hand_on = sink && answer.status == 200;
  conversation.read(head, request.patience, [&](std::string_view piece) {
    if (hand_on) return sink(piece);
    if (answer.body.size() + piece.size() > kMaxAnswer) {
      throw BrokenAnswer(fmt::format("the answer of {} is larger than 256 MiB", endpoint_.text));
    }
    answer.body += piece;
  });
  return answer;
}

}  // namespace weir::daemon
