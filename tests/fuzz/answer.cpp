// The parser of upstreams' answers: cut anywhere, the same answers come out.
// The first byte: how it is cut; odd numbers divided by two that are odd again: answers to HEAD.
#include <string>
#include <vector>

#include "fuzz.hpp"
#include "upstream/response_parser.hpp"

namespace weir::fuzz {
namespace {

struct Answer {
  std::string head, body;
  bool operator==(const Answer&) const = default;
};

std::vector<Answer> answers_of(std::string_view bytes, unsigned seed, bool to_head) {
  using Step = upstream::ResponseParser::Step;
  std::vector<Answer> complete;
  Answer answer;
  http::InputBuffer buffer;
  upstream::ResponseParser parser;
  parser.start(to_head);
  bool over = false;
  in_pieces(bytes, seed, [&](std::string_view piece) {
    const auto room = buffer.prepare(piece.size());
    std::copy(piece.begin(), piece.end(), room.begin());
    buffer.commit(piece.size());
    bool head = !answer.head.empty();
    while (!over && buffer.size() > 0) {
      const Step step = parser.parse(buffer);
      if (step == Step::failed) {
        expect(!parser.problem().empty(), "a refusal says why");
        over = true;
        break;
      }
      if (step == Step::head_done) {
        const upstream::AnswerHead seen = parser.head(buffer);
        answer.head = std::to_string(seen.status) + " ";
        answer.head += seen.reason;
        for (std::size_t i = 0; i < seen.count(); ++i) {
          const auto [name, value] = seen.field(i);
          answer.head.append(1, '\n').append(name).append(": ").append(value);
        }
        head = true;
        continue;
      }
      if (head) {
        answer.body += parser.body(buffer);
        parser.drop_body(buffer);
      }
      if (step == Step::need_more) break;
      complete.push_back(std::exchange(answer, {}));
      head = false;
      parser.finish(buffer);
      parser.start(to_head);
    }
  });
  return complete;
}

}  // namespace

void run(std::string_view input) {
  const unsigned first = take_byte(input);
  const bool to_head = first / 2 % 2 == 1;
  expect(answers_of(input, 0, to_head) == answers_of(input, first | 1, to_head),
         "however it is cut, the same answers come out");
}

}  // namespace weir::fuzz
