// bench_large is nothing but large: hundreds of types and functions, each with the library's templates of its own, and
// all their debug information.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace large {

template <int N>
struct Uri {
  std::string text;
  std::uint32_t length = N;
};

template <int N>
struct Request {
  std::string name;
  std::uint64_t weight = N;
  Uri<N> uri;
  std::map<std::string, Uri<N>> headers;
  std::unordered_map<std::uint64_t, std::shared_ptr<Uri<N>>> seen;
  std::list<std::shared_ptr<Uri<N>>> queue;
  std::optional<std::variant<Uri<N>, std::string, std::uint64_t>> body;
  std::vector<std::function<long(const Request&)>> hooks;
  std::set<std::pair<int, std::string>> tags;
};

template <int N>
long serve(Request<N> request) {
  request.headers.emplace(request.name, request.uri);
  request.seen.emplace(request.weight, std::make_shared<Uri<N>>(request.uri));
  request.queue.push_back(nullptr);
  request.tags.emplace(N, request.name);
  request.body = request.uri;
  request.hooks.push_back([](const Request<N>& one) { return static_cast<long>(one.weight); });
  std::vector<Uri<N>> sorted(3, request.uri);
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.text < b.text; });
  long sum = static_cast<long>(request.headers.size() + request.seen.size() + request.tags.size());
  for (const auto& hook : request.hooks) sum += hook(request);
  return sum + static_cast<long>(sorted.size());
}

}  // namespace large
