// Strings, views, sequences, smart pointers and optionals of the C++ library.
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exact.h"

namespace exact {

struct Item {
  int id;
  long price;
  std::string name;
};

// Empty, in the object itself, at its bounds (15, 22), and elsewhere.
static std::string any_string() {
  static constexpr const char* all[] = {"",
                                        "a",
                                        "short one",
                                        "fifteen chars..",
                                        "sixteen chars...",
                                        "twenty-two characters.",
                                        "twenty-three characters",
                                        "a text that no library keeps inside of the string"};
  return all[next() % 8];
}
static Item any_item() {
  return {any<int>(), any<long>(), any_string()};
}

// ---- texts ----

static const Case strings_case("exact::strings", {"a", "*b", "c", "a.size", "len(*b)", "startswith(a, \"sh\")"},
                               {"result"});
EXACT bool strings(const std::string& a, const std::string* b, std::string c) {
  kept = a.size() + b->size() + c.size();
  return a == *b;
}
static const Case texts_case("exact::texts",
                             {"n", "a", "str(a, 8)", "b", "len(a)", "len(str(a, 8))", "a == \"short one\""},
                             {"result", "len(result)"});
EXACT std::string texts(int n, std::string_view a, const std::string_view& b) {
  kept = static_cast<std::uint64_t>(n);
  return std::string(a) + (b.empty() ? "" : "+");
}
static const Case viewed_case("exact::viewed", {"s", "n"}, {"result"});
EXACT std::string_view viewed(const std::string& s, unsigned n) {
  return std::string_view(s).substr(0, n);
}
static const Case cut_case("exact::cut", {"whole", "m"}, {"result"});
EXACT const std::string& cut(const std::string& whole, const std::string& other, int m) {
  kept = static_cast<std::uint64_t>(m);
  return m % 2 == 0 ? whole : other;
}

static void call_texts() {
  const std::string a = any_string();
  const std::string b = any_string();
  const std::string c = any_string();
  strings_case.call({a, b, c, a.size(), b.size(), a.substr(0, 2) == "sh"});
  strings_case.returned({strings(a, &b, c)});
  const auto n = any<int>();
  const std::string_view view = a;
  const std::string_view part = std::string_view(b).substr(b.size() / 2);
  texts_case.call({n, view, a.substr(0, 8), part, a.size(), a.substr(0, 8).size(), a == "short one"});
  const std::string text = texts(n, view, part);
  texts_case.returned({text, text.size()});
  const auto length = any<unsigned>() % 20;
  viewed_case.call({a, length});
  viewed_case.returned({viewed(a, length)});
  const std::string other = "another";
  cut_case.call({a, n});
  cut_case.returned({cut(a, other, n)});
}

// ---- sequences ----

static const Case vectors_case("exact::vectors",
                               {"n.size", "n[0]", "n[at]", "w.size", "w[1]", "i[1].price", "i[1].name", "at"},
                               {"result.size", "result[0]"});
EXACT std::vector<short> vectors(const std::vector<int>& n, std::vector<std::string> w, const std::vector<Item>& i,
                                 unsigned at) {
  kept = w.size() + i.size();
  return {static_cast<short>(n[at]), 2, 3};
}
static const Case spans_case("exact::spans", {"s.size", "s[1]", "n"}, {"result"});
EXACT long spans(std::span<const int> s, int n) {
  kept = s.size();
  return s[1] ^ n;
}
static const Case beyond_case("exact::beyond", {"v.size", "v[at]"}, {"result"});
EXACT int beyond(const std::vector<int>& v, unsigned at) {
  kept = v.size();
  return at < v.size() ? v[at] : -1;
}

static void call_sequences() {
  const std::vector<int> n = {any<int>(), any<int>(), any<int>()};
  const std::vector<std::string> w = {any_string(), any_string()};
  const std::vector<Item> i = {any_item(), any_item()};
  const auto at = any<unsigned>() % 3;
  vectors_case.call({n.size(), n[0], n[at], w.size(), w[1], i[1].price, i[1].name, at});
  const std::vector<short> made = vectors(n, w, i, at);
  vectors_case.returned({made.size(), made[0]});
  spans_case.call({n.size(), n[1], at});
  spans_case.returned({spans(n, static_cast<int>(at))});
  const auto far = any<unsigned>() % 6;
  beyond_case.call({n.size(), far < n.size() ? Shown(n[far]) : Shown("null")});
  beyond_case.returned({beyond(n, far)});
}

// ---- pointers and optionals ----

static const Case owned_case("exact::owned", {"a->price", "@a->name", "b->id", "c->price", "(*b).price", "a"},
                             {"a->name", "result->price"});
EXACT std::unique_ptr<Item> owned(const std::unique_ptr<Item>& a, const std::shared_ptr<Item>& b,
                                  std::shared_ptr<const Item> c) {
  a->name = c->name;
  return std::make_unique<Item>(*b);
}
static const Case taken_case("exact::taken", {"@a->price", "n"}, {"result"});
EXACT long taken(std::unique_ptr<Item> a, int n) {
  return a->price ^ n;
}
static const Case optionals_case("exact::optionals", {"a.has_value", "a", "b.has_value", "b", "c", "d->price", "n"},
                                 {"result"});
EXACT std::optional<int> optionals(std::optional<int> a, const std::optional<long>& b,
                                   const std::optional<std::string>& c, const std::optional<Item>& d, int n) {
  kept = b.has_value() ? 1 : c.has_value() && d.has_value() ? 2 : 3;
  return n % 2 == 0 ? a : std::nullopt;
}
static const Case maybe_case("exact::maybe", {"n"}, {"result.has_value", "result"});
EXACT std::optional<std::string> maybe(const std::string& s, unsigned n) {
  return n % 2 == 0 ? std::optional<std::string>(s) : std::nullopt;
}
static const Case couple_case("exact::couple", {"p.first", "p.second", "q.second"}, {"result.first", "result.second"});
EXACT std::pair<int, std::string> couple(std::pair<int, long> p, const std::pair<short, std::string>& q) {
  return {p.first ^ static_cast<int>(p.second), q.second};
}

static void call_pointers() {
  const auto a = std::make_unique<Item>(any_item());
  const auto b = std::make_shared<Item>(any_item());
  const std::shared_ptr<const Item> c = std::make_shared<Item>(any_item());
  owned_case.call({a->price, a->name, b->id, c->price, b->price, a.get()});
  const std::unique_ptr<Item> copy = owned(a, b, c);
  owned_case.returned({a->name, copy->price});
  auto given = std::make_unique<Item>(any_item());
  const auto n = any<int>();
  taken_case.call({given->price, n});
  taken_case.returned({taken(std::move(given), n)});
}

template <typename Value>
static Shown shown(const std::optional<Value>& value) {
  return value ? Shown(*value) : Shown("null");
}

static void call_optionals() {
  const auto some = [] { return any<unsigned>() % 3 != 0; };
  const auto a = some() ? std::optional<int>(any<int>()) : std::nullopt;
  const auto b = some() ? std::optional<long>(any<long>()) : std::nullopt;
  const auto c = some() ? std::optional<std::string>(any_string()) : std::nullopt;
  const auto d = some() ? std::optional<Item>(any_item()) : std::nullopt;
  const auto n = any<int>();
  optionals_case.call(
      {a.has_value(), shown(a), b.has_value(), shown(b), shown(c), d ? Shown(d->price) : Shown("null"), n});
  optionals_case.returned({shown(optionals(a, b, c, d, n))});
  const std::string s = any_string();
  const auto m = any<unsigned>();
  maybe_case.call({m});
  const auto made = maybe(s, m);
  maybe_case.returned({made.has_value(), shown(made)});
  const std::pair<int, long> p{any<int>(), any<long>()};
  const std::pair<short, std::string> q{any<short>(), any_string()};
  couple_case.call({p.first, p.second, q.second});
  const auto r = couple(p, q);
  couple_case.returned({r.first, r.second});
}

void call_library() {
  call_texts();
  call_sequences();
  call_pointers();
  call_optionals();
}

}  // namespace exact
