#include "bench/floor.h"

#include <bpf/libbpf.h>
#include <cstring>
#include <floor.skel.h>
#include <stdexcept>

namespace diagnose::bench {

Floor::Floor() : program_(floor_bpf__open_and_load()) {
  if (program_ == nullptr) throw std::runtime_error(std::string("the empty program: ") + std::strerror(errno));
}

Floor::~Floor() {
  detach();
  floor_bpf__destroy(program_);
}

void Floor::attach(pid_t pid, const std::string& path, const std::vector<unsigned long>& file_offsets, bool returning) {
  bpf_uprobe_multi_opts options{};
  options.sz = sizeof(options);
  options.offsets = file_offsets.data();
  options.cnt = file_offsets.size();
  options.retprobe = returning;
  link_ = bpf_program__attach_uprobe_multi(program_->progs.nothing, pid, path.c_str(), nullptr, &options);
  if (link_ == nullptr) throw std::runtime_error(std::string("attaching the empty program: ") + std::strerror(errno));
}

void Floor::detach() {
  bpf_link__destroy(link_);
  link_ = nullptr;
}

}  // namespace diagnose::bench
