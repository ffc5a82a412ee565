#include <algorithm>
#include <fmt/format.h>

#include "cli/fields.h"
#include "cli/render.h"
#include "cli/text.h"

namespace diagnose::cli {

using nlohmann::json;

std::string functions_text(const json& answer) {
  const json& functions = list_of(answer, "functions");
  const auto any = [&](const char* key) {
    return std::ranges::any_of(
        functions, [&](const json& one) { return !text_of(one, key).empty() || number_of(one, key).value_or(0) > 0; });
  };
  const bool sources = any("file");
  const bool inlined = any("inlined");
  // The name comes last: in C++ it may be longer than everything else together.
  std::vector<Table::Column> headings{{"SIZE", Align::right}};
  if (inlined) headings.push_back({"INLINED", Align::right});
  if (sources) headings.push_back({"SOURCE"});
  headings.push_back({"MODULE"});
  headings.push_back({"FUNCTION"});
  Table table(headings);
  for (const json& one : functions) {
    std::vector<std::string> cells{value_text(number_of(one, "size").value_or(0), "")};
    if (inlined) {
      const double copies = number_of(one, "inlined").value_or(0);
      cells.push_back(copies > 0 ? value_text(copies, "") : "");
    }
    if (sources) {
      const std::string file = text_of(one, "file");
      cells.push_back(file.empty() ? "" : fmt::format("{}:{:.0f}", file, number_of(one, "line").value_or(0)));
    }
    cells.push_back(text_of(one, "module"));
    cells.push_back(text_of(one, "name"));
    table.row(std::move(cells));
  }
  std::string text = table.text();
  if (answer.contains("cut") && answer["cut"] == true) {
    text += fmt::format("only the first {} are listed: narrow the pattern\n", functions.size());
  }
  return text;
}

}  // namespace diagnose::cli
