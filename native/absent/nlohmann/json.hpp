// LibTorch's wheels leave out this header, which ATen/functorch/Interpreter.h needs for functions that
// nothing here calls. These are declarations alone: a call would not link.
#pragma once
#include <string>
namespace nlohmann {
struct json {
  json();
  template <typename T>
  json(const T& value);
  static json parse(const std::string& text);
  std::string dump() const;
  template <typename T>
  T get() const;
};
}  // namespace nlohmann
