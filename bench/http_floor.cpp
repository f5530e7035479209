// The HTTP server alone: a POST is answered by 200 bytes of JSON. What it costs a request is the floor under
// every route; compare with `nginx return 200` (LIMITS: CPU time of the process, divided by the requests, in
// the same round).
//   http_floor [ADDRESS]       default 127.0.0.1:8412; prints requests and CPU seconds at SIGTERM
#include <cstdio>

#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "http/server.hpp"

int main(int argc, char** argv) {
  boost::asio::io_context loop{1};
  weir::http::ServerOptions options;
  options.listen = {argc > 1 ? argv[1] : "127.0.0.1:8412"};
  const std::string body = "{\"admission_id\":\"" + std::string(181, 'x') + "\"}";
  weir::http::Server server(loop, options, [&body](weir::http::Exchange& exchange) {
    exchange.reply({.status = 200, .body = body});
  });
  server.listen();
  boost::asio::signal_set signals(loop, SIGINT, SIGTERM);
  signals.async_wait([&](const boost::system::error_code&, int) {
    server.stop(std::chrono::seconds(1), [&] { loop.stop(); });
  });
  loop.run();
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const double cpu = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                     static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  const auto requests = static_cast<double>(server.stats().requests);
  std::printf("%.0f requests, %.3f s CPU, %.2f us each, %ld KiB\n", requests, cpu,
              requests > 0 ? cpu / requests * 1e6 : 0.0, used.ru_maxrss);
}
