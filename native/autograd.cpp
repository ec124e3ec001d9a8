// Gradients, grad mode and autocast.
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/anomaly_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>
#include <memory>
#include "internal.h"

using namespace aamt;

namespace {
// The accumulated gradient, with memory of its own (see `keep`): what is done to the caller's handle is then
// done to the gradient itself.
const at::Tensor& gradient_of(const at::Tensor& tensor) {
  at::Tensor& gradient = tensor.mutable_grad();
  if (gradient.defined() && gradient._is_zerotensor()) gradient = gradient.clone();
  return gradient;
}
}  // namespace

int32_t aamt_set_requires_grad(double handle, int32_t on) {
  AAMT_GUARD(forbid_while_recording("requiresGrad_"); tensor_of(handle).requires_grad_(on != 0); return 0;)
}

int32_t aamt_grad(double handle, double* result) {
  AAMT_GUARD(need(result, 1); result[0] = keep(gradient_of(tensor_of(handle))); return 0;)
}

int32_t aamt_grad_fn(double handle, uint8_t* text, int32_t capacity) {
  AAMT_GUARD({
    at::Tensor tensor = tensor_of(handle);
    const auto& node = tensor.grad_fn();
    return copy_text(node ? node->name() : std::string(), text, capacity);
  })
}

int32_t aamt_grads(const double* handles, int32_t count, double* results) {
  AAMT_GUARD({
    need(results, count);
    KeptHandles found;
    for (const auto& tensor : tensors_of(handles, count)) *results++ = found.keep(gradient_of(tensor));
    found.arrived();
    return count;
  })
}

int32_t aamt_clear_grads(const double* handles, int32_t count) {
  AAMT_GUARD(for (const auto& tensor : tensors_of(handles, count)) tensor.mutable_grad().reset(); return count;)
}

int32_t aamt_set_grad(double handle, double gradient) {
  AAMT_GUARD({
    at::Tensor t = tensor_of(handle);
    at::Tensor g = optional_tensor_of(gradient);
    if (g.defined() && (g.sizes() != t.sizes() || g.device() != t.device() || g.scalar_type() != t.scalar_type()))
      throw ShimError(AAMT_ERR_VALUE, "a gradient must have its tensor's shape, dtype and device");
    t.mutable_grad() = g;
    return 0;
  })
}

int32_t aamt_backward(const double* tensors, const double* gradients, int32_t count, int32_t retain_graph,
                      int32_t create_graph, const double* inputs, int32_t input_count) {
  AAMT_GUARD({
    forbid_while_recording("backward");
    auto roots = tensors_of(tensors, count);
    auto seeds = optional_tensors_of(gradients, count);
    torch::autograd::backward(roots, seeds, retain_graph != 0, create_graph != 0, tensors_of(inputs, input_count));
    return 0;
  })
}

int32_t aamt_autograd_grad(const double* outputs, const double* gradients, int32_t count, const double* inputs,
                           int32_t input_count, int32_t retain_graph, int32_t create_graph, int32_t allow_unused,
                           double* results) {
  AAMT_GUARD({
    forbid_while_recording("grad");
    need(results, input_count);
    auto found = torch::autograd::grad(tensors_of(outputs, count), tensors_of(inputs, input_count),
                                       optional_tensors_of(gradients, count), retain_graph != 0, create_graph != 0, allow_unused != 0);
    KeptHandles handles;
    for (int32_t i = 0; i < input_count; i++) results[i] = handles.keep(std::move(found[i]));
    handles.arrived();
    return input_count;
  })
}

int32_t aamt_grad_enabled(void) { return (recording() ? recorded_grad_mode() : at::GradMode::is_enabled()) ? 1 : 0; }

int32_t aamt_set_grad_enabled(int32_t on) {
  if (recording()) set_recorded_grad_mode(on != 0);
  else at::GradMode::set_enabled(on != 0);
  return 0;
}

namespace {
// Inference guards are scoped objects; the stack keeps them in order.
thread_local std::vector<std::unique_ptr<c10::InferenceMode>> inference_guards;
}  // namespace

int32_t aamt_inference_mode_push(int32_t on) {
  AAMT_GUARD(forbid_while_recording("inferenceMode"); inference_guards.push_back(std::make_unique<c10::InferenceMode>(on != 0)); return 0;)
}

int32_t aamt_inference_mode_pop(void) {
  AAMT_GUARD(if (inference_guards.empty()) throw ShimError(AAMT_ERR_ARGUMENT, "inference mode was not entered");
             inference_guards.pop_back(); return 0;)
}

int32_t aamt_anomaly_mode(int32_t on, int32_t check_nan) {
  AAMT_GUARD(torch::autograd::AnomalyMode::set_enabled(on != 0, check_nan != 0); return 0;)
}

int32_t aamt_autocast(int32_t device_type, int32_t enabled, int32_t dtype, int32_t cache, int32_t enter, double* previous) {
  AAMT_GUARD({
    need(previous, 3);
    auto device = device_type_of(device_type);
    auto target = dtype_of(dtype);
    previous[0] = at::autocast::is_autocast_enabled(device);
    previous[1] = static_cast<double>(at::autocast::get_autocast_dtype(device));
    previous[2] = at::autocast::is_autocast_cache_enabled();
    if (enter) at::autocast::increment_nesting();
    // Leaving the outermost level drops the cast weights: they change with the next optimizer step.
    else if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device, enabled != 0);
    at::autocast::set_autocast_dtype(device, target);
    at::autocast::set_autocast_cache_enabled(cache != 0);
    return 0;
  })
}
