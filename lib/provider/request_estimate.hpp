// What a call is going to use, judged by its request's body, in whatever form of API: Gemini generateContent,
// embedContent, batchEmbedContents and predict; OpenAI chat, responses, embeddings and images; Interactions;
// Anthropic messages.
//
// Pure; no I/O, no clock. Never throws; O(body), nesting is followed to a fixed depth. A body that is damaged
// or of an unknown form yields what could be read of it, 0 tokens at the least. An estimate is a first guess:
// admission/estimates.hpp corrects it by what calls turned out to use.
#pragma once

#include <cstdint>
#include <string_view>

#include <simdjson.h>

namespace weir::provider {

struct RequestEstimate {
  std::int64_t requests = 1;      // as limits count them: each text of batchEmbedContents is one
  std::int64_t input_tokens = 0;  // text, media, tools, schemas
  // The most that the call may answer, thoughts included, over all candidates (maxOutputTokens, max_tokens
  // …); 0: the body names none.
  std::int64_t output_cap = 0;
  std::int64_t images = 0;  // that it asks for
  bool stream = false;      // the body says so (OpenAI forms, Interactions, Anthropic)
  // A part of the input cannot be seen: files and caches that are only named, earlier turns kept upstream,
  // media of unknown size. An assumed figure stands for each.
  bool uncertain = false;
  std::string_view model;  // as the body names it; "" = not. A view into the element
};

// `model` decides how images, sound and film count; "" = the one that the body names.
RequestEstimate estimate_request(simdjson::dom::element body, std::string_view model);

}  // namespace weir::provider
