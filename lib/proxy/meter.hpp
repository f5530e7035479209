// Reads what an answer says was used, or refused, from its bytes as they pass; they are never changed. An
// encoded answer (gzip, deflate) is read from a decoded copy. Bounded; never fails: what cannot be read is
// absent. One answer each; loop thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "provider/error.hpp"
#include "provider/stream_usage.hpp"
#include "quota/amounts.hpp"

namespace weir::proxy {

class Inflater;

class Meter {
 public:
  // `encoding`: the answer's Content-Encoding. `max_bytes`: of an event, or of an answer in one piece, that
  // is kept to be read.
  Meter(int status, std::string_view encoding, std::string_view retry_after, std::size_t max_bytes);
  ~Meter();

  void feed(std::string_view bytes);
  void finish();  // the answer is complete, or will not go on

  [[nodiscard]] const std::optional<Usage>& usage() const { return usage_.usage(); }
  // The first 64 KiB of the body of an answer of 4xx or 5xx, decoded.
  [[nodiscard]] const std::string& error_text() const { return error_body_; }
  [[nodiscard]] bool decodes() const { return inflater_ != nullptr; }
  // Of an answer of 4xx or 5xx, or of a stream that told of an error. After finish().
  [[nodiscard]] std::optional<provider::UpstreamError> error() const;

 private:
  void take(std::string_view decoded);

  int status_;
  std::string retry_after_;
  bool readable_ = true;  // false: an encoding that we do not know, or damaged
  std::unique_ptr<Inflater> inflater_;
  provider::StreamUsage usage_;
  std::string error_body_;  // of 4xx and 5xx, the first 64 KiB
};

}  // namespace weir::proxy
