#include "target/debug_search.h"

#include <algorithm>
#include <sys/stat.h>

#include "base/limits.h"
#include "target/debug_files.h"
#include "target/given_files.h"

namespace diagnose::target {
namespace {

std::string first_few(const std::vector<std::string>& paths) {
  constexpr std::size_t most = 3;
  std::string text;
  for (std::size_t at = 0; at < std::min(paths.size(), most); ++at) text += (at == 0 ? "" : ", ") + paths[at];
  return paths.size() > most ? text + ", ..." : text;
}

std::string folder_of(const std::string& path) {
  return path.substr(0, path.rfind('/') + 1);
}

std::string name_in(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

// The target's own file first, then ours: a container's program may have its debug files on the host.
Fd open_either(const std::string& root, const std::string& path, std::string& opened) {
  Fd file = open_within(root, path);
  opened = root + path;
  if (file || root.empty()) return file;
  file = open_within("", path);
  if (file) opened = path;
  return file;
}

// The path by which libdw asks for a unit's file (elfutils 0.192: __libdw_filepath()); `/` stands for the folder of the
// program, which the reader does not know.
std::string asked_for(const Identity::Unit& unit) {
  if (unit.file.starts_with('/')) return unit.file;
  if (unit.directory.starts_with('/')) return unit.directory + "/" + unit.file;
  return "/" + (unit.directory.empty() ? "" : unit.directory + "/") + unit.file;
}

// Where it may be: where it was compiled, or beside the program.
std::vector<std::string> places_of(const Identity::Unit& unit, const std::string& program) {
  const std::string asked = asked_for(unit);
  const bool is_absolute = unit.file.starts_with('/') || unit.directory.starts_with('/');
  return {is_absolute ? asked : folder_of(program) + asked.substr(1), folder_of(program) + name_in(unit.file)};
}

bool holds(const Identity::Unit& unit, LinkAddress place) {
  return std::any_of(unit.code.begin(), unit.code.end(),
                     [&](const Range& range) { return place >= range.low && place < range.high; });
}

}  // namespace

Result<Identity> DebugSearch::identity_of(int fd, const std::string& name) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return Identity{};  // whoever reads it will tell
  constexpr std::int64_t second_ns = 1'000'000'000;
  const Key key{.device = status.st_dev,
                .inode = status.st_ino,
                .size = status.st_size,
                .changed_ns = status.st_ctim.tv_sec * second_ns + status.st_ctim.tv_nsec};
  if (const auto known = known_.find(key); known != known_.end()) return known->second;
  auto identity = reader_.identify(fd, name);
  if (!identity) return identity;
  if (known_.size() >= limits::searched_files) known_.clear();
  return known_[key] = std::move(*identity);
}

void DebugSearch::find_debug_files(const Identity& identity, const std::string& path, const Surroundings& around,
                                   Found& found) {
  DebugFiles files = target::find_debug_files(
      {.path = path, .root = around.root, .build_id = identity.build_id, .debuglink = identity.debuglink});
  found.open = std::move(files.fds);
  found.debug_names = std::move(files.names);
  if (found.open.empty() && !files.tried.empty()) found.missing = "looked for in vain: " + first_few(files.tried);
  if (!found.open.empty() || servers_.servers().empty()) return;
  Debuginfod::Answer fetched =
      around.fetch ? servers_.find(identity.build_id, limits::debuginfod_patience) : servers_.known(identity.build_id);
  const std::string from = " debuginfod (" + servers_.servers() + ")";
  if (fetched.state == Debuginfod::State::found) {
    found.open.push_back(std::move(fetched.file));
    found.debug_names.push_back(std::move(fetched.path));
    found.missing.clear();
  } else if (fetched.state == Debuginfod::State::fetching) {
    found.missing = "it is being fetched from" + from + ": try again in a moment";
    awaited_.insert(identity.build_id);
  } else if (around.fetch) {
    found.missing += (found.missing.empty() ? "looked for in vain:" : ",") + from;
  }
}

// A package first: it has all units.  Else the files of the units that the request is about, then others.
void DebugSearch::find_split(const Identity& identity, const std::string& path, const std::string& debug_path,
                             const Surroundings& around, const std::vector<LinkAddress>& places, Found& found) {
  const auto give = [&](Fd file, std::string name) {
    found.split.fds.push_back(file.get());
    found.split.names.push_back(std::move(name));
    found.open.push_back(std::move(file));
  };
  std::string opened;
  for (const std::string& program : {path, debug_path}) {
    if (program.empty()) continue;
    if (Fd package = open_either(around.root, program + ".dwp", opened)) {
      give(std::move(package), std::string(given_path) + ".dwp");
      break;
    }
  }
  if (!found.split.fds.empty()) return;
  std::vector<const Identity::Unit*> units;
  for (const Identity::Unit& unit : identity.split) units.push_back(&unit);
  const auto wanted = [&](const Identity::Unit* unit) {
    return std::any_of(places.begin(), places.end(), [&](LinkAddress place) { return holds(*unit, place); });
  };
  const auto others = std::stable_partition(units.begin(), units.end(), wanted);
  for (auto unit = units.begin(); unit != units.end() && found.split.fds.size() < limits::split_files; ++unit) {
    Fd file;
    for (const std::string& place : places_of(**unit, path)) {
      if (!file) file = open_either(around.root, place, opened);
    }
    const bool matters = unit < others || places.empty();
    if (file) {
      give(std::move(file), asked_for(**unit));
    } else if (matters && found.missing.empty()) {
      found.missing = "its debug information is split, and " + places_of(**unit, path).front() +
                      " is missing: keep the .dwo files where they were compiled, or pack them with `dwp -e " + path +
                      " -o " + path + ".dwp`";
    }
  }
}

Result<DebugSearch::Found> DebugSearch::find(int fd, const std::string& path, const Surroundings& around,
                                             const std::vector<LinkAddress>& places) {
  Found found;
  auto known = identity_of(fd, path);
  if (!known) return failure(std::move(known.error()));
  Identity identity = std::move(*known);
  std::string debug_path;
  if (!identity.dwarf || !identity.symbols) find_debug_files(identity, path, around, found);
  if (identity.dwarf) found.missing.clear();
  for (const Fd& file : found.open) found.debug.push_back(file.get());
  for (std::size_t at = 0; at < found.debug.size() && !identity.dwarf; ++at) {
    auto other = identity_of(found.debug[at], found.debug_names[at]);
    if (!other || !other->dwarf) continue;
    identity = std::move(*other);
    debug_path = found.debug_names[at];
    if (debug_path.starts_with(around.root)) debug_path.erase(0, around.root.size());
  }
  if (!identity.split.empty()) find_split(identity, path, debug_path, around, places, found);
  return found;
}

namespace {

// The question as the reader is asked it: with the files, and without the way to them, which differs from process to
// process where the answer does not.
template <typename Request>
Request with_files(const Request& request, const std::vector<int>& debug_fds) {
  Request whole = request;
  whole.around = {};
  whole.debug_fds = debug_fds;
  return whole;
}

}  // namespace

Result<DebugInfo> DebugSearch::describe(const DescribeRequest& request) {
  std::vector<LinkAddress> places;
  for (const DescribeRequest::Place& place : request.places) places.push_back(place.at);
  const auto found = find(request.fd, request.name, request.around, places);
  if (!found) return failure(found.error());
  DescribeRequest whole = with_files(request, found->debug);
  whole.debug_names = found->debug_names;
  whole.split = found->split;
  auto info = reader_.describe(whole);
  if (info && !found->missing.empty()) info->missing = found->missing;
  return info;
}

Result<ListAnswer> DebugSearch::list(const ListRequest& request) {
  const auto found = find(request.fd, request.name, request.around);
  if (!found) return failure(found.error());
  ListRequest whole = with_files(request, found->debug);
  whole.split = found->split;
  return reader_.list(whole);
}

Result<std::vector<Symbolized>> DebugSearch::symbolize(const SymbolizeRequest& request) {
  const auto identity = identity_of(request.fd, request.name);
  if (!identity) return failure(identity.error());
  if (identity->symbols) return reader_.symbolize(with_files(request, {}));
  const auto found = find(request.fd, request.name, request.around);
  if (!found) return failure(found.error());
  SymbolizeRequest whole = with_files(request, found->debug);
  return reader_.symbolize(whole);
}

Result<FileAnswer> DebugSearch::read(const FileRequest& request) {
  const auto found = find(request.fd, request.name, request.around);
  if (!found) return failure(found.error());
  FileRequest whole = with_files(request, found->debug);
  whole.split = found->split;
  auto answer = reader_.read(whole);
  if (answer && !found->missing.empty() && answer->functions.empty()) {
    if (request.by == PlaceBy::function && answer->stripped) answer->absent = "its debug file: " + found->missing;
    if (request.by == PlaceBy::line) answer->absent += " (" + found->missing + ")";
  }
  return answer;
}

}  // namespace diagnose::target
