#include "app/followers.h"

#include <algorithm>
#include <utility>

namespace diagnose::app {

void Followers::follow(control::Connection& connection, std::set<std::string> ids) {
  followers_[connection.number()] = {.connection = &connection, .ids = std::move(ids)};
}

void Followers::gone(const control::Connection& connection) {
  followers_.erase(connection.number());
}

bool Followers::any(const std::string& probe) const {
  return std::any_of(followers_.begin(), followers_.end(),
                     [&](const auto& known) { return known.second.ids.empty() || known.second.ids.contains(probe); });
}

std::uint64_t Followers::send(const std::string& probe, std::string_view record) {
  std::uint64_t refused = 0;
  for (auto& [number, follower] : followers_) {
    if (!follower.ids.empty() && !follower.ids.contains(probe)) continue;
    if (!follower.connection->notify("event", record)) ++refused;
  }
  return refused;
}

}  // namespace diagnose::app
