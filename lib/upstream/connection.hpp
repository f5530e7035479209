// One connection to an upstream: sends a call's request, reads its answer, and goes back to the client's
// store. Internal to this room. Kept alive by the client's list and by the operations under way; loop thread.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "http/coarse_time.hpp"
#include "http/input_buffer.hpp"

#include "upstream/call.hpp"
#include "upstream/client.hpp"
#include "upstream/transport.hpp"

namespace weir::upstream {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Client& client, Client::Key key, Transport transport);

  // Serves `call` from here on.
  void begin(std::shared_ptr<Call> call, bool reused);
  bool write(std::string_view bytes);
  void finish(std::string_view trailers);
  void pause();
  void resume();
  // Ends it now, without callbacks.
  void close();

  void become_idle();
  // Of an idle one: whether the server has left it as it was.
  [[nodiscard]] bool quiet() { return transport_.quiet(); }
  void sweep(http::CoarseTime now);
  [[nodiscard]] const Client::Key& key() const { return key_; }
  [[nodiscard]] std::shared_ptr<Call> call() const { return call_; }

  std::list<std::shared_ptr<Connection>>::iterator position;  // in the client's list

 private:
  void send();
  [[nodiscard]] std::string_view next_bytes() const;
  void sent();
  void receive();
  bool hand_on();  // false: the call is over
  bool switch_protocol(const AnswerHead& head);
  bool hand_on_upgraded();
  void answered();
  void broken(Failure failure);
  void lost(const std::string& why);
  void wait(Io io);
  void on_ready();
  void expire_after(std::chrono::milliseconds timeout) { deadline_ = http::coarse_now() + timeout; }
  template <class Work>
  void guarded(const Work& work);

  Client* client_;  // null: closed
  const Client::Key key_;
  Transport transport_;
  http::InputBuffer input_;
  ResponseParser parser_;
  http::CoarseTime deadline_ = http::CoarseTime::max();
  bool waiting_read_ = false, waiting_write_ = false;
  std::size_t read_bytes_;  // asked for at a time; grows while reads fill it

  // Of the call under way.
  std::shared_ptr<Call> call_;
  std::size_t head_sent_ = 0, body_sent_ = 0;
  std::string out_;  // of a streamed body
  std::size_t out_sent_ = 0;
  bool reused_ = false;
  bool finished_ = false;  // no more of the body will come
  bool all_sent_ = false;
  bool write_failed_ = false;  // the server takes no more; it may have answered all the same
  bool room_owed_ = false;
  bool paused_ = false;
  bool got_bytes_ = false;
  bool head_seen_ = false;
  bool upgraded_ = false;  // the answer was 101: no more HTTP on this connection
  int interim_ = 0;        // 1xx answers
};

}  // namespace weir::upstream
