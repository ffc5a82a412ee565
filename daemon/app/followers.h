// Clients that follow records.  Loop thread only.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "control/server.h"

namespace diagnose::app {

class Followers {
 public:
  // `ids` empty: every probe.
  void follow(control::Connection& connection, std::set<std::string> ids);
  void gone(const control::Connection& connection);
  // Sends `record`, JSON text, to everyone who follows `probe`; gives how many could not take it.
  std::uint64_t send(const std::string& probe, std::string_view record);
  [[nodiscard]] bool any(const std::string& probe) const;

 private:
  struct Follower {
    control::Connection* connection = nullptr;
    std::set<std::string> ids;
  };
  std::map<std::uint64_t, Follower> followers_;  // by connection number
};

}  // namespace diagnose::app
