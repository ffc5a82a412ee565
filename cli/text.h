// Quantities, tables and foreign text as people read them.  Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace diagnose::cli {

// "1us", "2.048ms", "90s": four significant digits; 0 is "0s".
[[nodiscard]] std::string seconds_text(double seconds);

// "9m 58s", "2h 3m", "7d": two parts at most, for what remains.
[[nodiscard]] std::string remaining_text(std::chrono::seconds remaining);

// A value in a metric's unit: "seconds" and "bytes" are scaled, anything else is a plain number.
[[nodiscard]] std::string value_text(double value, std::string_view unit);

// Names and strings come from the programs under observation: control characters, which could drive the terminal, are
// shown as \xNN.
[[nodiscard]] std::string printable(std::string_view text);

// Columns of `text` on a terminal, where each code point takes one and our own colours none.
[[nodiscard]] std::size_t columns(std::string_view text);

enum class Align { left, right };

// Rows of cells under headings (none if all are empty), two blanks between columns, no blanks at line ends.
class Table {
 public:
  struct Column {
    std::string heading;
    Align align = Align::left;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] std::string text(const std::string& indent = {}) const;
  [[nodiscard]] bool empty() const { return rows_.empty(); }

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace diagnose::cli
