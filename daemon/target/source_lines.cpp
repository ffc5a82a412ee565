#include "target/source_lines.h"

#include <algorithm>
#include <elfutils/libdw.h>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

namespace diagnose::target {
namespace {

bool bears(std::string_view path, std::string_view name) {
  if (path == name) return true;
  return path.size() > name.size() && path.ends_with(name) &&
         (name.starts_with('/') || path[path.size() - name.size() - 1] == '/');
}

struct Row {
  LinkAddress address{};
  std::uint32_t line = 0;
  bool statement = false;
  bool end = false;  // of a sequence: behind its last byte
  const char* file = nullptr;
};

// The line in one file.
struct Found {
  std::vector<LinkAddress> addresses;
  std::vector<LinkAddress> without_code;  // of a statement that nothing is left of: the code is another line's
  std::uint32_t next = 0;                 // 0: none
  std::uint32_t before = 0;
};

class LineFinder {
 public:
  LineFinder(std::string_view file, std::uint32_t line, const std::function<bool(LinkAddress)>& is_code)
      : name_(std::filesystem::path(file).lexically_normal().string()), line_(line), is_code_(is_code) {}

  void look(Dwarf_Die& unit);
  [[nodiscard]] LineCode result();

 private:
  [[nodiscard]] Found* file(const char* path);
  void take(const std::vector<Row>& rows, std::size_t at);

  std::string name_;
  std::uint32_t line_;
  const std::function<bool(LinkAddress)>& is_code_;
  std::map<std::string, Found> files_;
  std::map<std::string, Found*> known_;  // by the path as the tables have it
};

// nullptr: another file.
Found* LineFinder::file(const char* path) {
  if (path == nullptr) return nullptr;
  const auto [at, added] = known_.try_emplace(path, nullptr);
  if (!added) return at->second;
  const std::string whole = std::filesystem::path(path).lexically_normal().string();
  if (bears(whole, name_)) at->second = &files_[whole];
  return at->second;
}

void LineFinder::take(const std::vector<Row>& rows, std::size_t at) {
  const Row& row = rows[at];
  if (row.end || row.line == 0 || !row.statement || !is_code_(row.address)) return;
  Found* found = file(row.file);
  if (found == nullptr) return;
  if (row.line > line_ && (found->next == 0 || row.line < found->next)) found->next = row.line;
  if (row.line < line_) found->before = std::max(found->before, row.line);
  if (row.line != line_) return;
  const bool has_code = at + 1 < rows.size() && rows[at + 1].address != row.address;
  if (!has_code) {
    found->without_code.push_back(row.address);
    return;
  }
  // Not the first of its stretch; code of line 0 is the compiler's own and parts none.
  for (std::size_t before = at; before-- > 0 && !rows[before].end;) {
    const bool empty = rows[before].address == rows[before + 1].address;
    if (empty || rows[before].line == 0) continue;
    if (rows[before].line == line_ && file(rows[before].file) == found && rows[before].statement) return;
    break;
  }
  found->addresses.push_back(row.address);
}

void LineFinder::look(Dwarf_Die& unit) {
  Dwarf_Lines* lines = nullptr;
  std::size_t count = 0;
  if (::dwarf_getsrclines(&unit, &lines, &count) != 0) return;
  // Most units have nothing of the file.
  Dwarf_Files* files = nullptr;
  std::size_t file_count = 0;
  bool any = false;
  if (::dwarf_getsrcfiles(&unit, &files, &file_count) != 0) return;
  for (std::size_t at = 0; at < file_count && !any; ++at) {
    any = file(::dwarf_filesrc(files, at, nullptr, nullptr)) != nullptr;
  }
  if (!any) return;
  std::vector<Row> rows(count);
  for (std::size_t at = 0; at < count; ++at) {
    Dwarf_Line* line = ::dwarf_onesrcline(lines, at);
    Dwarf_Addr address = 0;
    int number = 0;
    ::dwarf_lineaddr(line, &address);
    ::dwarf_lineno(line, &number);
    ::dwarf_linebeginstatement(line, &rows[at].statement);
    ::dwarf_lineendsequence(line, &rows[at].end);
    rows[at].address = LinkAddress{address};
    rows[at].line = static_cast<std::uint32_t>(std::max(number, 0));
    rows[at].file = ::dwarf_linesrc(line, nullptr, nullptr);
  }
  for (std::size_t at = 0; at < rows.size(); ++at) take(rows, at);
}

LineCode LineFinder::result() {
  LineCode code;
  if (const auto whole = files_.find(name_); whole != files_.end()) {
    std::map<std::string, Found> only;
    only.insert(files_.extract(whole));
    files_ = std::move(only);
  }
  std::optional<std::uint32_t> next;
  std::optional<std::uint32_t> before;
  for (auto& [path, found] : files_) {
    code.files.push_back(path);
    auto& addresses = found.addresses.empty() ? found.without_code : found.addresses;
    code.addresses.insert(code.addresses.end(), addresses.begin(), addresses.end());
    if (found.next != 0) next = std::min(next.value_or(found.next), found.next);
    if (found.before != 0) before = std::max(before.value_or(0), found.before);
  }
  std::sort(code.addresses.begin(), code.addresses.end());
  code.addresses.erase(std::unique(code.addresses.begin(), code.addresses.end()), code.addresses.end());
  if (code.addresses.empty()) code.near = next ? next : before;
  return code;
}

}  // namespace

LineCode find_line(const DwarfFile& dwarf, std::string_view file, std::uint32_t line,
                   const std::function<bool(LinkAddress)>& is_code) {
  LineFinder finder(file, line, is_code);
  Dwarf_CU* unit = nullptr;
  Dwarf_Half version = 0;
  std::uint8_t type = 0;
  Dwarf_Die die{};
  Dwarf_Die split{};
  while (::dwarf_get_units(dwarf.get(), unit, &unit, &version, &type, &die, &split) == 0) finder.look(die);
  return finder.result();
}

}  // namespace diagnose::target
