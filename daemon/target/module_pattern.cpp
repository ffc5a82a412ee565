#include "target/module_pattern.h"

#include <cstdlib>
#include <fnmatch.h>
#include <memory>
#include <utility>

namespace diagnose::target {

bool is_glob(std::string_view pattern) {
  return pattern.find_first_of("*?[") != std::string_view::npos;
}

bool is_plain_path(std::string_view pattern) {
  return pattern.starts_with('/') && !is_glob(pattern);
}

std::string canonical(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> resolved(::realpath(path.c_str(), nullptr), std::free);
  return resolved ? std::string(resolved.get()) : path;
}

ModulePattern::ModulePattern(std::string written) : written_(std::move(written)) {
  if (is_plain_path(written_)) canonical_ = canonical(written_);
}

bool ModulePattern::matches(const std::string& path) const {
  if (written_.empty()) return true;
  if (written_.find('/') != std::string::npos) {
    if (is_glob(written_)) return ::fnmatch(written_.c_str(), path.c_str(), FNM_PATHNAME) == 0;
    return path == written_ || path == canonical_;
  }
  const std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
  if (is_glob(written_)) return ::fnmatch(written_.c_str(), std::string(name).c_str(), 0) == 0;
  return name == written_ || (name.starts_with(written_) && name[written_.size()] == '.');
}

}  // namespace diagnose::target
