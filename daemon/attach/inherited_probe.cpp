// LoadedProbe: from one daemon to the next.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <utility>

#include "attach/loaded_probe.h"

namespace diagnose::attach {
namespace {

Error refused(std::string why) {
  return {.what = "take over a probe", .where = "", .why = std::move(why), .mend = "it is attached anew"};
}

}  // namespace

Result<std::shared_ptr<LoadedProbe>> LoadedProbe::take_over(const compile::Plan& plan,
                                                            const compile::Stencils& stencils, Handles<Fd> handles) {
  if (const int count = libbpf_num_possible_cpus(); count < 0) return failure(refused(errno_text(-count)));
  if (handles.maps.size() != plan.maps.size()) return failure(refused("it has other maps"));
  std::shared_ptr<LoadedProbe> made(new LoadedProbe());
  made->instruments_ = plan.instruments;
  for (std::size_t at = 0; at < plan.maps.size(); ++at) {
    made->maps_.push_back({.plan = plan.maps[at], .fd = std::move(handles.maps[at])});
  }
  for (std::size_t role = 0; role < compile::program_roles; ++role) {
    const bool wanted = plan.program(static_cast<compile::ProgramRole>(role)) != nullptr;
    if (wanted != static_cast<bool>(handles.programs[role])) return failure(refused("it has other programs"));
  }
  made->programs_ = std::move(handles.programs);
  if (auto status = made->map_control(); !status) return tl::unexpected(status.error());
  if (auto status = made->recall_sites(handles.sites); !status) return tl::unexpected(status.error());
  made->admitted_ = std::move(handles.admitted);
  made->processes_ = stencils.processes_fd();
  return made;
}

Status LoadedProbe::recall_sites(std::uint32_t count) {
  const Map* map = find(compile::MapRole::sites);
  if (count > (map == nullptr ? 0 : map->plan.entries)) return failure(refused("it has other sites"));
  for (std::uint32_t index = 0; index < count; ++index) {
    site known{};
    if (bpf_map_lookup_elem(map->fd.get(), &index, &known) != 0) return failure(refused(errno_text(errno)));
    cookies_[std::string(reinterpret_cast<const char*>(&known), sizeof(known))] = index + 1;
  }
  return {};
}

LoadedProbe::Handles<int> LoadedProbe::leave() {
  Handles<int> handles;
  for (const Map& map : maps_) handles.maps.push_back(map.fd.get());
  for (std::size_t role = 0; role < compile::program_roles; ++role) handles.programs[role] = programs_[role].get();
  handles.sites = static_cast<std::uint32_t>(cookies_.size());
  handles.admitted = std::exchange(admitted_, {});
  return handles;
}

}  // namespace diagnose::attach
