#include "support/links.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "support/process.h"

namespace diagnose::test {

std::set<std::uint32_t> links_of(pid_t pid) {
  std::set<std::uint32_t> ids;
  std::error_code gone;
  std::filesystem::directory_iterator entries("/proc/" + std::to_string(pid) + "/fdinfo", gone);
  if (gone) return ids;
  for (const auto& entry : entries) {
    std::ifstream file(entry.path());
    const std::string key = "link_id:";
    for (std::string line; std::getline(file, line);) {
      if (line.rfind(key, 0) == 0) ids.insert(static_cast<std::uint32_t>(std::stoul(line.substr(key.size()))));
    }
  }
  return ids;
}

std::set<std::uint32_t> links_of_host() {
  const Ended ended = run({"bpftool", "link", "-j"});
  if (ended.status != 0) throw std::runtime_error("bpftool link: " + ended.out + ended.err);
  std::set<std::uint32_t> ids;
  for (const auto& link : nlohmann::json::parse(ended.out)) ids.insert(link.at("id").get<std::uint32_t>());
  return ids;
}

std::size_t still_there(const std::set<std::uint32_t>& ids) {
  const auto host = links_of_host();
  return static_cast<std::size_t>(
      std::count_if(ids.begin(), ids.end(), [&](std::uint32_t id) { return host.count(id) != 0; }));
}

}  // namespace diagnose::test
