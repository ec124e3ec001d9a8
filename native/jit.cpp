// Models from Python: TorchScript archives and AOTInductor packages.
#include <torch/csrc/jit/serialization/import.h>
#include <torch/csrc/jit/api/module.h>
#if __has_include(<torch/csrc/inductor/aoti_package/model_package_loader.h>)
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#define AAMT_HAS_AOTI 1
#endif
#include <mutex>
#include <sstream>
#include <unordered_map>
#include <cmath>
#include "internal.h"

using namespace aamt;

namespace {

struct Model {
  std::optional<torch::jit::Module> script;
#ifdef AAMT_HAS_AOTI
  std::unique_ptr<torch::inductor::AOTIModelPackageLoader> package;
#endif
};

std::mutex models_mutex;
int32_t last_number = 0;
std::unordered_map<int32_t, std::shared_ptr<Model>>& models() {
  static auto* all = new std::unordered_map<int32_t, std::shared_ptr<Model>>();
  return *all;
}

std::shared_ptr<Model> model_of(int32_t number) {
  std::lock_guard<std::mutex> lock(models_mutex);
  auto found = models().find(number);
  if (found == models().end()) throw ShimError(AAMT_ERR_HANDLE, "the model was disposed already");
  return found->second;
}

torch::jit::Module& script_of(Model& model) {
  if (!model.script) throw ShimError(AAMT_ERR_ARGUMENT, "a compiled package has no such thing");
  return *model.script;
}

int32_t add(std::shared_ptr<Model> model) {
  std::lock_guard<std::mutex> lock(models_mutex);
  models().emplace(++last_number, std::move(model));
  return last_number;
}

std::string text_of(const uint8_t* text, int32_t length) {
  need(text, length);
  return std::string(reinterpret_cast<const char*>(text), length);
}

std::string quoted(const std::string& text) {
  std::ostringstream out;
  out << '"';
  for (unsigned char c : text) {
    if (c == '"' || c == '\\') {
      out << '\\' << c;
    } else if (c < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", c);
      out << code;
    } else {
      out << c;
    }
  }
  out << '"';
  return out.str();
}

// A result as JSON, where {"tensor": i} stands for the i-th tensor; dictionaries are lists of pairs.
struct Structure {
  std::ostringstream out;
  std::vector<at::Tensor> tensors;

  void put(const c10::IValue& value) {
    if (value.isTensor()) {
      if (!value.toTensor().defined()) {
        out << "null";
        return;
      }
      out << "{\"tensor\":" << tensors.size() << '}';
      tensors.push_back(value.toTensor());
    } else if (value.isNone()) {
      out << "null";
    } else if (value.isBool()) {
      out << (value.toBool() ? "true" : "false");
    } else if (value.isInt()) {
      out << value.toInt();
    } else if (value.isDouble()) {
      double number = value.toDouble();
      if (std::isfinite(number)) {
        out.precision(17);
        out << number;
      } else {
        out << "{\"number\":\"" << (std::isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity") << "\"}";
      }
    } else if (value.isString()) {
      out << quoted(value.toStringRef());
    } else if (value.isTuple()) {
      put_list(value.toTupleRef().elements());
    } else if (value.isList()) {
      put_list(value.toListRef());
    } else if (value.isGenericDict()) {
      out << "{\"pairs\":[";
      bool first = true;
      for (const auto& item : value.toGenericDict()) {
        out << (first ? "[" : ",[");
        put(item.key());
        out << ',';
        put(item.value());
        out << ']';
        first = false;
      }
      out << "]}";
    } else {
      throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "a result of type " + value.tagKind() + " has no counterpart here");
    }
  }

  template <typename List>
  void put_list(const List& list) {
    out << '[';
    bool first = true;
    for (const auto& item : list) {
      if (!first) out << ',';
      put(item);
      first = false;
    }
    out << ']';
  }
};

thread_local std::string last_structure;

int32_t hand_over(Structure& structure, double* results, int32_t capacity) {
  auto count = static_cast<int32_t>(structure.tensors.size());
  if (count > capacity) throw ShimError(AAMT_ERR_ARGUMENT, "the model gives more tensors than there is room for");
  need(results, count);
  KeptHandles handles;
  for (int32_t i = 0; i < count; i++) results[i] = handles.keep(std::move(structure.tensors[i]));
  handles.arrived();
  last_structure = structure.out.str();
  return count;
}

}  // namespace

int32_t aamt_jit_load(const uint8_t* path, int32_t length, int32_t device_type, int32_t device_index) {
  AAMT_GUARD({
    auto model = std::make_shared<Model>();
    model->script = torch::jit::load(text_of(path, length), device_of(device_type, device_index));
    return add(std::move(model));
  })
}

int32_t aamt_package_load(const uint8_t* path, int32_t length, int32_t device_index) {
#ifdef AAMT_HAS_AOTI
  AAMT_GUARD({
    auto model = std::make_shared<Model>();
    model->package = std::make_unique<torch::inductor::AOTIModelPackageLoader>(text_of(path, length), "model", false, 1,
                                                                              static_cast<c10::DeviceIndex>(device_index));
    return add(std::move(model));
  })
#else
  AAMT_GUARD((void)path; (void)length; (void)device_index;
             throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "this LibTorch cannot load compiled packages (.pt2)");)
#endif
}

int32_t aamt_package_run(int32_t number, const double* inputs, int32_t count, double* results, int32_t capacity) {
  AAMT_GUARD({
    auto model = model_of(number);
    Structure structure;
#ifdef AAMT_HAS_AOTI
    if (model->package) structure.put_list(model->package->run(tensors_of(inputs, count)));
    else
#endif
      throw ShimError(AAMT_ERR_ARGUMENT, "this model is no compiled package");
    return hand_over(structure, results, capacity);
  })
}

int32_t aamt_jit_free(int32_t number) {
  AAMT_GUARD({
    std::shared_ptr<Model> model;  // let go after the lock
    std::lock_guard<std::mutex> lock(models_mutex);
    auto found = models().find(number);
    if (found == models().end()) return 0;
    model = std::move(found->second);
    models().erase(found);
    return 1;
  })
}

int32_t aamt_jit_methods(int32_t number, uint8_t* text, int32_t capacity) {
  AAMT_GUARD({
    auto model = model_of(number);
    std::ostringstream out;
    for (const auto& method : script_of(*model).get_methods()) out << method.function().getSchema() << '\n';
    return copy_text(out.str(), text, capacity);
  })
}

int32_t aamt_jit_call(int32_t number, const uint8_t* method, int32_t method_length, const double* arguments, int32_t length,
                      const uint8_t* text, int32_t text_length, double* results, int32_t capacity) {
  AAMT_GUARD({
    forbid_while_recording("a TorchScript model");
    auto model = model_of(number);
    auto& script = script_of(*model);
    need(arguments, length);
    need(text, text_length);
    auto found = script.find_method(text_of(method, method_length));
    if (!found) throw ShimError(AAMT_ERR_ARGUMENT, "the model has no method " + text_of(method, method_length));
    torch::jit::Stack stack{script._ivalue()};
    read_arguments(found->function().getSchema().arguments(), arguments, length, text, text_length, stack);
    stack.erase(stack.begin());
    Structure structure;
    structure.put((*found)(std::move(stack)));
    return hand_over(structure, results, capacity);
  })
}

int32_t aamt_jit_structure(uint8_t* text, int32_t capacity) { AAMT_GUARD(return copy_text(last_structure, text, capacity);) }

int32_t aamt_jit_state(int32_t number, int32_t buffers, double* results, int32_t capacity) {
  AAMT_GUARD({
    auto model = model_of(number);
    auto& script = script_of(*model);
    Structure structure;
    structure.out << '[';
    bool first = true;
    auto add_named = [&](const std::string& name, const at::Tensor& tensor) {
      structure.out << (first ? "[" : ",[") << quoted(name) << ',';
      structure.put(tensor);
      structure.out << ']';
      first = false;
    };
    if (buffers)
      for (const auto& item : script.named_buffers()) add_named(item.name, item.value);
    else
      for (const auto& item : script.named_parameters()) add_named(item.name, item.value);
    structure.out << ']';
    return hand_over(structure, results, capacity);
  })
}

int32_t aamt_jit_train(int32_t number, int32_t on) {
  AAMT_GUARD(auto model = model_of(number); script_of(*model).train(on != 0); return 0;)
}
