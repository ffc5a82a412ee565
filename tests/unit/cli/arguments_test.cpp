#include "cli/arguments.h"

#include <chrono>
#include <gtest/gtest.h>
#include <regex>

#include "spec/read.h"

namespace diagnose::cli {
namespace {

using nlohmann::json;

AttachArguments function(const std::string& name) {
  AttachArguments arguments;
  arguments.function = name;
  return arguments;
}

json spec(const AttachArguments& arguments) {
  const auto made = spec_of(arguments);
  EXPECT_TRUE(made) << (made ? "" : made.error().text());
  return made ? *made : json();
}

TEST(AttachSpec, AModuleAndAFunctionAloneMakeAHistogram) {
  EXPECT_EQ(spec(function("/usr/bin/redis-server:processCommand")),
            (json{{"target", "/usr/bin/redis-server:processCommand"},
                  {"instrument", {{"type", "histogram"}, {"name", "processCommand"}}}}));
}

TEST(AttachSpec, ColonsOfCxxNamesDoNotPartModuleAndFunction) {
  EXPECT_FALSE(spec_of(function("ns::Cart::checkout")));
  EXPECT_EQ(spec(function("/bin/x:ns::f"))["target"], "/bin/x:ns::f");
  EXPECT_EQ(spec(function("/bin/x:::f"))["target"], "/bin/x:::f");
}

TEST(AttachSpec, ProcessesAreNamedAsInAFile) {
  auto arguments = function("ns::f(int)");
  arguments.pids = {12};
  EXPECT_EQ(spec(arguments)["target"], (json{{"pid", 12}, {"function", "ns::f(int)"}}));
  arguments.pids = {12, 13};
  arguments.module = "libc.so.6";
  EXPECT_EQ(spec(arguments)["target"], (json{{"pid", {12, 13}}, {"module", "libc.so.6"}, {"function", "ns::f(int)"}}));
  arguments.pids.clear();
  EXPECT_EQ(spec(arguments)["target"], (json{{"all", true}, {"module", "libc.so.6"}, {"function", "ns::f(int)"}}));
  arguments.comm = "worker";
  EXPECT_EQ(spec(arguments)["target"], (json{{"comm", "worker"}, {"module", "libc.so.6"}, {"function", "ns::f(int)"}}));
}

TEST(AttachSpec, TheShortFormAlsoNamesTheModuleOfGivenProcesses) {
  auto arguments = function("libssl.so.3:SSL_read");
  arguments.pids = {7};
  EXPECT_EQ(spec(arguments)["target"], (json{{"pid", 7}, {"module", "libssl.so.3"}, {"function", "SSL_read"}}));
  arguments.function = "re:^SSL_:x";
  EXPECT_EQ(spec(arguments)["target"]["function"], "re:^SSL_:x");
}

TEST(AttachSpec, APlaceStandsWhereTheFunctionStands) {
  AttachArguments arguments;
  arguments.pids = {7};
  arguments.usdt = "python:function__return";
  EXPECT_EQ(spec(arguments), (json{{"target", {{"pid", 7}, {"usdt", "python:function__return"}}},
                                   {"instrument", {{"type", "counter"}, {"name", "python_function_return"}}}}));
  EXPECT_EQ(probe_id(place_name(arguments), 0xbeef), "python-function-return-beef");
  arguments.usdt.clear();
  arguments.line = "src/cart.cc:120";
  EXPECT_EQ(spec(arguments)["target"], (json{{"pid", 7}, {"line", "src/cart.cc:120"}}));
  EXPECT_EQ(spec(arguments)["instrument"]["name"], "src_cart_cc_120");
  arguments.line.clear();
  arguments.address = "0x1234";
  arguments.value = "cpu";
  EXPECT_EQ(spec(arguments)["target"], (json{{"pid", 7}, {"address", "0x1234"}}));
  EXPECT_EQ(spec(arguments)["instrument"], (json{{"type", "histogram"}, {"name", "address_0x1234"}, {"value", "cpu"}}));
  arguments.pids.clear();
  EXPECT_FALSE(spec_of(arguments));
}

TEST(AttachSpec, AProgramIsGivenAsTheShellFindsIt) {
  auto arguments = function("main");
  arguments.exe = "sh";
  const std::string found = spec(arguments)["target"]["exe"];
  EXPECT_TRUE(found.starts_with('/') && found.ends_with("/sh")) << found;
  arguments.exe = "./a/../program";
  const std::string relative = spec(arguments)["target"]["exe"];
  EXPECT_TRUE(relative.starts_with('/') && relative.ends_with("/program")) << relative;
  arguments.exe = "*/redis-server";
  EXPECT_EQ(spec(arguments)["target"]["exe"], "*/redis-server");
}

TEST(AttachSpec, EveryOptionReachesItsKey) {
  auto arguments = function("/bin/x:f");
  arguments.type = "gauge";
  arguments.name = "shop.items";
  arguments.value = "arg0";
  arguments.event = "call";
  arguments.where = "arg1 > 0";
  arguments.labels = {"size=arg1", "ok=result == 0"};
  arguments.operation = "max";
  arguments.sample = "1/10";
  arguments.unit = "bytes";
  arguments.help = "Items";
  arguments.lifespan = "5m";
  arguments.return_strategy = "sites";
  arguments.aggregate = "events";
  EXPECT_EQ(spec(arguments), (json{{"target", "/bin/x:f"},
                                   {"instrument",
                                    {{"type", "gauge"},
                                     {"name", "shop.items"},
                                     {"value", "arg0"},
                                     {"event", "call"},
                                     {"where", "arg1 > 0"},
                                     {"labels", {{"size", "arg1"}, {"ok", "result == 0"}}},
                                     {"operation", "max"},
                                     {"sample", "1/10"},
                                     {"unit", "bytes"},
                                     {"help", "Items"}}},
                                   {"lifespan", "5m"},
                                   {"return", "sites"},
                                   {"aggregate", "events"}}));
}

TEST(AttachSpec, AMessageMakesALogAndAnOperationAGauge) {
  auto arguments = function("/bin/x:f");
  arguments.message = "took {elapsed}";
  EXPECT_EQ(spec(arguments)["instrument"]["type"], "log");
  arguments.message.clear();
  arguments.operation = "inc";
  EXPECT_EQ(spec(arguments)["instrument"]["type"], "gauge");
}

TEST(AttachSpec, WhatHasNoPlaceInASpecIsRefusedWithAMend) {
  auto labels = function("/bin/x:f");
  labels.labels = {"size"};
  EXPECT_FALSE(spec_of(labels));
  labels.labels = {"a=1", "a=2"};
  EXPECT_FALSE(spec_of(labels));
  auto all = function("f");
  all.all = true;
  const auto no_module = spec_of(all);
  ASSERT_FALSE(no_module);
  EXPECT_NE(no_module.error().mend.find("--module"), std::string::npos);
  EXPECT_FALSE(spec_of(function("f")));
}

// The daemon reads the mapping with the reader of files.
TEST(AttachSpec, TheReaderOfSpecFilesTakesWhatIsMade) {
  auto arguments = function("/bin/x:ns::f");
  arguments.labels = {"size=arg1"};
  arguments.buckets = "exponential:1us,2,24";
  arguments.lifespan = "10m or 500 hits";
  arguments.sample = "1/100";
  const json document = {{"probes", {{probe_id(arguments.function, 7), spec(arguments)}}}};
  const auto read = spec::read(document.dump(), "attach", std::chrono::system_clock::time_point());
  for (const auto& fault : read.faults) ADD_FAILURE() << fault.text();
  ASSERT_EQ(read.probes.size(), 1U);
  EXPECT_EQ(read.probes[0].id, "ns-f-0007");
  EXPECT_EQ(read.probes[0].instruments.at(0).sample_every, 100U);
  ASSERT_TRUE(read.probes[0].instruments[0].buckets);
  EXPECT_EQ(read.probes[0].instruments[0].buckets->bounds.size(), 24U);
}

TEST(Names, AMetricsNameIsTheFunctionsWithoutParametersAndTemplateArguments) {
  EXPECT_EQ(metric_name("processCommand"), "processCommand");
  EXPECT_EQ(metric_name("shop::Cart::checkout(int, char const*)"), "shop_Cart_checkout");
  EXPECT_EQ(metric_name("std::vector<int>::push_back"), "std_vector");
  EXPECT_EQ(metric_name("(anonymous namespace)::serve(int)"), "serve");
  EXPECT_EQ(metric_name("/lib/libc.so.6:malloc"), "malloc");
  EXPECT_EQ(metric_name("re:^SSL_"), "SSL");
  EXPECT_EQ(metric_name("ns::*"), "ns");
  EXPECT_EQ(metric_name("*"), "probe");
  EXPECT_EQ(metric_name("3d_draw"), "_3d_draw");
}

TEST(Names, AnIdIsAlwaysOneThatTheSpecLanguageTakes) {
  EXPECT_EQ(probe_id("shop::Cart::checkout(int)", 0xbeef), "shop-cart-checkout-beef");
  EXPECT_EQ(probe_id("_start", 1), "start-0001");
  EXPECT_EQ(probe_id("operator()", 1), "operator-0001");
  const std::regex allowed("[a-z0-9][a-z0-9._-]*");
  for (const std::string& name : {std::string("*"), std::string(300, 'A'), std::string("é::f"), std::string("re:.*"),
                                  std::string(58, 'a') + "::b", std::string("Foo::operator<<(int)")}) {
    const std::string id = probe_id(name, 0xffff);
    EXPECT_LE(id.size(), limits::id_chars);
    EXPECT_TRUE(std::regex_match(id, allowed)) << id;
    EXPECT_EQ(id.find("--"), std::string::npos) << id;
  }
}

TEST(Buckets, EveryFormOfTheSpecLanguageHasAShortOne) {
  EXPECT_EQ(*buckets_of("exponential:1us,2,24"),
            (json{{"exponential", {{"start", "1us"}, {"factor", 2}, {"count", 24}}}}));
  EXPECT_EQ(*buckets_of("linear:0,1.5,20"), (json{{"linear", {{"start", 0}, {"width", 1.5}, {"count", 20}}}}));
  EXPECT_EQ(*buckets_of("1us, 10us,1ms"), (json{{"explicit", {"1us", "10us", "1ms"}}}));
  EXPECT_EQ(*buckets_of("explicit:1,2,5"), (json{{"explicit", {1, 2, 5}}}));
  EXPECT_EQ(*buckets_of(R"({"explicit":[1]})"), (json{{"explicit", {1}}}));
  for (const char* wrong : {"linear:1,2", "cubic:1,2,3", "{", "[1]x,", "exponential:", "1,,2", "linear:1,2,3,4"}) {
    EXPECT_FALSE(buckets_of(wrong)) << wrong;
  }
}

TEST(Pids, NumbersBehindPidBelongToIt) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(with_joined_pids({"attach", "--pid", "1", "2", "3", "f"}), (Words{"attach", "--pid", "1,2,3", "f"}));
  EXPECT_EQ(with_joined_pids({"attach", "--pid", "1", "f", "--pid", "2", "3"}),
            (Words{"attach", "--pid", "1", "f", "--pid", "2,3"}));
  EXPECT_EQ(with_joined_pids({"attach", "--lifespan", "5", "6"}), (Words{"attach", "--lifespan", "5", "6"}));
  EXPECT_EQ(with_joined_pids({"--pid"}), (Words{"--pid"}));
}

}  // namespace
}  // namespace diagnose::cli
