#include "support/metrics_text.h"

#include <sstream>
#include <stdexcept>
#include <utility>

namespace diagnose::test {
namespace {

// A cursor over one line `name{label="value",...} number [timestamp]`.
class Line {
 public:
  explicit Line(const std::string& text) : text_(text) {}

  Series series() {
    Series series;
    series.name = until("{ ");
    if (peek() == '{') {
      ++at_;
      while (peek() != '}') label(series.labels);
      ++at_;
    }
    series.value = std::stod(text_.substr(at_));  // stod reads +Inf and NaN too
    return series;
  }

 private:
  [[nodiscard]] char peek() const {
    if (at_ >= text_.size()) throw std::runtime_error("not a series: " + text_);
    return text_[at_];
  }
  std::string until(const char* stops) {
    const std::size_t end = text_.find_first_of(stops, at_);
    if (end == std::string::npos) throw std::runtime_error("not a series: " + text_);
    const std::size_t start = std::exchange(at_, end);
    return text_.substr(start, end - start);
  }
  void label(Labels& labels) {
    const std::string name = until("=");
    at_ += 2;  // ="
    std::string value;
    while (peek() != '"') {
      if (peek() == '\\') {
        ++at_;
        value += peek() == 'n' ? '\n' : peek();
      } else {
        value += peek();
      }
      ++at_;
    }
    ++at_;
    if (peek() == ',') ++at_;
    labels[name] = value;
  }

  const std::string& text_;
  std::size_t at_ = 0;
};

// "# TYPE family rest" as (family, rest), if the comment is of that kind.
std::optional<std::pair<std::string, std::string>> comment(const std::string& line, const std::string& kind) {
  const std::string start = "# " + kind + " ";
  if (line.rfind(start, 0) != 0) return std::nullopt;
  const std::size_t space = line.find(' ', start.size());
  if (space == std::string::npos) return std::pair{line.substr(start.size()), std::string()};
  return std::pair{line.substr(start.size(), space - start.size()), line.substr(space + 1)};
}

std::string get(const std::map<std::string, std::string>& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? std::string() : found->second;
}

}  // namespace

Metrics::Metrics(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    if (line[0] != '#') {
      series_.push_back(Line(line).series());
    } else if (auto type = comment(line, "TYPE")) {
      types_.insert(*type);
    } else if (auto help = comment(line, "HELP")) {
      helps_.insert(*help);
    }
  }
}

std::vector<Series> Metrics::find(const std::string& name, const Labels& labels) const {
  std::vector<Series> found;
  for (const Series& series : series_) {
    bool matches = series.name == name;
    for (const auto& [label, value] : labels) {
      const auto at = series.labels.find(label);
      matches = matches && at != series.labels.end() && at->second == value;
    }
    if (matches) found.push_back(series);
  }
  return found;
}

std::optional<double> Metrics::value(const std::string& name, const Labels& labels) const {
  const auto found = find(name, labels);
  return found.size() == 1 ? std::optional(found[0].value) : std::nullopt;
}

double Metrics::sum(const std::string& name, const Labels& labels) const {
  double sum = 0;
  for (const Series& series : find(name, labels)) sum += series.value;
  return sum;
}

std::string Metrics::type(const std::string& family) const {
  return get(types_, family);
}
std::string Metrics::help(const std::string& family) const {
  return get(helps_, family);
}

}  // namespace diagnose::test
