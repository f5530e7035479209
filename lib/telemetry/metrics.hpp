// Metrics in Prometheus' text format. Why not prometheus-cpp: a scrape of 10,000 series takes it 14 ms and
// its look-up locks; here a counter is one add, and a scrape copies the values on the loop thread and renders
// them on another.
//
// Thread rule: everything here belongs to the loop thread, but for Snapshot, which is a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
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
  explicit Histogram(const std::vector<double>& upper_bounds);  // of its family, which must outlive it
  // A value equal to a bound falls into that bound's bucket. NaN is ignored: it would spoil the sum for ever.
  void observe(double value);
  [[nodiscard]] const std::vector<std::uint64_t>& counts() const {
    return counts_;
  }  // not cumulative; the last is +Inf
  [[nodiscard]] double sum() const { return sum_; }

 private:
  const std::vector<double>* upper_bounds_;
  std::vector<std::uint64_t> counts_;
  double sum_ = 0;
};

enum class Type : std::uint8_t { counter, gauge, histogram };

struct FamilyOptions {
  std::string name;  // "weir_calls_total"
  std::string help;
  Type type = Type::counter;
  std::vector<std::string> labels;  // names, in the order of the values
  double scale = 1;  // rendered value = value * scale (cost counted in billionths: 1e-9). Not for histograms
  std::vector<double> buckets;  // histograms: upper bounds, ascending, without +Inf
  std::size_t max_series =
      10'000;  // past it, new label values share one series whose bounded labels are "other"
  std::vector<std::string>
      bounded_labels;  // those replaced by "other" then; none: all values are known to be few
};

struct Chunk;         // label texts of some consecutive series; immutable once shared
struct FamilyLayout;  // what of a family is text

// A family's series live as long as the registry, at stable addresses: resolve once, keep the reference, add
// on the hot path. Resolving costs a hash look-up and an allocation. Label values may be any bytes: what is
// not UTF-8 is shown as U+FFFD, since Prometheus throws away a whole scrape for one bad byte.
class Family {
 public:
  explicit Family(
      FamilyOptions options);  // throws std::invalid_argument: bad name, bad buckets (a bug of the caller)
  ~Family();
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;

  // The series of these values, created at 0 if new. Throws std::logic_error if the type or the number of
  // values is wrong.
  Counter& counter(const std::vector<std::string>& label_values);
  Gauge& gauge(const std::vector<std::string>& label_values);
  Histogram& histogram(const std::vector<std::string>& label_values);
  // Removes every series (gauges that are written anew for each scrape); references to them end.
  void clear();
  [[nodiscard]] const FamilyOptions& options() const { return options_; }

 private:
  friend class Registry;
  std::size_t resolve(const std::vector<std::string>& label_values, Type type);
  std::size_t create(const std::string& labels);
  std::shared_ptr<const FamilyLayout> layout();

  FamilyOptions options_;
  std::unordered_map<std::string, std::size_t> by_labels_;  // key: the labels as rendered
  std::deque<Counter> counters_;                            // one of the three is used
  std::deque<Gauge> gauges_;
  std::deque<Histogram> histograms_;
  std::vector<std::shared_ptr<const Chunk>> full_;  // labels of all series but those in open_
  std::unique_ptr<Chunk> open_;
  std::shared_ptr<const FamilyLayout> layout_;  // as last shared; null after a change
};

// A scrape's values, to be rendered by any thread.
class Snapshot {
 public:
  // Content type: "text/plain; version=0.0.4; charset=utf-8".
  [[nodiscard]] std::string render() const;

 private:
  friend class Registry;
  struct Values {
    std::shared_ptr<const FamilyLayout> layout;
    std::vector<std::int64_t> counters;
    std::vector<double> gauges;
    std::vector<std::uint64_t> histogram_counts;  // of one series after the other
    std::vector<double> histogram_sums;
  };
  std::vector<Values> families_;
};

class Registry {
 public:
  // Families are rendered in the order of their adding. Throws std::invalid_argument if the name is taken.
  Family& add(FamilyOptions options);
  [[nodiscard]] Snapshot snapshot();  // copies values; layout is shared, not copied

 private:
  std::deque<Family> families_;
};

inline constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace weir::telemetry
