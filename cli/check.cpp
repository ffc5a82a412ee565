#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "cli/terminal.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "compile/evaluation.h"
#include "control/protocol.h"
#include "spec/read.h"

namespace diagnose::cli {

using nlohmann::json;

namespace {

// What reading found, then what the expressions of the readable probes have; all of a file at once, in its order.
std::vector<spec::Fault> faults_of(const spec::Document& document) {
  std::vector<spec::Fault> faults = document.faults;
  for (const spec::Probe& probe : document.probes) {
    std::ranges::move(compile::check(probe), std::back_inserter(faults));
  }
  std::ranges::stable_sort(faults, {},
                           [](const spec::Fault& fault) { return std::pair(fault.place.line, fault.place.column); });
  return faults;
}

}  // namespace

Exit check(const std::vector<std::string>& files, const Settings& settings) {
  Exit exit = Exit::done;
  json shown = json::array();
  for (const std::string& file : files) {
    const spec::Document document = spec::read_file(file);
    const std::vector<spec::Fault> faults = faults_of(document);
    json errors = json::array();
    json probes = json::array();
    for (const spec::Fault& fault : faults) {
      errors.push_back(control::to_json(fault.error()));
      if (!settings.json) tell(Error{.what = fault.text(), .where = {}, .why = {}, .mend = {}}, settings);
    }
    for (const spec::Probe& probe : document.probes) probes.push_back(probe.id);
    if (!faults.empty()) {
      exit = Exit::refused;
    } else if (!settings.json) {
      print(printable(file) + ": ok, " + std::to_string(document.probes.size()) +
            (document.probes.size() == 1 ? " probe\n" : " probes\n"));
    }
    shown.push_back({{"file", file}, {"probes", std::move(probes)}, {"errors", std::move(errors)}});
  }
  if (settings.json) print_json({{"files", std::move(shown)}});
  return exit;
}

}  // namespace diagnose::cli
