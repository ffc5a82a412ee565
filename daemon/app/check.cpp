// `diagnosed --check`.
#include <filesystem>
#include <iostream>

#include "app/daemon.h"
#include "compile/evaluation.h"
#include "spec/read.h"

namespace diagnose::app {

int check(const spec::Settings& settings) {
  std::size_t faults = 0;
  std::size_t probes = 0;
  const auto tell = [&](const std::vector<spec::Fault>& found) {
    for (const spec::Fault& fault : found) std::cerr << fault.text() << "\n";
    faults += found.size();
  };
  for (const std::string& folder : settings.specs) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      const auto extension = entry.path().extension();
      if (extension != ".yaml" && extension != ".yml") continue;
      const spec::Document document = spec::read_file(entry.path().string());
      tell(document.faults);
      for (const spec::Probe& probe : document.probes) tell(compile::check(probe));
      probes += document.probes.size();
    }
    if (error) {
      std::cerr << "read specs: " << folder << ": " << error.message() << ": give an existing folder\n";
      ++faults;
    }
  }
  if (faults == 0) std::cout << "ok, " << probes << " probes\n";
  return faults == 0 ? 0 : 1;
}

}  // namespace diagnose::app
