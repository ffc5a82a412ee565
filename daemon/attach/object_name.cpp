#include "attach/object_name.h"

#include <array>
#include <bpf/bpf.h>
#include <sys/stat.h>
#include <unistd.h>

namespace diagnose::attach {
namespace {

// What /proc calls it: "anon_inode:bpf-map", "anon_inode:bpf-prog", "anon_inode:bpf_link" ("bpf-link" before 6.10).
std::string kind_of(int descriptor) {
  std::array<char, 64> text{};
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t length = ::readlink(path.c_str(), text.data(), text.size());
  return length > 0 ? std::string(text.data(), static_cast<std::size_t>(length)) : "";
}

template <typename Info>
bool ask(int descriptor, Info& info) {
  std::uint32_t bytes = sizeof(info);
  return bpf_obj_get_info_by_fd(descriptor, &info, &bytes) == 0;
}

}  // namespace

std::string object_name(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
    return "file:" + std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  }
  const std::string kind = kind_of(descriptor);
  if (bpf_map_info map{}; kind == "anon_inode:bpf-map" && ask(descriptor, map)) return "map:" + std::to_string(map.id);
  if (bpf_prog_info program{}; kind == "anon_inode:bpf-prog" && ask(descriptor, program)) {
    return "program:" + std::to_string(program.id);
  }
  const bool is_link = kind.starts_with("anon_inode:bpf_link") || kind.starts_with("anon_inode:bpf-link");
  if (bpf_link_info link{}; is_link && ask(descriptor, link)) return "link:" + std::to_string(link.id);
  return "";
}

}  // namespace diagnose::attach
