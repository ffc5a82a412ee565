#include "export/exposition.h"

namespace diagnose::exporter {

std::string help_of(const metrics::Family& family) {
  return family.help.empty() ? "Measured from outside by diagnose." : family.help;
}

std::string escaped(std::string_view text, std::string_view marks) {
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    const bool marked = marks.find(c) != std::string_view::npos;
    if (marked) result += '\\';
    result += marked && c == '\n' ? 'n' : c;
  }
  return result;
}

}  // namespace diagnose::exporter
