#include "target/places.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "target/dwarf_file.h"
#include "target/names.h"
#include "target/place_sites.h"
#include "target/source_lines.h"
#include "target/usdt.h"

namespace diagnose::target {
namespace {

// One reading of one file.
class PlaceReading {
 public:
  PlaceReading(const ElfImage& image, Decoder& decoder, const FileRequest& request)
      : image_(image), request_(request), sites_(image, decoder, request) {
    answer_.build_id = image.build_id();
    answer_.stripped = image.stripped();
  }

  Result<FileAnswer> run();

 private:
  void add(LinkAddress address, SiteKind kind, std::optional<FileOffset> semaphore = std::nullopt);
  [[nodiscard]] Status add_markers();
  [[nodiscard]] Status add_line();
  void refuse(const Error& error);

  const ElfImage& image_;
  const FileRequest& request_;
  PlaceSites sites_;
  FileAnswer answer_;
};

void PlaceReading::refuse(const Error& error) {
  constexpr std::size_t told_max = 100;
  if (answer_.refused.size() == told_max) answer_.refused.emplace_back("more are not listed");
  if (answer_.refused.size() > told_max) return;
  answer_.refused.push_back(error.where + ": " + error.why + (error.mend.empty() ? "" : ": " + error.mend));
}

void PlaceReading::add(LinkAddress address, SiteKind kind, std::optional<FileOffset> semaphore) {
  auto function = sites_.at(address, kind);
  if (!function) return refuse(function.error());
  if (semaphore) function->sites.front().semaphore = *semaphore;
  answer_.functions.push_back(std::move(*function));
}

Status PlaceReading::add_markers() {
  auto markers = read_markers(image_);
  if (!markers) return failure(markers.error());
  if (markers->empty()) answer_.absent = "the file has no markers";
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const Marker& marker : *markers) {
    if (!is_marker(marker, request_.function)) {
      constexpr std::size_t near_enough = 6;
      const std::size_t distance = edit_distance(marker.text(), request_.function, near_enough);
      if (distance < near_enough) near.emplace_back(distance, marker.text());
    } else if (marker.why.empty()) {
      add(marker.address, SiteKind::usdt, marker.semaphore);
    } else {
      refuse({.what = "", .where = hex(raw(marker.address)), .why = "its semaphore: " + marker.why, .mend = ""});
    }
  }
  std::sort(near.begin(), near.end());
  near.erase(std::unique(near.begin(), near.end()), near.end());
  if (!answer_.functions.empty() || !answer_.refused.empty()) return {};
  constexpr std::size_t told_max = 3;
  for (const auto& [distance, name] : near) {
    if (answer_.nearest.size() < told_max) answer_.nearest.push_back(name);
  }
  return {};
}

Status PlaceReading::add_line() {
  const auto dwarf = DwarfFile::open(image_, request_.fd, request_.debug_fds);
  if (!dwarf) {
    answer_.absent = "the file has no debug information";
    return {};
  }
  const LineCode code = find_line(*dwarf, request_.function, request_.line, [&](LinkAddress address) {
    return raw(address) != 0 && image_.file_offset(address).has_value();
  });
  if (code.files.size() > 1 && !code.addresses.empty()) {
    return failure({.what = "find `" + request_.function + ":" + std::to_string(request_.line) + "`",
                    .where = request_.name,
                    .why = "several source files bear that name: " + code.files[0] + ", " + code.files[1] +
                           (code.files.size() > 2 ? ", .." : ""),
                    .mend = "give more of the path"});
  }
  if (code.files.empty()) answer_.absent = "no source file of that name";
  if (code.near) {
    answer_.absent = "the " + std::string(*code.near > request_.line ? "next" : "last") + " line with code is " +
                     std::to_string(*code.near);
    answer_.nearest.push_back(request_.function + ":" + std::to_string(*code.near));
  }
  for (const LinkAddress address : code.addresses) add(address, SiteKind::line);
  return {};
}

Result<FileAnswer> PlaceReading::run() {
  Status status;
  switch (request_.by) {
    case PlaceBy::function:
      break;
    case PlaceBy::address:
      add(request_.address, SiteKind::address);
      break;
    case PlaceBy::line:
      status = add_line();
      break;
    case PlaceBy::usdt:
      status = add_markers();
      break;
  }
  if (!status) return failure(status.error());
  if (answer_.functions.size() > limits::sites_per_probe) {
    return failure({.what = "find `" + request_.function + "`",
                    .where = request_.name,
                    .why = "it has more than " + std::to_string(limits::sites_per_probe) + " sites",
                    .mend = "narrow it"});
  }
  std::stable_sort(answer_.functions.begin(), answer_.functions.end(), [](const Function& a, const Function& b) {
    return a.sites.front().address < b.sites.front().address;
  });
  // Notes of functions that the linker has folded into one are all kept: the same place, which is passed once.
  const auto last = std::unique(answer_.functions.begin(), answer_.functions.end(), [](const auto& a, const auto& b) {
    return a.sites.front().address == b.sites.front().address;
  });
  answer_.functions.erase(last, answer_.functions.end());
  return std::move(answer_);
}

}  // namespace

Result<FileAnswer> read_places(const ElfImage& image, Decoder& decoder, const FileRequest& request) {
  return PlaceReading(image, decoder, request).run();
}

}  // namespace diagnose::target
