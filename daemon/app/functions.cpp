#include "app/functions.h"

#include <fmt/format.h>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/limits.h"
#include "target/mapped_files.h"
#include "target/names.h"

namespace diagnose::app {
namespace {

using nlohmann::json;

json shape(const target::Listed& one, const std::string& module) {
  return {{"name", one.name},
          {"symbol", one.symbol},
          {"module", module},
          {"address", fmt::format("{:#x}", raw(one.address))},
          {"size", one.size},
          {"file", one.file.empty() ? json(nullptr) : json(one.file)},
          {"line", one.file.empty() ? json(nullptr) : json(one.line)},
          {"inlined", one.inlined}};
}

// Hands every function to `take`, file by file, at most `most`; true: there are more.
template <typename Take>
Result<bool> list(const target::ProcFs& proc, target::FileReader& reader, const spec::Target& target, std::size_t most,
                  bool sources, Take take) {
  auto files = target::mapped_files(proc, target);
  if (!files) return failure(files.error());
  std::optional<Error> first;
  std::size_t taken = 0;
  for (const target::MappedFile& file : *files) {
    if (taken == most) return true;
    const bool fetch = file.is_executable || !target.module.empty();
    auto answer = reader.list({.fd = file.file->get(),
                               .name = file.path,
                               .pattern = target.function.text,
                               .sources = sources,
                               .around = {.root = file.root, .fetch = sources && fetch},
                               .functions_max = most - taken});
    if (!answer) {
      if (!first) first = answer.error();
      continue;
    }
    taken += answer->functions.size();
    for (const target::Listed& one : answer->functions) take(one, file.path);
    if (answer->cut) return true;
  }
  if (taken == 0 && first) return failure(*first);
  return false;
}

}  // namespace

Result<json> functions_of(const target::ProcFs& proc, target::FileReader& reader, const spec::Target& target) {
  json functions = json::array();
  const auto cut =
      list(proc, reader, target, limits::functions_listed, true,
           [&](const target::Listed& one, const std::string& module) { functions.push_back(shape(one, module)); });
  if (!cut) return failure(cut.error());
  if (functions.empty()) {
    const std::string& pattern = target.function.text;
    const bool is_glob = pattern.find_first_of("*?[") != std::string::npos || pattern.starts_with("re:");
    return failure({.what = "find functions",
                    .where = target.text(),
                    .why = "none matches",
                    .mend = is_glob ? "`*` lists all; stripped files have only their exported names"
                                    : "a glob finds parts of names: `*" + pattern + "*`"});
  }
  return json{{"functions", std::move(functions)}, {"cut", *cut}};
}

Result<json> names_of(const target::ProcFs& proc, target::FileReader& reader, const spec::Target& target) {
  std::set<std::string> names;
  const auto cut = list(proc, reader, target, limits::functions_completed, false,
                        [&](const target::Listed& one, const std::string& /*module*/) {
                          names.emplace(target::take_apart(one.name).name);
                        });
  if (!cut) return failure(cut.error());
  return json{{"names", names}};
}

}  // namespace diagnose::app
