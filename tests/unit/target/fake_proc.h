// A /proc tree in a temporary folder.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace diagnose::target {

class FakeProc {
 public:
  FakeProc() {
    std::string name = (std::filesystem::temp_directory_path() / "fake-proc-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~FakeProc() {
    std::error_code ignored;  // a folder left behind in /tmp fails no test
    std::filesystem::remove_all(root_, ignored);
  }
  FakeProc(const FakeProc&) = delete;
  FakeProc& operator=(const FakeProc&) = delete;

  [[nodiscard]] std::string root() const { return root_ / "proc"; }
  [[nodiscard]] std::string path(const std::string& name) const { return root_ / "files" / name; }

  // A file that processes may map; returns its path.
  std::string file(const std::string& name, const std::string& text = "text") const {
    std::filesystem::create_directories((root_ / "files" / name).parent_path());
    std::ofstream(root_ / "files" / name) << text;
    return path(name);
  }

  void process(int pid, const std::string& comm, const std::string& exe, char state = 'S', int start = 1000,
               unsigned flags = 0) const {
    const auto folder = root_ / "proc" / std::to_string(pid);
    std::filesystem::create_directories(folder / "map_files");
    std::ofstream(folder / "stat") << pid << " (" << comm << ") " << state << " 1 1 1 0 -1 " << flags
                                   << " 0 0 0 0 0 0 0 0 20 0 1 0 " << start << " 0 0\n";
    std::ofstream(folder / "status") << "Name:\t" << comm << "\nTgid:\t" << pid << "\n";
    std::ofstream(folder / "maps") << "";
    if (!exe.empty()) std::filesystem::create_symlink(exe, folder / "exe");
    std::filesystem::create_directory_symlink("/", folder / "root");
  }

  // Maps `file` executable at `start`, with the numbers that fstat() gives, and links map_files to it.
  void map(int pid, const std::string& file, const std::string& start, bool link = true) const {
    struct stat status {};
    ::stat(file.c_str(), &status);
    const auto folder = root_ / "proc" / std::to_string(pid);
    const std::string range = start + "000-" + start + "fff";
    char line[512];
    std::snprintf(line, sizeof line, "%s r-xp 00001000 %02x:%02x %lu                    %s\n", range.c_str(),
                  major(status.st_dev), minor(status.st_dev), static_cast<unsigned long>(status.st_ino), file.c_str());
    append(pid, line);
    if (link) std::filesystem::create_symlink(file, folder / "map_files" / range);
  }

  void append(int pid, const std::string& lines) const {
    std::ofstream(root_ / "proc" / std::to_string(pid) / "maps", std::ios::app) << lines;
  }

  void remove(int pid) const { std::filesystem::remove_all(root_ / "proc" / std::to_string(pid)); }

 private:
  std::filesystem::path root_;
};

}  // namespace diagnose::target
