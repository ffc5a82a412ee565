// What a spec's `module:` matches.
#pragma once

#include <string>
#include <string_view>

namespace diagnose::target {

[[nodiscard]] bool is_glob(std::string_view pattern);
[[nodiscard]] bool is_plain_path(std::string_view pattern);  // absolute, no glob
// Without symbolic links; `path` itself where there is no such file.
[[nodiscard]] std::string canonical(const std::string& path);

// A soname, a path, or a glob of either.
class ModulePattern {
 public:
  explicit ModulePattern(std::string written);
  // `path` as a maps line has it.  A soname is the file's name or the start of it: libstdc++.so.6 is
  // libstdc++.so.6.0.30.  Empty: everything.
  [[nodiscard]] bool matches(const std::string& path) const;

 private:
  std::string written_;
  std::string canonical_;  // of a plain path
};

}  // namespace diagnose::target
