#include "telemetry/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>

#include "telemetry/text.hpp"

namespace weir::telemetry {
namespace {

constexpr std::size_t kChunkSeries =
    256;  // so much text is copied at most when a scrape follows a new series

std::string_view to_string(Type type) {
  switch (type) {
    case Type::counter:
      return "counter";
    case Type::gauge:
      return "gauge";
    case Type::histogram:
      return "histogram";
  }
  return "untyped";
}

bool is_name(std::string_view text, bool colons) {
  const auto first = [&](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
  if (text.empty() || (!first(text[0]) && text[0] != '_' && !(colons && text[0] == ':'))) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return first(c) || c == '_' || (c >= '0' && c <= '9') || (colons && c == ':');
  });
}

}  // namespace

struct Chunk {
  std::string text;  // for counters and gauges whole line heads: `name{a="b"} `; for histograms `a="b"`
  std::vector<std::uint32_t> ends;  // of each series' part of text
};

struct FamilyLayout {
  Type type = Type::counter;
  Scale scale;
  std::string name;
  std::string head;                      // HELP and TYPE
  std::vector<std::string> bucket_ends;  // histograms: `le="0.5"} `, +Inf last
  std::vector<std::shared_ptr<const Chunk>> chunks;

  template <typename Visit>
  void each_series(const Visit& visit) const {
    std::size_t series = 0;
    for (const auto& chunk : chunks) {
      std::uint32_t begin = 0;
      for (const std::uint32_t end : chunk->ends) {
        visit(series++, std::string_view(chunk->text).substr(begin, end - begin));
        begin = end;
      }
    }
  }
};

// --- values
// ----------------------------------------------------------------------------------------------------------

Histogram::Histogram(const std::vector<double>& upper_bounds)
    : upper_bounds_(&upper_bounds), counts_(upper_bounds.size() + 1) {}

void Histogram::observe(double value) {
  if (std::isnan(value)) return;
  const auto bound = std::lower_bound(upper_bounds_->begin(), upper_bounds_->end(), value);
  ++counts_[static_cast<std::size_t>(bound - upper_bounds_->begin())];
  sum_ += value;
}

// --- family
// ----------------------------------------------------------------------------------------------------------

Family::Family(FamilyOptions options) : options_(std::move(options)), open_(std::make_unique<Chunk>()) {
  if (!is_name(options_.name, true)) throw std::invalid_argument("not a metric name: " + options_.name);
  for (const std::string& label : options_.labels) {
    if (!is_name(label, false) || label.starts_with("__") ||
        (options_.type == Type::histogram && label == "le")) {
      throw std::invalid_argument("not a label name: " + label + " of " + options_.name);
    }
  }
  for (const std::string& label : options_.bounded_labels) {
    if (std::find(options_.labels.begin(), options_.labels.end(), label) == options_.labels.end()) {
      throw std::invalid_argument("bounded label " + label + " is no label of " + options_.name);
    }
  }
  const std::vector<double>& bounds = options_.buckets;
  if (std::adjacent_find(bounds.begin(), bounds.end(), std::greater_equal<>()) != bounds.end() ||
      !std::all_of(bounds.begin(), bounds.end(), [](double bound) { return std::isfinite(bound); })) {
    throw std::invalid_argument("buckets of " + options_.name + " do not ascend");
  }
  if (options_.type == Type::histogram && options_.scale != 1) {
    throw std::invalid_argument("histogram " + options_.name + " has a scale");
  }
}

Family::~Family() = default;

Counter& Family::counter(const std::vector<std::string>& label_values) {
  return counters_[resolve(label_values, Type::counter)];
}

Gauge& Family::gauge(const std::vector<std::string>& label_values) {
  return gauges_[resolve(label_values, Type::gauge)];
}

Histogram& Family::histogram(const std::vector<std::string>& label_values) {
  return histograms_[resolve(label_values, Type::histogram)];
}

void Family::clear() {
  by_labels_.clear();
  counters_.clear();
  gauges_.clear();
  histograms_.clear();
  full_.clear();
  *open_ = Chunk{};
  layout_.reset();
}

std::size_t Family::resolve(const std::vector<std::string>& label_values, Type type) {
  if (type != options_.type || label_values.size() != options_.labels.size()) {
    throw std::logic_error("wrong type or number of labels for " + options_.name);
  }
  const auto render = [&](bool fold) {
    std::string labels;
    for (std::size_t i = 0; i < label_values.size(); ++i) {
      const std::string& name = options_.labels[i];
      const auto& bounded = options_.bounded_labels;
      const bool other = fold && std::find(bounded.begin(), bounded.end(), name) != bounded.end();
      if (i > 0) labels += ',';
      labels += name;
      labels += "=\"";
      append_label_value(labels, other ? std::string_view("other") : std::string_view(label_values[i]));
      labels += '"';
    }
    return labels;
  };
  std::string labels = render(false);
  auto known = by_labels_.find(labels);
  if (known != by_labels_.end()) return known->second;
  if (by_labels_.size() >= options_.max_series && !options_.bounded_labels.empty()) {
    labels = render(true);
    known = by_labels_.find(labels);
    if (known != by_labels_.end()) return known->second;
  }
  return create(labels);
}

std::size_t Family::create(const std::string& labels) {
  const std::size_t series = by_labels_.size();
  by_labels_.emplace(labels, series);
  switch (options_.type) {
    case Type::counter:
      counters_.emplace_back();
      break;
    case Type::gauge:
      gauges_.emplace_back();
      break;
    case Type::histogram:
      histograms_.emplace_back(options_.buckets);
      break;
  }
  if (options_.type == Type::histogram) {
    open_->text += labels;
  } else {
    open_->text += options_.name;
    if (!labels.empty()) open_->text += '{' + labels + '}';
    open_->text += ' ';
  }
  open_->ends.push_back(static_cast<std::uint32_t>(open_->text.size()));
  if (open_->ends.size() == kChunkSeries) {
    full_.push_back(std::move(open_));
    open_ = std::make_unique<Chunk>();
  }
  layout_.reset();
  return series;
}

std::shared_ptr<const FamilyLayout> Family::layout() {
  if (layout_) return layout_;
  auto fresh = std::make_shared<FamilyLayout>();
  fresh->type = options_.type;
  fresh->scale = Scale(options_.scale);
  fresh->name = options_.name;
  fresh->head = "# HELP " + options_.name + " ";
  append_help(fresh->head, options_.help);
  fresh->head += "\n# TYPE " + options_.name + " ";
  fresh->head += to_string(options_.type);
  fresh->head += '\n';
  if (options_.type == Type::histogram) {
    std::vector<double> bounds = options_.buckets;
    bounds.push_back(std::numeric_limits<double>::infinity());
    for (const double bound : bounds) {
      std::string end = "le=\"";
      append_number(end, bound);
      fresh->bucket_ends.push_back(end + "\"} ");
    }
  }
  fresh->chunks = full_;
  if (!open_->ends.empty()) fresh->chunks.push_back(std::make_shared<const Chunk>(*open_));
  layout_ = std::move(fresh);
  return layout_;
}

// --- registry
// --------------------------------------------------------------------------------------------------------

Family& Registry::add(FamilyOptions options) {
  for (const Family& family : families_) {
    if (family.options().name == options.name)
      throw std::invalid_argument("metric added twice: " + options.name);
  }
  return families_.emplace_back(std::move(options));
}

Snapshot Registry::snapshot() {
  Snapshot result;
  result.families_.reserve(families_.size());
  for (Family& family : families_) {
    Snapshot::Values& values = result.families_.emplace_back();
    values.layout = family.layout();
    values.counters.reserve(family.counters_.size());
    for (const Counter& counter : family.counters_) values.counters.push_back(counter.value());
    values.gauges.reserve(family.gauges_.size());
    for (const Gauge& gauge : family.gauges_) values.gauges.push_back(gauge.value());
    values.histogram_sums.reserve(family.histograms_.size());
    for (const Histogram& histogram : family.histograms_) {
      values.histogram_counts.insert(values.histogram_counts.end(), histogram.counts().begin(),
                                     histogram.counts().end());
      values.histogram_sums.push_back(histogram.sum());
    }
  }
  return result;
}

// --- rendering
// -------------------------------------------------------------------------------------------------------

namespace {

void append_histogram(std::string& out, const FamilyLayout& layout, std::string_view labels,
                      const std::uint64_t* counts, double sum) {
  std::uint64_t cumulative = 0;
  for (const std::string& bucket_end : layout.bucket_ends) {
    cumulative += *counts++;
    out += layout.name;
    out += "_bucket{";
    out += labels;
    if (!labels.empty()) out += ',';
    out += bucket_end;
    append_number(out, static_cast<std::int64_t>(cumulative));
    out += '\n';
  }
  const auto append_line_head = [&](std::string_view suffix) {
    out += layout.name;
    out += suffix;
    if (!labels.empty()) {
      out += '{';
      out += labels;
      out += '}';
    }
    out += ' ';
  };
  append_line_head("_sum");
  append_number(out, sum);
  out += '\n';
  append_line_head("_count");
  append_number(out, static_cast<std::int64_t>(cumulative));
  out += '\n';
}

}  // namespace

std::string Snapshot::render() const {
  std::size_t size = 0;
  for (const Values& family : families_) {
    size += family.layout->head.size() + 24 * (family.counters.size() + family.gauges.size());
    for (const auto& chunk : family.layout->chunks) size += chunk->text.size();
  }
  std::string out;
  out.reserve(size);
  for (const Values& family : families_) {
    const FamilyLayout& layout = *family.layout;
    out += layout.head;
    layout.each_series([&](std::size_t series, std::string_view text) {
      if (layout.type == Type::histogram) {
        const auto* counts = family.histogram_counts.data() + series * layout.bucket_ends.size();
        append_histogram(out, layout, text, counts, family.histogram_sums[series]);
        return;
      }
      out += text;
      if (layout.type == Type::counter) {
        layout.scale.append(out, family.counters[series]);
      } else {
        layout.scale.append(out, family.gauges[series]);
      }
      out += '\n';
    });
  }
  return out;
}

}  // namespace weir::telemetry
