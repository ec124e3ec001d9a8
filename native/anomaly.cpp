// Anomaly mode: every node of the graph knows the line of the program that made it, and says so
// when its backward fails or gives NaN. LibTorch's own mode prints C++ backtraces and takes
// milliseconds for each node.
#include <ATen/SequenceNumber.h>
#include <torch/csrc/autograd/function.h>
#include <mutex>
#include <unordered_set>
#include "anomaly.h"

namespace aamt {
namespace {
using torch::autograd::Node;
using torch::autograd::variable_list;

struct Site {
  std::string text;
  bool check_nan;
};
thread_local std::shared_ptr<const Site> site;

// Where the node stands whose backward ran last; the engine may run on several threads.
std::mutex last_mutex;
std::shared_ptr<const Site> last;

struct Enters : torch::autograd::FunctionPreHook {
  explicit Enters(std::shared_ptr<const Site> site) : site(std::move(site)) {}
  std::shared_ptr<const Site> site;
  variable_list operator()(const variable_list& gradients) override {
    std::lock_guard<std::mutex> lock(last_mutex);
    last = site;
    return gradients;
  }
};

struct ChecksNan : torch::autograd::FunctionPostHook {
  ChecksNan(std::shared_ptr<const Site> site, std::string name) : site(std::move(site)), name(std::move(name)) {}
  std::shared_ptr<const Site> site;
  std::string name;
  variable_list operator()(const variable_list& outputs, const variable_list&) override {
    for (size_t i = 0; i < outputs.size(); i++) {
      const auto& output = outputs[i];
      if (!output.defined() || output.layout() != at::kStrided || !(output.is_floating_point() || output.is_complex())) continue;
      if (output.isnan().any().item<bool>())
        throw ShimError(AAMT_ERR_OTHER, "Function '" + name + "' returned nan values in its " + std::to_string(i) + "th output.");
    }
    return outputs;
  }
};
}  // namespace

bool anomaly_on() noexcept { return site != nullptr; }
uint64_t anomaly_begin() { return at::sequence_number::peek(); }

void anomaly_label(const at::Tensor& tensor, uint64_t since) {
  if (!site || !tensor.defined() || !tensor.requires_grad()) return;
  std::vector<Node*> open;
  std::unordered_set<Node*> seen;
  if (tensor.grad_fn()) open.push_back(tensor.grad_fn().get());
  while (!open.empty()) {
    Node* node = open.back();
    open.pop_back();
    // Those below were made by earlier calls; a leaf's node has the largest number.
    if (node->sequence_nr() < since || node->sequence_nr() == UINT64_MAX || !seen.insert(node).second) continue;
    node->add_pre_hook(std::make_unique<Enters>(site));
    if (site->check_nan) node->add_post_hook(std::make_unique<ChecksNan>(site, node->name()));
    for (const auto& edge : node->next_edges())
      if (edge.function) open.push_back(edge.function.get());
  }
}

void anomaly_label(const torch::jit::Stack& stack, uint64_t since) {
  for (const auto& value : stack) {
    if (value.isTensor()) anomaly_label(value.toTensor(), since);
    else if (value.isTensorList())
      for (const auto& tensor : value.toTensorVector()) anomaly_label(tensor, since);
  }
}

}  // namespace aamt

using namespace aamt;

int32_t aamt_anomaly_site(const uint8_t* text, int32_t length, int32_t check_nan) {
  AAMT_GUARD({
    need(text, length);
    site = length == 0 ? nullptr : std::make_shared<Site>(Site{std::string(reinterpret_cast<const char*>(text), length), check_nan != 0});
    return 0;
  })
}

int32_t aamt_anomaly_last(uint8_t* text, int32_t capacity) {
  AAMT_GUARD({
    std::lock_guard<std::mutex> lock(last_mutex);
    if (text == nullptr) last = nullptr;
    return copy_text(last ? last->text : std::string(), text, capacity);
  })
}
