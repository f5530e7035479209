// What an answer says was used, in one form for every API. Pure functions over a parsed answer; no I/O, no
// clock. Damaged input never throws and never invents a number: an account with a count that is negative,
// fractional, a string or above 2^53 is not read at all.
#pragma once

#include <optional>
#include <string_view>

#include <simdjson.h>

#include "quota/amounts.hpp"

namespace weir::provider {

// The usage of one complete answer, whatever API produced it: Gemini generateContent, Live and embeddings,
// Interactions, OpenAI chat, responses and embeddings (Google's compatible endpoint included), Anthropic.
// nullopt if it has none. A JSON array is read as the chunks of a stream; a JSON string as the text of an
// answer (server-sent events, or JSON).
//
// How totals are kept: total = input + tool_use + output + thoughts.
//   Gemini     {prompt 9, candidates 1, thoughts 102, total 112}  -> input = total - candidates - thoughts
//   = 9. Prompt may
//              be absent though total includes it (file URLs); tool use is the part of that difference which
//              it names.
//   OpenAI     {prompt 10, completion 30, reasoning 20, total 40} -> output 10, thoughts 20: reasoning is in
//   completion. Google's   {prompt 11, completion 25, total 727}              -> output 25, thoughts 691:
//   there it is only in total. Anthropic  input excludes cache reads and writes; here it includes them.
// A total below the sum of its parts is disbelieved: then the parts count. A cached part above the input is
// cut to it.
//
// Whether the call is metered is the caller's to know: {totalTokens} of countTokens is no usage, but a new
// cachedContent's {usageMetadata:{totalTokenCount}} cannot be told from an answer's and reads as input.
// Images are counted where the answer lists them: predictions, OpenAI's image data, inline parts that are no
// thoughts.
std::optional<Usage> usage_of(simdjson::dom::element answer);

// The usage of a stream after one more chunk: accounts are cumulative or start again, so the last one counts
// and nothing is added up, except images. A chunk that has none leaves `earlier`. Anthropic's last chunk
// states only the output; the input stays that of its first.
std::optional<Usage> usage_after(const std::optional<Usage>& earlier, simdjson::dom::element chunk);

// The model that served the call, if the answer names it ("modelVersion", "model"); of an array, the first to
// do so. A view into the element; empty if unknown.
std::string_view model_of(simdjson::dom::element answer);

}  // namespace weir::provider
