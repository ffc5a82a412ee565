#include "export/request.h"

#include <gtest/gtest.h>

namespace diagnose::exporter {
namespace {

TEST(Request, IsReadToTheByte) {
  const std::string head =
      "GET /metrics?a=/b HTTP/1.1\r\nHost: localhost:9950\r\nAccept: text/plain\r\nACCEPT: */*\r\n\r\n";
  const Parsed parsed = parse_request(head + "GET /next");
  EXPECT_EQ(parsed.status, 200);
  EXPECT_EQ(parsed.used, head.size());
  EXPECT_EQ(parsed.request.method, "GET");
  EXPECT_EQ(parsed.request.path, "/metrics");
  EXPECT_EQ(parsed.request.accept, "text/plain,*/*");
  EXPECT_TRUE(parsed.request.keep_alive);
  EXPECT_FALSE(parsed.request.has_body);
}

TEST(Request, EveryPrefixAsksForMore) {
  const std::string head = "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
  for (std::size_t size = 0; size < head.size(); ++size) {
    EXPECT_EQ(parse_request(head.substr(0, size)).status, 0) << size;
  }
}

TEST(Request, TakesBareLineFeedsAndEmptyLinesInFront) {
  const Parsed parsed = parse_request("\r\n\nHEAD / HTTP/1.0\nHost: h\n\n");
  EXPECT_EQ(parsed.status, 200);
  EXPECT_EQ(parsed.used, 28U);
  EXPECT_EQ(parsed.request.method, "HEAD");
}

TEST(Request, TheAbsoluteFormNamesAPathToo) {
  EXPECT_EQ(parse_request("GET http://h:1/metrics?x HTTP/1.1\r\nHost: h\r\n\r\n").request.path, "/metrics");
  EXPECT_EQ(parse_request("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n").request.path, "/");
  EXPECT_EQ(parse_request("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").request.path, "");
}

TEST(Request, KnowsWhenTheConnectionEnds) {
  EXPECT_FALSE(parse_request("GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n\r\n").request.keep_alive);
  EXPECT_FALSE(parse_request("GET / HTTP/1.0\r\n\r\n").request.keep_alive);
  EXPECT_TRUE(parse_request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").request.keep_alive);
}

TEST(Request, NoticesABody) {
  EXPECT_TRUE(parse_request("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n").request.has_body);
  EXPECT_TRUE(parse_request("GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").request.has_body);
  EXPECT_FALSE(parse_request("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").request.has_body);
}

TEST(Request, WhatIsNoRequestIsRefused) {
  for (const std::string bad : {
           "\x16\x03\x01\x02\r\n\r\n",                                // TLS
           "GET\r\n\r\n",                                             //
           "GET /\r\n\r\n",                                           // HTTP/0.9
           "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",                      //
           "GET / x HTTP/1.1\r\nHost: h\r\n\r\n",                     //
           "G(T / HTTP/1.1\r\nHost: h\r\n\r\n",                       //
           "GET / HTTP/1.1\r\n\r\n",                                  // no host
           "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",            //
           "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",           //
           "GET / HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n",         //
           "GET / HTTP/1.1\r\nHost: h\r\nX: a\x01z\r\n\r\n",          //
           "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n"  //
       }) {
    EXPECT_EQ(parse_request(bad).status, 400) << bad;
  }
  EXPECT_EQ(parse_request("PRI * HTTP/2.0\r\n\r\n").status, 505);
}

TEST(Request, AHeadThatDoesNotEndIsRefusedAtTheBound) {
  const std::string begun = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
  EXPECT_EQ(parse_request(begun + std::string(request_head_bytes - begun.size() - 1, 'a')).status, 0);
  EXPECT_EQ(parse_request(begun + std::string(request_head_bytes - begun.size(), 'a')).status, 431);
  EXPECT_EQ(parse_request(begun + std::string(request_head_bytes, 'a') + "\r\n\r\n").status, 431);
  EXPECT_EQ(parse_request(std::string(request_head_bytes, '\n')).status, 431);
}

TEST(Accept, PrefersOpenMetricsOnlyWhereItIsNamedAndNotWorse) {
  // What Prometheus 2.42 sends.
  EXPECT_TRUE(
      wants_open_metrics("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
                         "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
  EXPECT_TRUE(wants_open_metrics("Application/OpenMetrics-Text"));
  EXPECT_TRUE(wants_open_metrics("text/plain;q=0.5, application/openmetrics-text ; version=1.0.0 ; q=0.5"));
  EXPECT_FALSE(wants_open_metrics("text/plain, application/openmetrics-text;q=0.9"));
  EXPECT_FALSE(wants_open_metrics("application/openmetrics-text;q=0"));
  EXPECT_FALSE(wants_open_metrics("application/openmetrics-text;q=junk"));
  EXPECT_FALSE(wants_open_metrics("*/*"));
  EXPECT_FALSE(wants_open_metrics(""));
}

}  // namespace
}  // namespace diagnose::exporter
