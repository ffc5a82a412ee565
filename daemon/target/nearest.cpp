#include "target/nearest.h"

#include <algorithm>

#include "target/names.h"

namespace diagnose::target {
namespace {

constexpr std::size_t names_max = 3;
constexpr std::size_t demangled_max = 50'000;  // some 50 ms: this is an error's text, not the work itself

std::string_view last_component(std::string_view name) {
  const auto at = name.rfind("::");
  return at == std::string_view::npos ? name : name.substr(at + 2);
}

}  // namespace

std::vector<std::string> nearest(const std::vector<Symbol>& symbols, std::string_view wanted) {
  if (wanted.empty() || wanted.size() > 256) return {};
  struct Candidate {
    std::size_t distance;
    std::string name;
    auto operator<=>(const Candidate&) const = default;
  };
  std::vector<Candidate> best;
  std::size_t bound = std::max<std::size_t>(2, wanted.size() / 4) + 1;
  std::size_t demangled = 0;
  for (const Symbol& symbol : symbols) {
    const std::string_view base = without_clones(symbol.name);
    if (base.size() > 1024 || is_thunk(base)) continue;
    std::string name(base);
    std::size_t distance = edit_distance(base, wanted, bound);
    if (is_mangled(base) && demangled < demangled_max) {
      ++demangled;
      const std::string whole = demangle(base);
      name = without_templates(take_apart(whole).name);
      distance = std::min(distance, edit_distance(name, wanted, bound));
      // "checkuot" for "shop::Cart::checkout": one worse than a whole name that is as near.
      if (wanted.find("::") == std::string_view::npos) {
        distance = std::min(distance, edit_distance(last_component(name), wanted, bound - 1) + 1);
      }
    }
    if (distance >= bound) continue;
    const bool known =
        std::any_of(best.begin(), best.end(), [&](const Candidate& other) { return other.name == name; });
    if (known) continue;
    best.push_back({distance, std::move(name)});
    std::sort(best.begin(), best.end());
    if (best.size() > names_max) best.pop_back();
    if (best.size() == names_max) bound = best.back().distance + 1;
  }
  std::vector<std::string> names;
  for (Candidate& candidate : best) names.push_back(std::move(candidate.name));
  return names;
}

}  // namespace diagnose::target
