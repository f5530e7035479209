#include "proxy/model_watch.hpp"

#include <algorithm>

#include "proxy/session.hpp"

namespace weir::proxy {

ModelWatch::Fault ModelWatch::feed(std::string_view bytes) {
  reader_.feed(bytes, [this](std::string_view part, bool last) {
    if (fault_ != Fault::none) return;
    if (part.size() > max_message_bytes_ - message_.size()) {
      fault_ = Fault::too_large;
      return;
    }
    message_ += part;
    if (!last) return;
    const auto models = models_of_message(message_);
    if (!models) {
      fault_ = Fault::unreadable;
    } else if (!std::all_of(models->begin(), models->end(),
                            [this](const std::string& model) { return model == model_; })) {
      fault_ = Fault::other_model;
    }
    std::string().swap(message_);  // an assignment would keep its room
  });
  if (fault_ == Fault::none && reader_.damaged()) fault_ = Fault::unreadable;
  return fault_;
}

}  // namespace weir::proxy
