#include "app/other_globals.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "app/describe.h"
#include "target/module_pattern.h"

namespace diagnose::app {
namespace {

using compile::OtherGlobal;
using target::TypeId;

struct Unknown {
  std::string why, mend;
};

// Numbers of types go on behind those that are known.
TypeId moved(TypeId type, std::size_t by) {
  return type == target::no_type ? type : static_cast<TypeId>(type + by);
}

// Those of `more`, its void left out; gives by how much their numbers have changed.
std::size_t add_types(std::vector<target::DebugType> more, std::vector<target::DebugType>& types) {
  if (types.empty()) types.emplace_back();
  const std::size_t by = types.size() - 1;
  for (std::size_t at = 1; at < more.size(); ++at) {
    target::DebugType& type = more[at];
    type.target = moved(type.target, by);
    for (auto& member : type.members) member.type = moved(member.type, by);
    types.push_back(std::move(type));
  }
  return by;
}

std::string names_of(const std::vector<target::Mapping>& mappings) {
  constexpr std::size_t few = 4;
  std::string text;
  for (std::size_t at = 0; at < std::min(mappings.size(), few); ++at) {
    const std::string& path = mappings[at].path;
    text += (at == 0 ? "`" : ", `") + path.substr(path.rfind('/') + 1) + "`";
  }
  return text + (mappings.size() > few ? ", .." : "");
}

class Search {
 public:
  Search(const target::ProcFs& proc, target::FileReader& reader, const compile::Names& names,
         const spec::Target& target, const target::Module& module, target::DebugInfo& debug)
      : proc_(proc), reader_(reader), names_(names), target_(target), module_(module), debug_(debug) {}

  OtherGlobal find(const std::string& written) {
    OtherGlobal global{.name = written};
    const auto behind = written.find('!');
    const Wanted wanted{.module = written.substr(0, behind), .name = written.substr(behind + 1)};
    const target::ModulePattern pattern(wanted.module);
    const auto found = pattern.matches(module_.path) ? in_own(wanted, global) : elsewhere(pattern, wanted, global);
    if (!found) {
      global.why = found.error().why;
      global.mend = found.error().mend;
    }
    return global;
  }

 private:
  struct Wanted {
    std::string module, name;
  };
  struct Place {
    LinkAddress address{};
    // Of the file's code, as DebugInfo has it.
    LinkAddress code{};
    FileOffset code_offset{};
    std::string symbol;  // empty: no other file can mean it
  };
  using Found = tl::expected<void, Unknown>;

  static tl::unexpected<Unknown> unknown(std::string why, std::string mend) {
    return tl::unexpected(Unknown{std::move(why), std::move(mend)});
  }

  // One process whose pid is the target: its layout is worth remembering.
  [[nodiscard]] std::optional<pid_t> only_process() const {
    const bool one = target_.by == spec::TargetBy::pid && target_.pids.size() == 1 && module_.processes.size() == 1;
    return one ? std::optional(module_.processes.front().pid) : std::nullopt;
  }

  Found in_own(const Wanted& wanted, OtherGlobal& global) {
    const auto place = locate(module_, wanted.name, global);
    if (!place) return tl::unexpected(place.error());
    global.own = place->address;
    const auto pid = module_.is_executable ? std::nullopt : only_process();
    if (!pid) return {};
    const auto layout = proc_.layout(*pid);
    const auto all = proc_.mappings(*pid);
    const auto taken = all ? in_executable(*pid, *all, place->symbol) : std::nullopt;
    if (!layout || !taken || proc_.layout(*pid) != layout) return {};
    global.own.reset();
    global.address = *taken;
    global.layout = *layout;
    return {};
  }

  // Adds the type to those of the probe's module.
  tl::expected<Place, Unknown> locate(const target::Module& in, const std::string& name, OtherGlobal& global) {
    compile::Names wanted;
    wanted.members = names_.members;
    wanted.globals = {name};
    target::Module file = in;
    file.functions.clear();
    auto described = describe(reader_, file, wanted);
    if (!described) return unknown(described.error().why, described.error().mend);
    if (!described->present) {
      return unknown("globals need debug information, and there is none (" + described->missing + ")",
                     "install the debug package of " + in.path + ", or build it with -g");
    }
    const auto found = std::find_if(described->globals.begin(), described->globals.end(),
                                    [&](const target::Global& one) { return one.name == name; });
    if (found == described->globals.end() || !found->why.empty()) {
      return unknown(in.path + ": " + (found == described->globals.end() ? "none of that name" : found->why),
                     "write it as the source does, with its namespace: `libx.so!ns::name`");
    }
    const Place place{found->address, described->code, described->code_offset, found->symbol};
    const TypeId type = found->type;
    global.type = moved(type, add_types(std::move(described->types), debug_.types));
    return place;
  }

  Found elsewhere(const target::ModulePattern& pattern, const Wanted& wanted, OtherGlobal& global) {
    const auto pid = only_process();
    if (!pid) {
      return unknown("another module is at a place of its own in every process, and this probe is not of one",
                     "target one process with `pid:`; globals of the probed file itself are written `::name`");
    }
    const auto layout = proc_.layout(*pid);  // before the rest is read: an exec in between shows
    if (!layout) return unknown("where its process has its memory is not told", "attach again");
    const auto all = proc_.mappings(*pid);
    if (!all) return unknown(all.error().why, all.error().mend);
    const auto mapping = matching(*all, pattern, wanted.module);
    if (!mapping) return tl::unexpected(mapping.error());
    const auto file = opened(*pid, *mapping);
    if (!file) return tl::unexpected(file.error());
    const auto place = locate(*file, wanted.name, global);
    if (!place) return tl::unexpected(place.error());
    auto address = in_memory(*pid, *mapping, *place);
    if (!mapping->executable_file) {
      if (const auto taken = in_executable(*pid, *all, place->symbol)) address = taken;
    }
    if (!address || proc_.layout(*pid) != layout) {
      return unknown("where the process has put the file is not known", "attach again");
    }
    global.address = *address;
    global.layout = *layout;
    return {};
  }

  tl::expected<target::Module, Unknown> opened(pid_t pid, const target::Mapping& mapping) const {
    auto fd = proc_.open(pid, mapping);
    if (!fd) return unknown(fd.error().why, fd.error().mend);
    target::Module file;
    file.file = std::make_shared<Fd>(std::move(*fd));
    file.device = mapping.device;
    file.inode = mapping.inode;
    file.path = mapping.path;
    file.processes = module_.processes;
    return file;
  }

  // A variable that the executable has under the same name is the one that everybody uses: it was compiled to have it
  // at a fixed place of its own, and the dynamic linker copies the library's there.
  std::optional<MemoryAddress> in_executable(pid_t pid, const std::vector<target::Mapping>& all,
                                             const std::string& symbol) {
    const auto executable =
        std::find_if(all.begin(), all.end(), [](const target::Mapping& mapping) { return mapping.executable_file; });
    if (symbol.empty() || executable == all.end()) return std::nullopt;
    const auto file = opened(pid, *executable);
    if (!file) return std::nullopt;
    const auto described = reader_.describe({.fd = file->file->get(), .name = file->path, .objects = {symbol}});
    if (!described || described->objects.empty()) return std::nullopt;
    const Place place{described->objects.front().address, described->code, described->code_offset, symbol};
    return in_memory(pid, *executable, place);
  }

  static tl::expected<target::Mapping, Unknown> matching(const std::vector<target::Mapping>& all,
                                                         const target::ModulePattern& pattern,
                                                         const std::string& written) {
    std::vector<target::Mapping> found = all;
    std::erase_if(found, [&](const target::Mapping& mapping) { return !pattern.matches(mapping.path); });
    if (found.empty()) return unknown("the process maps no `" + written + "`", "it maps " + names_of(all));
    if (found.size() > 1) {
      return unknown("several modules of the process have that name: " + names_of(found),
                     "write more of it, in quotes: `\"libx.so.1\"!name`");
    }
    return found.front();
  }

  std::optional<MemoryAddress> in_memory(pid_t pid, const target::Mapping& file, const Place& place) const {
    const auto regions = proc_.regions(pid);
    if (!regions) return std::nullopt;
    for (const target::Region& region : *regions) {
      if (region.device != file.device || region.inode != file.inode) continue;
      if (const auto code = region.address_of(place.code_offset)) {
        return MemoryAddress{raw(*code) - raw(place.code) + raw(place.address)};
      }
    }
    return std::nullopt;
  }

  const target::ProcFs& proc_;
  target::FileReader& reader_;
  const compile::Names& names_;
  const spec::Target& target_;
  const target::Module& module_;
  target::DebugInfo& debug_;
};

}  // namespace

std::vector<OtherGlobal> other_globals(const target::ProcFs& proc, target::FileReader& reader,
                                       const compile::Names& names, const spec::Target& target,
                                       const target::Module& module, target::DebugInfo& debug) {
  Search search(proc, reader, names, target, module, debug);
  std::vector<OtherGlobal> all;
  for (const std::string& written : names.others) all.push_back(search.find(written));
  return all;
}

}  // namespace diagnose::app
