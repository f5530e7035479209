// One proxied request, from its head to the end of its answer. Kept by the Proxy until it is over; loop
// thread.
//
// Metered: the body is collected, the model and the size are read from it, the call is admitted (it may
// wait), the admission is committed, and only then the request leaves. Everything else passes as it comes.
// Whatever ends it, a call that was admitted is settled or cancelled: cancelled if the request was not
// written whole, since then upstream cannot have counted it.
//
// A refusal of upstream's (429, 503) may be held back, settled, and the call admitted and sent again
// (Setup::retries), as long as the caller has the patience; what is held goes to the caller if it does not.
//
// In five sources: relay.cpp is the caller's side, relay_admission.cpp the quota's, relay_upstream.cpp the
// upstream's, relay_retry.cpp the further attempts, relay_session.cpp what a request for a WebSocket becomes.
#pragma once

#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admission/service.hpp"
#include "http/exchange.hpp"
#include "provider/rate_limits.hpp"

#include "proxy/heads.hpp"
#include "proxy/meter.hpp"
#include "proxy/model_watch.hpp"
#include "proxy/proxy.hpp"
#include "proxy/refusal.hpp"
#include "proxy/session.hpp"
#include "proxy/target.hpp"
#include "upstream/call.hpp"

namespace weir::proxy {

class Relay final : public upstream::Receiver,
                    public ledger::Waiter,
                    public std::enable_shared_from_this<Relay> {
 public:
  Relay(Proxy& proxy, std::shared_ptr<http::Exchange> exchange, const Target& target, std::string query,
        Operation operation, std::string consumer);

  void start(std::list<std::shared_ptr<Relay>>::iterator position);
  // The daemon is about to stop: ends a session, leaves any other call alone.
  void stop();
  // The proxy's end: breaks it off without a word to anybody.
  void drop();

  // upstream::Receiver
  void on_connected(bool reused) override;
  void on_sent() override;
  void on_room() override;
  void on_head(const upstream::AnswerHead& head) override;
  void on_body(std::string_view bytes) override;
  void on_quiet() override;
  void on_trailers(std::string_view lines) override;
  void on_end() override;
  void on_failure(const upstream::Failure& failure) override;

  // ledger::Waiter: the admission is written, or cannot be
  void committed(ledger::Commit result) override;

 private:
  enum class Phase : std::uint8_t {
    collecting,  // the body of a metered request
    waiting,     // for room
    committing,  // the admission, to the ledger
    sending,     // the request, to upstream; the answer's head has not come
    refused,     // by upstream: its answer is held back, the call may be tried again
    pausing,     // before it is
    answering,
    over,
  };

  bool collect(std::string_view bytes, bool last);
  // Of this call the proxy now holds so many bytes; false, and nothing changed: they would be too many.
  bool hold(std::size_t bytes);
  void release();  // the body: it will not be sent again
  void refuse_to_hold();
  bool pass_on(std::string_view bytes, bool last);
  void write_held_body();
  void admit(const Amounts& want, const admission::Guess& guess);
  void ask(const Now& now);
  void decided(const admission::Answer& answer, const Now& now);
  void send();
  [[nodiscard]] std::string request_head(std::string_view path, std::string_view query,
                                         std::optional<std::size_t> body_bytes) const;
  void append_weir_lines(std::string& to) const;
  [[nodiscard]] std::string rewrite_url(std::string_view url) const;

  // --- refusals of upstream's, held back
  [[nodiscard]] bool may_retry(int status) const;
  // What upstream says of a call that it refused may quote the key that it came with.
  [[nodiscard]] bool may_quote_key(int status) const;
  void hide_key();
  void hold_answer(const upstream::AnswerHead& head, AnswerLines lines);
  void hold_body(std::string_view bytes);
  void refused_whole();
  // The held answer, its key hidden, goes to the caller after all: its head and what has come of its body.
  void give_answer(bool whole);
  void end_with_answer();

  void start_session();
  void begin_session(const upstream::AnswerHead& head);
  void expect_first_message();
  bool from_client(std::string_view bytes);
  // False: the session is over, since these bytes of the client's may name another model.
  bool watch_models(std::string_view bytes);
  void from_upstream(std::string_view bytes);
  void admit_session();
  void open_session();
  void account_session();
  void stop_session();
  void refuse_session(const Refusal& refused);
  void close_session(std::uint16_t code, std::string_view reason);
  // Whose quota: a session's project is chosen before its model is known.
  [[nodiscard]] const std::string& quota_name() const { return session_ ? upstream_->name : name_; }

  void client_left();
  void settle(int status, bool partial);
  void cancel_admission();
  void refuse(int status, std::string_view detail);
  void refuse(const Refusal& refused);
  void finish();
  // A bug or bad_alloc ends this call, not the process.
  template <class Work>
  void guarded(const Work& work) {
    const auto keep = shared_from_this();
    try {
      work();
    } catch (const std::exception& error) {
      failed(error.what());
    }
  }
  void failed(const char* what);

  Proxy& proxy_;
  std::shared_ptr<http::Exchange> exchange_;
  std::list<std::shared_ptr<Relay>>::iterator position_;
  Phase phase_ = Phase::collecting;

  // Of the request, copied: its views move while the body comes in.
  const std::string name_;  // project or pool
  const std::string path_, query_, method_, host_, lines_;
  const Operation operation_;
  const std::string consumer_;
  const bool to_head_;
  const bool has_body_;
  const bool accepts_gzip_;
  const std::optional<std::uint64_t> content_length_;
  const std::string content_encoding_, wait_text_;
  std::string body_;       // of a metered request; of a session, what is held back
  std::string trailers_;   // of it
  std::size_t held_ = 0;   // bytes that are counted
  bool oversize_ = false;  // more of it follows, streamed
  std::string model_;      // as asked
  Amounts want_;
  admission::Guess guess_;
  SteadyTime patient_until_{};

  // Of the admission.
  std::uint64_t ticket_ = 0;
  ledger::CallId admission_ = 0;         // 0: none is open
  ledger::CallId latest_admission_ = 0;  // told to the caller; 0: there was none
  std::shared_ptr<const Upstream> upstream_;
  std::string sent_model_;       // a fallback may be another than was asked for
  bool body_rewritten_ = false;  // to name that one
  Micros waited_{0};

  // Of the call.
  std::shared_ptr<upstream::Call> call_;
  std::optional<Meter> meter_;
  std::optional<Session> session_;                // since upstream's 101
  std::optional<ModelWatch> watch_;               // once its model is known, if each message may name one
  std::vector<provider::RateLimit> rate_limits_;  // that the answer's headers tell of
  int status_ = 0;
  SteadyTime complete_at_{}, departed_at_{};
  std::optional<WallTime> sent_at_;

  // Of further attempts.
  struct HeldAnswer {
    bool to_retry = false;
    std::string reason;
    AnswerLines lines;
    std::optional<std::uint64_t> content_length;
    std::string body;
  };
  std::size_t retries_ = 0;  // begun
  std::optional<HeldAnswer> held_answer_;
  std::optional<Proxy::Timer> timer_;  // of the pause; of a session, until its first message is there
};

}  // namespace weir::proxy
