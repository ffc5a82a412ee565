#include "app/callers.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/limits.h"
#include "bpf/contract.h"

namespace diagnose::app {
namespace {

using attach::Strategy;
using target::Region;

// Where byte `offset` of `file` is in the process that `regions` are of.
std::optional<MemoryAddress> address_of(std::span<const Region> regions, std::pair<dev_t, ino_t> file,
                                        FileOffset offset) {
  for (const Region& region : regions) {
    if (region.inode == 0 || std::pair(region.device, region.inode) != file) continue;
    if (const auto address = region.address_of(offset)) return address;
  }
  return std::nullopt;
}

const Region* region_at(std::span<const Region> regions, MemoryAddress address) {
  const auto found =
      std::find_if(regions.begin(), regions.end(), [&](const Region& region) { return region.holds(address); });
  return found == regions.end() ? nullptr : &*found;
}

FileOffset return_offset(const target::Site& site) {
  return FileOffset{raw(site.offset) - (raw(site.address) - raw(site.return_address))};
}

bool by_callers(const attach::Return& how) {
  return how.strategy == Strategy::callers;
}

}  // namespace

void Callers::begin(std::shared_ptr<attach::LoadedProbe> loaded, bool needs_result, bool needs_memory, bool rehearsal) {
  loaded_ = std::move(loaded);
  needs_result_ = needs_result;
  needs_memory_ = needs_memory;
  rehearsal_ = rehearsal;
  callees_.clear();
  held_.clear();
  learnt_sites_.clear();
  by_exits_.clear();
  met_.clear();
  shown_.clear();
  sites_ = 0;
  learnt_ = 0;
  dearest_ = target::Cost::optimised;
}

std::vector<Fd> Callers::end() {
  std::vector<Fd> links;
  for (auto& [place, held] : held_) std::move(held.links.begin(), held.links.end(), std::back_inserter(links));
  held_.clear();
  met_.clear();
  loaded_ = nullptr;
  return links;
}

std::vector<Fd> Callers::process_gone(pid_t pid) {
  std::vector<Fd> links;
  for (auto held = held_.begin(); held != held_.end();) {
    if (held->first.pid != pid) {
      ++held;
      continue;
    }
    std::move(held->second.links.begin(), held->second.links.end(), std::back_inserter(links));
    held = held_.erase(held);
  }
  return links;
}

std::vector<Fd> Callers::file_gone(dev_t device, ino_t inode) {
  const FileKey file{device, inode};
  std::vector<Fd> links;
  if (const auto held = held_.find({file, 0}); held != held_.end()) {
    links = std::move(held->second.links);
    held_.erase(held);
  }
  learnt_sites_.erase(file);
  // New numbers: what is known of these callers must not be taken for callers in the new file.
  for (Callee& callee : callees_) {
    if (callee.file == file) callee.file = {};
  }
  return links;
}

void Callers::number(const target::Module& module, std::span<attach::Return> returns) {
  const FileKey file{module.device, module.inode};
  for (std::size_t at = 0; at < returns.size(); ++at) {
    const target::Function& function = module.functions[at];
    const auto known = std::find_if(callees_.begin(), callees_.end(), [&](const Callee& callee) {
      return callee.file == file && callee.low == function.body.low;
    });
    if (known != callees_.end()) {
      returns[at].number = known->number;
      continue;
    }
    Callee callee{.number = static_cast<std::uint16_t>(callees_.size()),
                  .file = file,
                  .low = function.body.low,
                  .entry = function.sites.front().address,
                  .entry_offset = function.sites.front().offset,
                  .symbols = function.names,
                  .name = function.name};
    callee.symbols.push_back(function.symbol);
    returns[at].number = callee.number;
    callees_.push_back(std::move(callee));
  }
}

const Callers::Callee* Callers::callee(std::uint16_t number) const {
  return number < callees_.size() ? &callees_[number] : nullptr;
}

std::optional<std::uint64_t> Callers::key(const Callee& callee, const FileKey& file, const target::Site& site,
                                          std::span<const Region> regions) const {
  if (file == callee.file) return attach::caller_key(raw(site.return_address), raw(callee.entry), callee.number);
  const auto caller = address_of(regions, file, return_offset(site));
  const auto entry = address_of(regions, callee.file, callee.entry_offset);
  if (!caller || !entry) return std::nullopt;
  return attach::caller_key(raw(*caller), raw(*entry), callee.number);
}

Status Callers::hold(const MappedFile& file, std::optional<pid_t> process, std::span<const target::Site> sites) {
  // Where links cannot be limited to a process one breakpoint serves all.
  if (!parts_.kernel.scopes_to_process()) process.reset();
  Held& held = held_[{{file.device, file.inode}, process.value_or(0)}];
  std::vector<target::Site> fresh;
  for (const target::Site& site : sites) {
    if (held.return_addresses.insert(raw(site.return_address)).second) fresh.push_back(site);
  }
  if (fresh.empty() || rehearsal_) return {};
  auto links = attach::attach_sites(parts_.kernel, parts_.detacher, *loaded_, compile::ProgramRole::caller, fresh,
                                    *file.file, file.path, process);
  if (!links) {
    for (const target::Site& site : fresh) held.return_addresses.erase(raw(site.return_address));
    return tl::unexpected(links.error());
  }
  std::move(links->begin(), links->end(), std::back_inserter(held.links));
  return {};
}

void Callers::show(const MappedFile& file, const std::string& in, const target::Site& site) {
  const bool known = std::any_of(shown_.begin(), shown_.end(), [&](const Shown& other) {
    return other.site.return_address == site.return_address && other.path == file.path;
  });
  if (known) return;
  ++sites_;
  dearest_ = std::max(dearest_, site.cost);
  shown_.push_back({.path = file.path, .in = in, .site = site});
}

void Callers::only_exits(std::uint16_t number, const std::string& why, std::vector<std::string>& notes) {
  if (!by_exits_.insert(number).second) return;
  // With no distance: every caller of this function is as good as known.
  if (auto status = loaded_->know_caller(attach::caller_key(0, 0, number)); !status) {
    notes.push_back(status.error().text());
  }
  const Callee* of = callee(number);
  notes.push_back("returns of " + (of != nullptr ? of->name : "a function") + " are seen at its exits as well: " + why);
}

// ---- found in the code ----

void Callers::find(const target::Module& module, std::span<const attach::Return> returns,
                   const std::optional<target::Process>& process, bool whole_file, std::vector<std::string>& notes) {
  if (!loaded_ || std::none_of(returns.begin(), returns.end(), by_callers)) return;
  const MappedFile own{.file = module.file, .device = module.device, .inode = module.inode, .path = module.path};
  search(own, module, returns, whole_file ? std::nullopt : process, {}, notes);
  if (!process) return;
  const auto regions = parts_.proc.regions(process->pid);
  if (!regions) return;  // it has gone
  for (const MappedFile& file : parts_.survey.files(*process)) {
    if (file.device == own.device && file.inode == own.inode) continue;
    search(file, module, returns, process, *regions, notes);
  }
}

void Callers::search(const MappedFile& file, const target::Module& module, std::span<const attach::Return> returns,
                     const std::optional<target::Process>& process, std::span<const Region> regions,
                     std::vector<std::string>& notes) {
  const FileKey key_of_file{file.device, file.inode};
  const bool same_file = key_of_file == FileKey{module.device, module.inode};
  target::CallersRequest request{.fd = file.file->get(),
                                 .name = file.path,
                                 .callees = {},
                                 .needs_result = needs_result_,
                                 .needs_memory = needs_memory_,
                                 .callers_max = limits::callers_per_probe};
  for (std::size_t at = 0; at < returns.size(); ++at) {
    if (!by_callers(returns[at])) continue;
    const Callee& wanted = callees_[returns[at].number];
    request.callees.push_back({.function = wanted.number,
                               .address = same_file ? std::optional(wanted.low) : std::nullopt,
                               .symbols = wanted.symbols});
  }
  const auto answer = parts_.reader.callers(request);
  if (!answer) return;  // no ELF file: code of its own is learnt
  if (answer->too_many) {
    for (const auto& wanted : request.callees) {
      only_exits(static_cast<std::uint16_t>(wanted.function), "too many callers in " + file.path, notes);
    }
    return;
  }
  std::vector<target::Site> sites;
  for (const target::Caller& caller : answer->callers) sites.push_back(caller.site);
  // What another process has taught: the same keys are known everywhere, so the breakpoints must be as well.
  const auto taught = learnt_sites_.find(key_of_file);
  if (same_file && taught != learnt_sites_.end()) {
    sites.insert(sites.end(), taught->second.begin(), taught->second.end());
  }
  if (auto status = hold(file, process ? std::optional(process->pid) : std::nullopt, sites); !status) {
    notes.push_back(status.error().text());
    for (const auto& wanted : request.callees) {
      only_exits(static_cast<std::uint16_t>(wanted.function), "its callers could not be probed", notes);
    }
    return;
  }
  for (const target::Caller& caller : answer->callers) {
    const Callee& called = callees_[caller.function];
    const auto found = key(called, key_of_file, caller.site, regions);
    if (!found || !loaded_->know_caller(*found)) continue;
    show(file, caller.in, caller.site);
  }
  for (const auto& without : answer->without) {
    only_exits(static_cast<std::uint16_t>(without.function), "no breakpoint can stand behind a call: " + without.why,
               notes);
  }
}

// ---- learnt from the kernel ----

void Callers::met(const drain::RawRecord& raw) {
  ::caller told{};
  if (!loaded_ || raw.payload.size() < sizeof(told)) return;
  std::memcpy(&told, raw.payload.data(), sizeof(told));
  met_.push_back({.pid = static_cast<pid_t>(raw.tgid),
                  .return_address = MemoryAddress{told.return_address},
                  .number = static_cast<std::uint16_t>(told.function)});
}

void Callers::settle(std::vector<std::string>& notes) {
  if (!loaded_) return;
  auto met = std::exchange(met_, {});
  std::stable_sort(met.begin(), met.end(), [](const Met& a, const Met& b) { return a.pid < b.pid; });
  for (std::size_t at = 0; at < met.size();) {
    std::size_t end = at + 1;
    while (end < met.size() && met[end].pid == met[at].pid) ++end;
    settle_process(std::span(met).subspan(at, end - at), notes);
    at = end;
  }
}

// `met`: all of one process.
void Callers::settle_process(std::span<const Met> met, std::vector<std::string>& notes) {
  const pid_t pid = met.front().pid;
  const auto regions = parts_.proc.regions(pid);
  if (!regions) return;  // it has gone
  std::map<FileKey, std::vector<const Met*>> by_file;
  for (const Met& one : met) {
    const Region* region = region_at(*regions, one.return_address);
    if (region == nullptr || region->inode == 0) {
      only_exits(one.number, "it is called from code without a file", notes);
    } else {
      by_file[{region->device, region->inode}].push_back(&one);
    }
  }
  for (const auto& [file, calls] : by_file) settle_file(pid, file, calls, *regions, notes);
}

void Callers::settle_file(pid_t pid, const FileKey& file, std::span<const Met* const> calls,
                          std::span<const Region> regions, std::vector<std::string>& notes) {
  const auto without_file = [&](const std::string& why) {
    for (const Met* call : calls) only_exits(call->number, why, notes);
  };
  const auto region = std::find_if(regions.begin(), regions.end(), [&](const Region& candidate) {
    return candidate.inode != 0 && FileKey{candidate.device, candidate.inode} == file;
  });
  auto fd = parts_.proc.open(pid, {.device = region->device,
                                   .inode = region->inode,
                                   .path = region->path,
                                   .range = region->range,
                                   .executable_file = false});
  if (!fd) return without_file(region->path + " calls it and cannot be opened: " + fd.error().why);
  const MappedFile opened{
      .file = std::make_shared<Fd>(std::move(*fd)), .device = file.first, .inode = file.second, .path = region->path};
  target::ReturnSitesRequest request{.fd = opened.file->get(),
                                     .name = opened.path,
                                     .return_offsets = {},
                                     .needs_result = needs_result_,
                                     .needs_memory = needs_memory_};
  for (const Met* call : calls) {
    request.return_offsets.push_back(region_at(regions, call->return_address)->offset_of(call->return_address));
  }
  const auto found = parts_.reader.return_sites(request);
  if (!found || found->size() != calls.size()) {
    return without_file(found ? "the reader lost some" : found.error().text());
  }
  for (std::size_t at = 0; at < calls.size(); ++at) learn(pid, opened, *calls[at], (*found)[at], regions, notes);
}

void Callers::learn(pid_t pid, const MappedFile& file, const Met& met, const target::ReturnSite& found,
                    std::span<const Region> regions, std::vector<std::string>& notes) {
  const Callee* called = callee(met.number);
  if (called == nullptr) return;
  if (!found.site) return only_exits(met.number, "no breakpoint can stand behind a call: " + found.why, notes);
  if (sites_ >= limits::callers_per_probe) return only_exits(met.number, "too many callers", notes);
  const FileKey key_of_file{file.device, file.inode};
  const bool everywhere = held_.contains({key_of_file, 0});
  const auto key_found = key(*called, key_of_file, *found.site, regions);
  const std::vector<target::Site> site = {*found.site};
  auto status = hold(file, everywhere ? std::nullopt : std::optional(pid), site);
  // A key that is known everywhere wants its breakpoint everywhere.
  if (status && key_of_file == called->file && !everywhere) {
    learnt_sites_[key_of_file].push_back(*found.site);
    std::vector<pid_t> others;
    for (const auto& [place, held] : held_) {
      if (place.file == key_of_file && place.pid != pid) others.push_back(place.pid);
    }
    for (const pid_t other : others) status = status ? hold(file, other, site) : status;
  }
  if (status && key_found) status = loaded_->know_caller(*key_found);
  if (!status || !key_found) {
    return only_exits(met.number, status ? "its caller is not mapped any more" : status.error().text(), notes);
  }
  ++learnt_;
  show(file, found.in, *found.site);
}

}  // namespace diagnose::app
