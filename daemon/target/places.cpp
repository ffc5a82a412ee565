#include "target/places.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "target/place_sites.h"

namespace diagnose::target {
namespace {

// One reading of one file.
class PlaceReading {
 public:
  PlaceReading(const ElfImage& image, Decoder& decoder, const FileRequest& request)
      : request_(request), sites_(image, decoder, request) {
    answer_.build_id = image.build_id();
    answer_.stripped = image.stripped();
  }

  Result<FileAnswer> run();

 private:
  void add(LinkAddress address, SiteKind kind);
  void refuse(const Error& error);

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

void PlaceReading::add(LinkAddress address, SiteKind kind) {
  auto function = sites_.at(address, kind);
  if (!function) return refuse(function.error());
  answer_.functions.push_back(std::move(*function));
}

Result<FileAnswer> PlaceReading::run() {
  switch (request_.by) {
    case PlaceBy::function:
      break;
    case PlaceBy::address:
      add(request_.address, SiteKind::address);
      break;
    case PlaceBy::line:
    case PlaceBy::usdt:
      break;
  }
  return std::move(answer_);
}

}  // namespace

Result<FileAnswer> read_places(const ElfImage& image, Decoder& decoder, const FileRequest& request) {
  return PlaceReading(image, decoder, request).run();
}

}  // namespace diagnose::target
