// `attach`'s arguments -> the mapping that a spec file would hold.  All checks of values are the daemon's: there is one
// reader of specs.  Pure, but for exe paths, which are made absolute as the shell's user sees them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace diagnose::cli {

// As given; empty means not given.
struct AttachArguments {
  std::string function;  // FUNCTION, or one of the three that stand in its place
  std::string address;
  std::string line;
  std::string usdt;
  std::vector<int> pids;
  std::string exe;
  std::string comm;
  bool all = false;
  std::string module;
  std::string type;
  std::string name;
  std::string value;
  std::string event;
  std::string where;
  std::vector<std::string> labels;  // k=E
  std::string buckets;
  std::string operation;
  std::string sample;
  std::string message;
  std::string unit;
  std::string help;
  std::string lifespan;
  std::string id;
  std::string return_strategy;
  std::string aggregate;
  bool follow = false;
};

// The probe's mapping.  Fails on what has no place in a spec: no processes and no `MODULE:FUNCTION`, a label without
// `=`, buckets of no known form.
[[nodiscard]] Result<nlohmann::json> spec_of(const AttachArguments& arguments);

// The `target:` in it.  Fails as spec_of() does.
[[nodiscard]] Result<nlohmann::json> target_of(const AttachArguments& arguments);

// Where the function begins in `MODULE:FUNCTION`; 0 if there is no module.
[[nodiscard]] std::size_t function_start(std::string_view text);

// What metric and id are named after: "shop::Cart::checkout(int)", "python.line", "cart.cc.120", "address.0x1234".
[[nodiscard]] std::string place_name(const AttachArguments& arguments);

// "shop::Cart::checkout(int)" -> "shop_Cart_checkout": a Prometheus name without type and unit.
[[nodiscard]] std::string metric_name(std::string_view function);

// An id of the function's name that is hardly taken: probe_id() with a suffix by chance.
[[nodiscard]] std::string fresh_id(std::string_view function);

// "shop::Cart::checkout(int)", 0xbeef -> "shop-cart-checkout-beef".
[[nodiscard]] std::string probe_id(std::string_view function, std::uint16_t suffix);

// "exponential:1us,2,24", "linear:0,10,20", "log:3", "1us,10us,1ms" or a JSON object -> the value of `buckets:`.
[[nodiscard]] Result<nlohmann::json> buckets_of(const std::string& text);

// `--pid 1 2 3` -> `--pid 1,2,3`, so that FUNCTION behind it is not taken for a pid.
[[nodiscard]] std::vector<std::string> with_joined_pids(const std::vector<std::string>& arguments);

}  // namespace diagnose::cli
