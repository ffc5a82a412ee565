#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "cli/excerpt.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "compile/evaluation.h"
#include "control/protocol.h"
#include "spec/file.h"
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

spec::Document unreadable(spec::Fault fault) {
  spec::Document document;
  document.faults.push_back(std::move(fault));
  return document;
}

// `FILE:LINE:COL: what: ...`, as editors read it, with the line.
control::PlacedError in_its_line(const spec::Fault& fault, const std::string& file,
                                 const tl::expected<spec::WholeFile, spec::Fault>& written) {
  control::PlacedError told = fault.error();
  if (written) told = placed(std::move(told.error), file, written->text);
  told.error = Error{.what = fault.text(), .where = {}, .why = {}, .mend = {}};
  return told;
}

}  // namespace

Exit check(const std::vector<std::string>& files, const Settings& settings) {
  Exit exit = Exit::done;
  json shown = json::array();
  for (const std::string& file : files) {
    const auto written = spec::whole_file(file);
    const spec::Document document =
        written ? spec::read(written->text, file, written->modified) : unreadable(written.error());
    const std::vector<spec::Fault> faults = faults_of(document);
    json errors = json::array();
    json probes = json::array();
    for (const spec::Fault& fault : faults) {
      errors.push_back(control::to_json(fault.error()));
      if (!settings.json) tell(in_its_line(fault, file, written), settings);
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
