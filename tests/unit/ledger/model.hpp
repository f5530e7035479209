// What must be in a ledger, kept apart from it: single calls, and the sums over them computed from scratch.
#pragma once

#include <map>

#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::ledger {

using SumKey =
    std::tuple<WallTime, std::string, std::string, std::string>;  // bucket, project, model, consumer

struct Model {
  std::map<CallId, Call> calls;

  void add(const Admission& a) { calls[a.id].admission = a; }
  void add(const Outcome& o) {
    calls[o.id].closed = true;
    calls[o.id].outcome = o;
  }
  [[nodiscard]] std::map<std::tuple<NameId, NameId, NameId>, Totals> totals() const {
    std::map<std::tuple<NameId, NameId, NameId>, Totals> sums;
    for (const auto& [id, call] : calls) {
      const Key& key = call.admission.key;
      if (call.closed)
        sums[{key.project, key.model, key.consumer}] += delta(call.admission, call.outcome).totals;
    }
    return sums;
  }
};

// Checks that the file holds exactly these calls, and that both kinds of totals are the sums over them.
inline void check_holds(const std::string& path, const Model& model) {
  Reader reader(path);
  std::map<CallId, Call> found;
  reader.each_call(0, [&](const Call& call) { found[call.admission.id] = call; });
  CHECK(found.size() == model.calls.size());
  for (const auto& [id, call] : model.calls) {
    const auto it = found.find(id);
    CHECK_MESSAGE(it != found.end(), "lost: ", id);
    if (it != found.end()) CHECK_MESSAGE(it->second == call, "changed: ", id);
  }
  for (const auto& [id, call] : found) CHECK_MESSAGE(model.calls.contains(id), "not acknowledged: ", id);

  UsageQuery query;
  query.project_zone = [](std::string_view) { return Zone::utc(); };
  std::map<std::tuple<NameId, NameId, NameId>, Amounts> charged;
  reader.sum_minutes(0, kEpochUs, [&](const Key& key, const Amounts& sum) {
    charged.emplace(std::tuple(key.project, key.model, key.consumer), sum);
  });
  auto expected = model.totals();
  for (auto& [key, totals] : expected) {
    CHECK(charged[key] == totals.charged);
    totals.charged = {0, 0, 0, 0, 0};
  }
  for (const Bucket bucket : {Bucket::none, Bucket::hour}) {  // from days, from minutes
    query.bucket = bucket;
    std::map<std::tuple<std::string, std::string, std::string>, Totals> sums;
    for (const UsageRow& row : reader.usage(query))
      sums[{row.project, row.model, row.consumer}] += row.totals;
    std::erase_if(sums, [](const auto& sum) { return sum.second == Totals{}; });
    CHECK(sums.size() == expected.size());
    for (const auto& [key, totals] : expected) {
      const auto& [project, consumer_model, consumer] = key;
      CHECK(sums[{reader.name(project), reader.name(consumer_model), reader.name(consumer)}] == totals);
    }
  }
}

}  // namespace weir::ledger
