// Where the debug information of a file may be, when it is not in the file itself.  For the daemon's side: it opens by
// path, as the sandboxed reader may not.  What it opens is untrusted; the reader checks that it belongs to the file
// (build id, checksum).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"

namespace diagnose::target {

struct DebugFilesRequest {
  std::string path;       // of the file, within `root`: "/usr/sbin/nginx"
  std::string root;       // where the target's paths begin ("/proc/17/root"); empty: our own root
  std::string build_id;   // lower-case hex; empty: none
  std::string debuglink;  // name in .gnu_debuglink; empty: none (see debug_link())
};

struct DebugFiles {
  std::vector<Fd> fds;             // open for reading, the likeliest first; at most limits::debug_files
  std::vector<std::string> names;  // their paths as they were opened, in the same order
  std::vector<std::string> tried;  // where nothing was, for the mend of an error
};

// By build id under /usr/lib/debug, of the target's root and of our own; by name beside the file, in its .debug folder
// and under /usr/lib/debug (GDB's manual, "Separate Debug Files").
[[nodiscard]] DebugFiles find_debug_files(const DebugFilesRequest& request);

// The paths that find_debug_files() tries, in order, `root` left out.
[[nodiscard]] std::vector<std::string> debug_paths(const DebugFilesRequest& request);

// The file at `path` within `root`, open for reading.  The target may have put anything there: links stay within its
// root, and only plain files are opened.  Empty: there is none.
[[nodiscard]] Fd open_within(const std::string& root, const std::string& path);

}  // namespace diagnose::target
