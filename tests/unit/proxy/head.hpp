// A request's head as the server hands it to a route.
#pragma once

#include <algorithm>
#include <string_view>

#include "http/input_buffer.hpp"
#include "http/request_parser.hpp"

namespace weir::proxy::test {

class Head {
 public:
  explicit Head(std::string_view text) : parser_(16384, 16384) {
    const auto room = buffer_.prepare(text.size());
    std::copy(text.begin(), text.end(), room.begin());
    buffer_.commit(text.size());
    parser_.parse(buffer_);
    parser_.view(buffer_, request);
  }
  http::Request request;

 private:
  http::InputBuffer buffer_;
  http::RequestParser parser_;
};

}  // namespace weir::proxy::test
