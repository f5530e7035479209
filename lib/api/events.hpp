// GET /v1/events: what happens, as server-sent events, to whoever looks.
//
// While somebody does, it is the service's witness. What it hears is gathered for a quarter of a second, with
// the limits and observations that have changed, waits for the ledger to commit it, and goes into a ring of
// the newest events. Each client has a place in the ring and no queue of its own: what it is sent waits in
// its connection's buffer, at most kChunkBytes and one event, and in the ring. A client whose place the ring
// has left behind is dropped. Owned by Api; loop thread only.
#pragma once

#include <array>
#include <bitset>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "admission/service.hpp"
#include "admission/witness.hpp"
#include "api/event_ring.hpp"
#include "http/exchange.hpp"
#include "ledger/ledger.hpp"

namespace weir::api {

class Events final : public admission::Witness {
 public:
  static constexpr std::size_t kMaxClients = 64;  // past it 503
  // Of each kind of event, in one gathering; what is beyond is only counted, and told as `omitted`, or as a
  // reset if it concerns too many for that (Omissions). Limits have their turn in the next one.
  static constexpr std::size_t kMostOfAKind = 50;
  static constexpr std::chrono::milliseconds kGather{250};
  static constexpr std::size_t kChunkBytes = 64 * 1024;
  static constexpr Micros kHeartbeat = std::chrono::seconds(15);
  // After the last client has gone it goes on listening this long, so that one that was cut off can go on.
  static constexpr Micros kLinger = std::chrono::seconds(60);

  Events(boost::asio::io_context& loop, admission::Service& service, ledger::Ledger& ledger,
         std::function<Now()> now);

  // Answers the request: with a stream that ends when the client goes or the daemon stops, or with a problem.
  void serve(http::Exchange& exchange);
  // Once a second: heartbeats, and limits that changed because time went by.
  void tick(const Now& now);
  // There is a new configuration: clients hear a reset, since limits may have gone.
  void limits_changed();
  // Ends all streams; clients may come again, with a token that holds.
  void end_streams();
  // For good.
  void stop();

  // Witness
  void admitted(const admission::OpenCall& call) override;
  void closed(const admission::Lane& lane, const ledger::Call& call) override;
  void refused(const admission::Answer& answer, const Now& now) override;

 private:
  struct Client {
    std::shared_ptr<http::Exchange> exchange;
    std::bitset<kEventTypes> types;
    std::string project;     // empty: all
    std::string consumer;    // whose token it has; empty: it sees everything
    std::uint64_t next = 0;  // of the ring
    SteadyTime sent_at{};    // when something last left
    bool blocked = false;    // it takes no more for now
    bool gone = false;
  };
  struct Draft {
    EventType type;
    Subject subject{};
    std::string data{};
    Omissions omissions{};  // in place of these, if omitted
  };
  using Drafts = std::vector<Draft>;

  static bool concerns(EventType type, const Subject& subject, const Client& client);
  // What the client gets of the event: empty if that is nothing.
  static std::string_view text_for(const Client& client, const Event& event, std::string& buffer);
  bool read_query(http::Exchange& exchange, Client& client);
  void begin_listening();
  // The data to fill for an event; nullptr if there are too many of its kind, and it is only counted.
  std::string* draft(EventType type, const admission::Lane& lane);
  void gather_soon();
  void gather();
  void gather_limits(const Now& now);
  void gather_observations();
  void publish(Drafts drafts, ledger::Commit result);
  void pump(Client& client);
  template <class Work>
  void serving(const Work& work);

  admission::Service& service_;
  ledger::Ledger& ledger_;
  const std::function<Now()> now_;
  boost::asio::steady_timer timer_;
  bool armed_ = false;
  bool listening_ = false;
  bool stopped_ = false;
  SteadyTime last_client_{};

  EventRing ring_;
  std::list<std::shared_ptr<Client>> clients_;
  int serving_ = 0;

  Drafts drafts_;
  std::array<std::uint32_t, kEventTypes> drafted_{};
  Omissions omitted_;
  bool too_many_omitted_ = false;

  // Of each limit, as it was last told.
  struct Seen {
    bool known = false;
    quota::LimitView view{};
    std::size_t waiting = 0;
  };
  std::vector<Seen> seen_;
  quota::LimitId next_limit_ = 0;  // where the next look begins
  std::vector<std::size_t> waiting_;
  std::vector<std::int64_t> observations_;  // ids, ascending
};

}  // namespace weir::api
