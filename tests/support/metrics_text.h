// The Prometheus text format as a test reads it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace diagnose::test {

using Labels = std::map<std::string, std::string>;

struct Series {
  std::string name;
  Labels labels;
  double value = 0;
};

class Metrics {
 public:
  // Throws std::runtime_error on a line that is neither a comment nor a series.
  explicit Metrics(const std::string& text);

  [[nodiscard]] const std::vector<Series>& series() const { return series_; }
  // Every series of `name` that carries at least `labels`.
  [[nodiscard]] std::vector<Series> find(const std::string& name, const Labels& labels = {}) const;
  // The value of the only one; nullopt if there is none or more than one.
  [[nodiscard]] std::optional<double> value(const std::string& name, const Labels& labels = {}) const;
  [[nodiscard]] double sum(const std::string& name, const Labels& labels = {}) const;
  // `# TYPE`, `# HELP` of a family; empty if it has none.
  [[nodiscard]] std::string type(const std::string& family) const;
  [[nodiscard]] std::string help(const std::string& family) const;

 private:
  std::vector<Series> series_;
  std::map<std::string, std::string> types_;
  std::map<std::string, std::string> helps_;
};

}  // namespace diagnose::test
