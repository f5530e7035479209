#include "provider/text_tokens.hpp"

#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace weir::provider {
namespace {

struct Sentence {
  std::string text;
  std::int64_t gemma;  // as Gemma 3's tokenizer counts it
  std::int64_t o200k;  // as OpenAI's o200k_base does
};

}  // namespace

TEST_CASE("a short text in any script comes within a factor of two of what tokenizers count") {
  const Sentence sentences[] = {
      {"Please summarise the attached minutes in three short paragraphs, and list every decision with the "
       "name of its owner.",
       21, 22},
      {"for (int i = 0; i < 10; ++i) { sum += values[i] * 2; }", 29, 27},
      {"2026-11-22,14:35:07,19.75,4480,0.0031", 37, 24},
      {"Die Sitzung wurde auf nächsten Donnerstag verschoben, weil der Raum überflutet ist.", 18, 17},
      {"Zebranie zostało przełożone na przyszły czwartek, ponieważ sala jest zalana.", 20, 22},
      {"Cuộc họp được dời sang thứ năm tuần sau vì phòng bị ngập nước.", 18, 19},
      {"Собрание перенесли на следующий четверг, потому что зал затопило водой.", 19, 19},
      {"Η συνεδρίαση αναβλήθηκε για την επόμενη Πέμπτη επειδή η αίθουσα πλημμύρισε.", 33, 31},
      {"تم تأجيل الاجتماع إلى يوم الخميس القادم لأن القاعة غمرتها المياه.", 18, 16},
      {"הישיבה נדחתה ליום חמישי הבא מפני שהאולם הוצף במים.", 26, 22},
      {"कमरे में पानी भर जाने के कारण बैठक अगले गुरुवार तक टाल दी गई है।", 18, 19},
      {"การประชุมถูกเลื่อนไปเป็นวันพฤหัสบดีหน้าเพราะห้องน้ำท่วม", 19, 23},
      {"由于会议室被水淹了,会议推迟到下周四举行。", 17, 18},
      {"会議室が水浸しになったため、会議は来週の木曜日に延期されました。", 21, 25},
      {"회의실이 물에 잠겨서 회의가 다음 주 목요일로 연기되었습니다.", 20, 20},
      {"🎉🚀😀", 3, 5},
  };
  for (const Sentence& sentence : sentences) {
    CAPTURE(sentence.text);
    const double estimate = static_cast<double>(text_millitokens(sentence.text)) / kMilli;
    CHECK(estimate >= 0.75 * static_cast<double>(std::min(sentence.gemma, sentence.o200k)));
    CHECK(estimate <= 2.0 * static_cast<double>(std::max(sentence.gemma, sentence.o200k)));
  }
}

TEST_CASE("ideographs are one token each, letters five to a token, digits one") {
  CHECK(text_millitokens("") == 0);
  CHECK(text_millitokens("会议") == 2 * kMilli);
  CHECK(text_millitokens("abcde") == kMilli);
  CHECK(text_millitokens("12345") == 5 * kMilli);
  CHECK(text_millitokens(std::string(1'000'000, 'a')) == 200'000 * kMilli);
}

TEST_CASE("a text costs what its characters cost, wherever it is cut") {
  const std::vector<std::string> characters = {"a", "Z", " ", "\n", "\x1F", "0", "9", "/",  ":", "@",
                                               "[", "`", "{", "~",  "\x7F", "é", "Я", "会", "🎉", "\xFF"};
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    // Mostly ASCII, so that stretches without and with other characters follow each other.
    const auto rare = static_cast<unsigned>(random() % 400 + 1);
    std::string text;
    std::int64_t sum = 0;
    for (std::size_t left = random() % 700; left > 0; --left) {
      const std::string& next =
          characters[random() % rare == 0 ? random() % characters.size() : random() % 15];
      text += next;
      sum += text_millitokens(next);
    }
    CAPTURE(text);
    REQUIRE(text_millitokens(text) == sum);
  }
}

TEST_CASE("bytes that are no UTF-8 count, and harm nothing") {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string text{static_cast<char>(first), static_cast<char>(second)};
      CHECK(text_millitokens(text) > 0);
      CHECK(text_millitokens(text + "\xE4") > 0);
      CHECK(text_millitokens("\xF0\x9F" + text) <= 4 * 3000);
    }
  }
}

}  // namespace weir::provider
