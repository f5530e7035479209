#include "proxy/session.hpp"

#include <simdjson.h>

namespace weir::proxy {
namespace {

void add(std::optional<Usage>& sum, const Usage& turn) {
  if (!sum) sum.emplace();
  sum->input_tokens += turn.input_tokens;
  sum->cached_input_tokens += turn.cached_input_tokens;
  sum->output_tokens += turn.output_tokens;
  sum->thoughts_tokens += turn.thoughts_tokens;
  sum->tool_use_tokens += turn.tool_use_tokens;
  sum->images += turn.images;
}

}  // namespace

Session::Session(std::size_t max_message_bytes, bool want_first)
    : max_message_bytes_(max_message_bytes),
      first_(want_first ? First::incomplete : First::none_wanted),
      message_(max_message_bytes) {
  if (!want_first) client_.skip_messages();
}

void Session::from_client(std::string_view bytes) {
  client_.feed(bytes, [this](std::string_view part, bool last) {
    if (first_ != First::incomplete) return;
    if (part.size() > max_message_bytes_ - first_message_.size()) {
      forget_first_message();  // or what is kept of it would depend on how it was cut
      first_ = First::too_large;
    } else {
      first_message_ += part;
      if (last) first_ = First::complete;
    }
    if (first_ != First::incomplete) client_.skip_messages();
  });
  if (first_ == First::incomplete && client_.damaged()) first_ = First::damaged;
}

bool Session::from_upstream(std::string_view bytes) {
  bool told = false;
  upstream_.feed(bytes, [&](std::string_view part, bool last) {
    message_.feed(part);
    message_bytes_ += part.size();
    if (!last) return;
    message_.finish();
    skipped_ = skipped_ || message_bytes_ > max_message_bytes_;
    if (message_.usage()) {
      add(usage_, *message_.usage());
      told = true;
    }
    message_ = provider::StreamUsage(max_message_bytes_);
    message_bytes_ = 0;
  });
  return told;
}

void Session::forget_first_message() {
  first_ = First::none_wanted;
  std::string().swap(first_message_);
}

bool Session::partial() const {
  const bool closed = client_.close() || upstream_.close();
  return !closed || skipped_ || upstream_.damaged();
}

std::optional<provider::UpstreamError> Session::error() const {
  if (!upstream_.close()) return std::nullopt;
  const std::string& reason = upstream_.close()->reason;
  for (const char* word : {"RESOURCE_EXHAUSTED", "resource_exhausted", "quota"}) {
    if (reason.find(word) != std::string::npos) return provider::error_of(429, reason);
  }
  return std::nullopt;
}

bool Session::may_tell_client() const {
  return upstream_.between_frames() && !upstream_.close();
}

bool Session::may_tell_upstream() const {
  return client_.between_frames() && !client_.close();
}

std::optional<std::vector<std::string>> models_of_message(std::string_view message) {
  simdjson::dom::parser parser;
  simdjson::dom::object document;
  if (parser.parse(message.data(), message.size()).get(document) != simdjson::SUCCESS) return std::nullopt;
  std::vector<std::string> models;
  const auto read = [&models](const simdjson::dom::key_value_pair& field) {
    std::string_view model;
    if (field.key != "model" || field.value.get(model) != simdjson::SUCCESS) return;
    if (model.starts_with("models/")) model.remove_prefix(7);
    models.emplace_back(model);
  };
  for (const auto field : document) {
    simdjson::dom::object inner;
    read(field);
    if (field.key != "setup" && field.key != "session" && field.key != "response") continue;
    if (field.value.get(inner) != simdjson::SUCCESS) continue;
    for (const auto inner_field : inner) read(inner_field);
  }
  return models;
}

}  // namespace weir::proxy
