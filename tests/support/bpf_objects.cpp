#include "support/bpf_objects.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "support/process.h"

namespace diagnose::test {
namespace {

void take(const std::string& line, const std::string& key, std::set<std::uint32_t>& ids) {
  if (line.rfind(key, 0) == 0) ids.insert(static_cast<std::uint32_t>(std::stoul(line.substr(key.size()))));
}

std::set<std::uint32_t> still_listed(const char* kind, const std::set<std::uint32_t>& ids) {
  const Ended ended = run({"bpftool", kind, "-j"});
  if (ended.status != 0) throw std::runtime_error(fmt::format("bpftool {}: {}{}", kind, ended.out, ended.err));
  std::set<std::uint32_t> left;
  for (const auto& one : nlohmann::json::parse(ended.out)) {
    const auto id = one.at("id").get<std::uint32_t>();
    if (ids.count(id) != 0) left.insert(id);
  }
  return left;
}

}  // namespace

void BpfObjects::add(const BpfObjects& others) {
  programs.insert(others.programs.begin(), others.programs.end());
  maps.insert(others.maps.begin(), others.maps.end());
  links.insert(others.links.begin(), others.links.end());
}

std::string BpfObjects::text() const {
  return fmt::format("{} programs, {} maps, {} links", programs.size(), maps.size(), links.size());
}

BpfObjects bpf_objects_of(pid_t pid) {
  BpfObjects found;
  std::error_code gone;
  std::filesystem::directory_iterator entries("/proc/" + std::to_string(pid) + "/fdinfo", gone);
  if (gone) return found;
  for (const auto& entry : entries) {
    std::ifstream file(entry.path());
    bool is_link = false;  // a link's descriptor names its program, too
    for (std::string line; std::getline(file, line);) {
      is_link = is_link || line.rfind("link_id:", 0) == 0;
      take(line, "link_id:", found.links);
      take(line, "map_id:", found.maps);
      if (!is_link) take(line, "prog_id:", found.programs);
    }
  }
  return found;
}

BpfObjects remaining(const BpfObjects& objects) {
  return {.programs = still_listed("prog", objects.programs),
          .maps = still_listed("map", objects.maps),
          .links = still_listed("link", objects.links)};
}

std::size_t descriptors_of(pid_t pid) {
  const std::filesystem::directory_iterator entries("/proc/" + std::to_string(pid) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

long resident_kib_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stol(line.substr(6));
  }
  throw std::runtime_error("no VmRSS of " + std::to_string(pid));
}

}  // namespace diagnose::test
