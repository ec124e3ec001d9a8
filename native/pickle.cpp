// Reading and writing torch.save files through LibTorch's own pickler: no code in a file is ever run, and values other
// than tensors, numbers, strings and containers of them are refused.
#include <torch/csrc/jit/serialization/pickle.h>
#include <c10/util/Exception.h>
#include <cmath>
#include <sstream>
#include "internal.h"

using namespace aamt;

namespace {

void json_string(std::ostream& out, const std::string& text) {
  out << '"';
  for (unsigned char c : text) {
    if (c == '"' || c == '\\') out << '\\' << c;
    else if (c < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
      out << escaped;
    } else out << c;
  }
  out << '"';
}

// Writes `value` as JSON and collects its tensors. `path` names the place for error messages.
void describe(std::ostream& out, const c10::IValue& value, std::vector<at::Tensor>& tensors, const std::string& path, int depth) {
  if (depth > 100) throw ShimError(AAMT_ERR_VALUE, "nested deeper than 100 levels at " + path);
  if (value.isTensor()) {
    out << "{\"tensor\":" << tensors.size() << '}';
    tensors.push_back(value.toTensor());
  } else if (value.isNone()) {
    out << "null";
  } else if (value.isBool()) {
    out << (value.toBool() ? "true" : "false");
  } else if (value.isInt()) {
    out << "{\"int\":\"" << value.toInt() << "\"}";
  } else if (value.isDouble()) {
    std::ostringstream number;
    number.precision(17);
    number << value.toDouble();
    out << "{\"float\":\"" << number.str() << "\"}";
  } else if (value.isString()) {
    json_string(out, value.toStringRef());
  } else if (value.isTensorList() || value.isList() || value.isTuple()) {
    out << (value.isTuple() ? "{\"tuple\":[" : "{\"list\":[");
    c10::List<c10::IValue> list = value.isTuple() ? c10::List<c10::IValue>(c10::AnyType::get()) : value.toList();
    if (value.isTuple())
      for (const auto& element : value.toTupleRef().elements()) list.push_back(element);
    for (size_t i = 0; i < list.size(); i++) {
      if (i > 0) out << ',';
      describe(out, list.get(i), tensors, path + "[" + std::to_string(i) + "]", depth + 1);
    }
    out << "]}";
  } else if (value.isGenericDict()) {
    out << "{\"dict\":[";
    bool first = true;
    for (const auto& entry : value.toGenericDict()) {
      if (!first) out << ',';
      first = false;
      out << '[';
      describe(out, entry.key(), tensors, path + " key", depth + 1);
      out << ',';
      std::string name = entry.key().isString() ? entry.key().toStringRef() : "?";
      describe(out, entry.value(), tensors, path + "." + name, depth + 1);
      out << ']';
    }
    out << "]}";
  } else {
    throw ShimError(AAMT_ERR_TYPE, "holds a value of type " + value.tagKind() + " at " + path +
                                       "; only tensors, numbers, strings, lists and dicts are read");
  }
}

// A small reader of the JSON that the TypeScript side writes: {"dict":[[k,v],..]}, {"list":[..]}, {"tensor":n},
// {"int":"1"}, {"float":"1.5"}, strings, true, false, null.
class Structure {
 public:
  Structure(const char* text, size_t length, const double* tensors, int32_t count)
      : at_(text), end_(text + length), tensors_(tensors), count_(count) {}

  c10::IValue value() {
    if (++depth_ > 100) fail();
    c10::IValue result = read();
    depth_--;
    return result;
  }

 private:
  [[noreturn]] void fail() { throw ShimError(AAMT_ERR_ARGUMENT, "malformed structure"); }
  char peek() {
    if (at_ >= end_) fail();
    return *at_;
  }
  void expect(const char* text) {
    for (; *text; text++, at_++)
      if (peek() != *text) fail();
  }
  std::string text() {
    expect("\"");
    std::string out;
    while (peek() != '"') {
      if (*at_ == '\\') {
        at_++;
        if (peek() == 'u') {
          if (end_ - at_ < 5) fail();
          out.push_back(static_cast<char>(std::stoi(std::string(at_ + 1, 4), nullptr, 16)));
          at_ += 5;
          continue;
        }
        switch (*at_) {
          case 'n': out.push_back('\n'); break;
          case 't': out.push_back('\t'); break;
          case 'r': out.push_back('\r'); break;
          case 'b': out.push_back('\b'); break;
          case 'f': out.push_back('\f'); break;
          default: out.push_back(*at_);
        }
        at_++;
        continue;
      }
      out.push_back(*at_++);
    }
    at_++;
    return out;
  }
  int64_t number() {
    std::string digits;
    while (at_ < end_ && (*at_ == '-' || (*at_ >= '0' && *at_ <= '9'))) digits.push_back(*at_++);
    if (digits.empty()) fail();
    return std::stoll(digits);
  }

  c10::IValue read() {
    char c = peek();
    if (c == '"') return text();
    if (c == 'n') return expect("null"), c10::IValue();
    if (c == 't') return expect("true"), c10::IValue(true);
    if (c == 'f') return expect("false"), c10::IValue(false);
    expect("{");
    std::string kind = text();
    expect(":");
    c10::IValue result;
    if (kind == "tensor") {
      int64_t index = number();
      if (index < 0 || index >= count_) fail();
      result = tensor_of(tensors_[index]).detach();
    } else if (kind == "int") {
      result = static_cast<int64_t>(std::stoll(text()));
    } else if (kind == "float") {
      result = std::stod(text());
    } else if (kind == "list") {
      auto list = c10::impl::GenericList(c10::AnyType::get());
      expect("[");
      while (peek() != ']') {
        list.push_back(value());
        if (peek() == ',') at_++;
      }
      at_++;
      result = list;
    } else if (kind == "dict") {
      auto dict = c10::impl::GenericDict(c10::AnyType::get(), c10::AnyType::get());
      expect("[");
      while (peek() != ']') {
        expect("[");
        c10::IValue key = value();
        expect(",");
        c10::IValue entry = value();
        expect("]");
        dict.insert(key, entry);
        if (peek() == ',') at_++;
      }
      at_++;
      result = dict;
    } else {
      fail();
    }
    expect("}");
    return result;
  }

  const char* at_;
  const char* end_;
  const double* tensors_;
  int32_t count_;
  int depth_ = 0;
};

}  // namespace

int32_t aamt_unpickle(const uint8_t* data, double bytes, double* results, int32_t capacity) {
  AAMT_GUARD({
    std::vector<char> content(reinterpret_cast<const char*>(data), reinterpret_cast<const char*>(data) + static_cast<size_t>(bytes));
    c10::IValue value = torch::jit::pickle_load(content);
    std::ostringstream out;
    std::vector<at::Tensor> tensors;
    describe(out, value, tensors, "the top", 0);
    pending_text() = out.str();
    std::vector<double> packed{AAMT_TAG_TENSOR_LIST, static_cast<double>(tensors.size())};
    for (auto& tensor : tensors) {
      packed.push_back(keep(tensor));
      packed.push_back(static_cast<double>(tensor.nbytes()));
    }
    return deliver(packed, results, capacity);
  })
}

int32_t aamt_pickle(const uint8_t* json, int32_t json_length, const double* tensors, int32_t count) {
  AAMT_GUARD({
    Structure structure(reinterpret_cast<const char*>(json), json_length, tensors, count);
    std::vector<char> content = torch::jit::pickle_save(structure.value());
    pending_text().assign(content.begin(), content.end());
    return static_cast<int32_t>(pending_text().size());
  })
}
