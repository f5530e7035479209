// Metrics in Prometheus' text format. Why not prometheus-cpp: a scrape of 10,000 series takes it 14 ms and its look-up locks;
// here a counter is one add, and a scrape copies the values on the loop thread and renders them on another.
//
// Thread rule: everything here belongs to the loop thread, but for Snapshot, which is a value.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::telemetry {

class Counter {
 public:
  void add(std::int64_t n = 1) { value_ += n; }
  [[nodiscard]] std::int64_t value() const { return value_; }

 private:
  std::int64_t value_ = 0;
};

class Gauge {
 public:
  void set(double value) { value_ = value; }
  [[nodiscard]] double value() const { return value_; }

 private:
  double value_ = 0;
};

class Histogram {  // cumulative buckets are made when rendering
 public:
  explicit Histogram(const std::vector<double>& upper_bounds);
  void observe(double value);
  // (accessors for the snapshot)
};

enum class Type : std::uint8_t { counter, gauge, histogram };

struct FamilyOptions {
  std::string name;  // "weir_calls_total"
  std::string help;
  Type type = Type::counter;
  std::vector<std::string> labels;  // names, in the order of the values
  double scale = 1;                 // rendered value = value * scale (cost counted in billionths: 1e-9)
  std::vector<double> buckets;      // histograms: upper bounds, ascending, without +Inf
  std::size_t max_series = 10'000;  // past it, new label values share one series whose bounded labels are "other"
  std::vector<std::string> bounded_labels;  // those replaced by "other" then
};

// A family's series live as long as the registry, at stable addresses: resolve once, keep the reference, add on the hot path.
class Family {
 public:
  Counter& counter(const std::vector<std::string>& label_values);
  Gauge& gauge(const std::vector<std::string>& label_values);
  Histogram& histogram(const std::vector<std::string>& label_values);
  // Removes every series (gauges that are written anew for each scrape).
  void clear();
};

// A scrape's values, to be rendered by any thread.
class Snapshot {
 public:
  // Content type: "text/plain; version=0.0.4; charset=utf-8".
  [[nodiscard]] std::string render() const;
};

class Registry {
 public:
  Family& add(FamilyOptions options);
  [[nodiscard]] Snapshot snapshot();  // copies values; layout is shared, not copied
};

}  // namespace weir::telemetry
