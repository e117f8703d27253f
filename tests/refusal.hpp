// What a call that must fail says.
#pragma once
#include <functional>
#include <mla/error.hpp>
#include <string>
#include <vector>

#include "catch.hpp"

/// CHECKs that the call throws an mla::Error of this status, whose one line holds every one of `texts`.
inline void check_refused(const std::function<void()>& call, mla::Status status, const std::vector<std::string>& texts) {
  try {
    call();
    FAIL_CHECK("not refused; expected a message with " << (texts.empty() ? "" : texts.back()));
  } catch (const mla::Error& error) {
    const std::string message = error.what();
    INFO(message);
    CHECK(std::string(mla::to_string(error.status())) == mla::to_string(status));
    for (const std::string& text : texts) CHECK_THAT(message, Catch::Contains(text));
    CHECK(message.find('\n') == std::string::npos);
  }
}
