// One pre-norm transformer layer as a single operator for float32 on the CPU, with its gradient. LibTorch's
// own operators do the arithmetic; what is gained lies between them:
// - Work goes in blocks of tokens that stay in the cache from one operator to the next. Where sequences of
//   one length are many, each thread takes blocks of its own through the whole layer.
// - Sequences of different lengths lie one after the other without padding; only attention
//   looks at where they end.
// - Matrix products are oneDNN's, which uses all of the processor's vector width also where MKL does not (on
//   AMD's it is twice as fast), yet in full float32. oneDNN compiles a kernel for each new shape, so it is
//   asked for shapes that come again only.
// - The backward pass computes again what is cheap (norms, activation, attention weights) instead of reading
//   it from memory; or everything, if memory is short.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>
#include <dlfcn.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>
#include <array>
#include <exception>
#include <functional>
#include <mutex>
#include <vector>
#include "internal.h"

// The OpenMP that LibTorch brings, through the entries that compilers call. Compiling with OpenMP would
// link the system's, a second set of threads beside LibTorch's where the wheel has its own. Null where
// LibTorch uses other threads.
extern "C" {
void GOMP_parallel(void (*work)(void*), void* data, unsigned threads, unsigned flags) __attribute__((weak));
int omp_get_thread_num() __attribute__((weak));
int omp_get_num_threads() __attribute__((weak));
void omp_set_num_threads(int) __attribute__((weak));
}

namespace aamt {
namespace {

using at::Tensor;

// Tokens of a block, for each thread: enough for fast products, few enough for the cache.
constexpr int64_t kTokensPerThread = 1024;
// Bytes of attention weights at a time, for each thread.
constexpr int64_t kScoreBytes = int64_t{2} << 20;
constexpr double kNormEpsilon = 1e-5;

enum Weight { kInWeight, kInBias, kOutWeight, kOutBias, kUpWeight, kUpBias, kDownWeight, kDownBias, kNorm1Weight, kNorm1Bias,
              kNorm2Weight, kNorm2Bias, kWeights };
using Weights = std::array<Tensor, kWeights>;

enum class Activation { gelu, gelu_tanh, relu };

// What describes the work besides tensors. `runs` are pairs: so many sequences of such a length.
struct Plan {
  std::vector<int64_t> runs;
  int64_t heads;
  Activation activation;
  bool recompute;
};

Activation activation_of(c10::string_view name) {
  if (name == "gelu") return Activation::gelu;
  if (name == "gelu_tanh") return Activation::gelu_tanh;
  TORCH_CHECK_VALUE(name == "relu", "the activation is gelu, gelu_tanh or relu, not ", name);
  return Activation::relu;
}

// ---- matrix products ----

using OnednnMatmul = void (*)(const Tensor&, const Tensor&, const Tensor&, float beta, float alpha);

// LibTorch's own entry to oneDNN's product. It exports it, but installs no header for it;
// null where there is none.
OnednnMatmul onednn_matmul() {
  static const auto found = at::hasMKLDNN() ? reinterpret_cast<OnednnMatmul>(dlsym(
                                                  RTLD_DEFAULT, "_ZN2at6native13mkldnn_matmulERKNS_6TensorES3_S3_ff"))
                                            : nullptr;
  return at::globalContext().userEnabledMkldnn() ? found : nullptr;
}

// out = beta out + alpha a b, for two matrices or two batches of them. `recurring`: these
// sizes come again and again.
void product(const Tensor& a, const Tensor& b, Tensor& out, float beta, float alpha, bool recurring) {
  if (recurring) {
    if (auto* matmul = onednn_matmul()) return matmul(a, b, out, beta, alpha);
  }
  if (a.dim() == 3) at::baddbmm_out(out, out, a, b, beta, alpha);
  else at::addmm_out(out, out, a, b, beta, alpha);
}

// ---- lanes ----

struct Lanes {
  int64_t count;
  const std::function<void(int64_t)>& work;
  at::ThreadLocalState modes;
  std::vector<std::exception_ptr> failures;
};

void run_thread(void* data) {
  Lanes& lanes = *static_cast<Lanes*>(data);
  const at::ThreadLocalStateGuard guard(lanes.modes);
  // For this thread until the region ends: oneDNN divides its work by this number even inside of a thread.
  omp_set_num_threads(1);
  // OpenMP may give fewer threads than asked for.
  for (int64_t lane = omp_get_thread_num(); lane < lanes.count; lane += omp_get_num_threads()) {
    try {
      lanes.work(lane);
    } catch (...) {
      lanes.failures[lane] = std::current_exception();
    }
  }
}

// How many lanes can run at once: LibTorch's threads, or 1 where they cannot be used from here.
int64_t most_lanes() {
  const bool usable = GOMP_parallel && omp_get_thread_num && omp_get_num_threads && omp_set_num_threads;
  return usable && !at::in_parallel_region() ? at::get_num_threads() : 1;
}

// Calls work(lane) for lanes 0 to lanes - 1, at once if there are several: each in a thread of its own, with
// the caller's modes (gradients, inference, dispatch). Operators called in there use that one thread. Throws
// what the first failing lane threw.
void in_lanes(int64_t count, const std::function<void(int64_t)>& work) {
  if (count == 1) return work(0);
  Lanes lanes{count, work, at::ThreadLocalState(), std::vector<std::exception_ptr>(count)};
  GOMP_parallel(run_thread, &lanes, static_cast<unsigned>(count), 0);
  for (const auto& failure : lanes.failures)
    if (failure) std::rethrow_exception(failure);
}

// ---- blocks ----

// Tokens whose norms and products are computed together.
struct Block {
  int64_t start, count;
  bool recurring;
  Tensor of(const Tensor& whole) const { return whole.narrow(0, start, count); }
};

// Sequences of one length whose attention is computed together.
struct Group {
  int64_t start, sequences, length;
  bool recurring;
  Tensor of(const Tensor& whole) const { return whole.narrow(0, start, sequences * length); }
};

// Whole sequences that go through the layer before the next ones do. Blocks and groups
// count from its first token.
struct Part {
  int64_t start, count;
  std::vector<Block> blocks;
  std::vector<Group> groups;
  Tensor of(const Tensor& whole) const { return whole.narrow(0, start, count); }
};

void add_groups(Part& part, int64_t start, int64_t count, int64_t length, int64_t heads, int threads, bool recurring) {
  const int64_t bytes = heads * length * length * static_cast<int64_t>(sizeof(float));
  const int64_t most = std::max<int64_t>(1, kScoreBytes * threads / std::max<int64_t>(bytes, 1));
  for (int64_t done = 0; done < count && length > 0; done += most)
    part.groups.push_back({start + done * length, std::min(most, count - done), length, recurring});
}

// All parts, and how many threads take one each at a time; else all threads work on one part together.
struct Division {
  std::vector<Part> parts;
  int64_t lanes;
};

int64_t divided_up(int64_t count, int64_t by) { return (count + by - 1) / by; }

// Sequences of one length go in parts of one block each. If they are many, each thread takes parts of its
// own: nothing waits then between operators, and what one leaves in a core's cache the next finds there.
// Other sequences make a single part: blocks of a fixed size then cut across them.
Division divide(const Plan& plan, int64_t tokens) {
  const int threads = at::get_num_threads();
  if (plan.runs.size() == 2 && plan.runs[0] > 0 && plan.runs[1] > 0) {
    const int64_t count = plan.runs[0], length = plan.runs[1];
    const int64_t lanes = count >= 4 * threads ? most_lanes() : 1;
    const int64_t size = kTokensPerThread * (lanes > 1 ? 1 : threads);
    const int64_t rounds = divided_up(count * length, lanes * size);
    const int64_t together = divided_up(count, lanes * rounds);
    Division division{{}, lanes};
    for (int64_t done = 0; done < count; done += together) {
      const int64_t sequences = std::min(together, count - done);
      Part part{done * length, sequences * length, {{0, sequences * length, count > 1}}, {}};
      add_groups(part, 0, sequences, length, plan.heads, lanes > 1 ? 1 : threads, count > 1);
      division.parts.push_back(std::move(part));
    }
    return division;
  }
  const int64_t size = kTokensPerThread * threads;
  Part all{0, tokens, {}, {}};
  for (int64_t start = 0; start < tokens; start += size)
    all.blocks.push_back({start, std::min(size, tokens - start), start + size <= tokens});
  int64_t start = 0;
  for (size_t i = 0; i < plan.runs.size(); i += 2) {
    add_groups(all, start, plan.runs[i], plan.runs[i + 1], plan.heads, threads, false);
    start += plan.runs[i] * plan.runs[i + 1];
  }
  return {{std::move(all)}, 1};
}

// Calls work(part, lane) for all parts. Which lane gets a part does not depend on the clock, so that sums
// come out the same each time.
template <typename Work>
void for_each_part(const Division& division, const Work& work) {
  const int64_t count = static_cast<int64_t>(division.parts.size());
  in_lanes(division.lanes, [&](int64_t lane) {
    for (int64_t i = lane; i < count; i += division.lanes) work(division.parts[i], lane);
  });
}

// ---- parts of a layer ----

struct Norm {
  Tensor output, mean, rstd;
};

Norm normalize(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  auto [output, mean, rstd] = at::native_layer_norm(x, {x.size(1)}, weight, bias, kNormEpsilon);
  return {output, mean, rstd};
}

Tensor activate(const Tensor& x, Activation activation) {
  if (activation == Activation::relu) return at::relu(x);
  return at::gelu(x, activation == Activation::gelu ? "none" : "tanh");
}

Tensor activate_backward(const Tensor& grad, const Tensor& x, Activation activation) {
  if (activation == Activation::relu) return at::threshold_backward(grad, x, 0);
  return at::gelu_backward(grad, x, activation == Activation::gelu ? "none" : "tanh");
}

// out = x weight^T + bias
void linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor& out, bool recurring) {
  out.copy_(bias.expand_as(out));
  product(x, weight.t(), out, 1, 1, recurring);
}

// out = residual + x weight^T + bias
void linear_onto(const Tensor& residual, const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor& out, bool recurring) {
  at::add_out(out, residual, bias);
  product(x, weight.t(), out, 1, 1, recurring);
}

// Queries, keys, values of a group: [3, sequences x heads, length, width], and their attention weights.
struct Attention {
  Tensor q, k, v, weights;
};

Attention attend(const Group& group, const Tensor& qkv, int64_t heads) {
  const int64_t width = qkv.size(1) / 3 / heads;
  const Tensor parts = group.of(qkv)
                           .view({group.sequences, group.length, 3, heads, width})
                           .permute({2, 0, 3, 1, 4})
                           .contiguous()
                           .view({3, group.sequences * heads, group.length, width});
  const Tensor q = parts.select(0, 0), k = parts.select(0, 1), v = parts.select(0, 2);
  Tensor scores = at::empty({group.sequences * heads, group.length, group.length}, qkv.options());
  product(q, k.transpose(1, 2), scores, 0, 1 / std::sqrt(static_cast<float>(width)), group.recurring);
  return {q, k, v, at::softmax(scores, -1)};
}

// [sequences x heads, length, width] of a group as [sequences, heads, length, width], a view for
// copies from and to tokens.
Tensor by_token(const Group& group, const Tensor& tokens, int64_t heads) {
  return group.of(tokens).view({group.sequences, group.length, heads, -1}).transpose(1, 2);
}

void attention_forward(const Group& group, const Tensor& qkv, int64_t heads, const Tensor& mixed) {
  const Attention attention = attend(group, qkv, heads);
  Tensor out = at::empty_like(attention.q);
  product(attention.weights, attention.v, out, 0, 1, group.recurring);
  by_token(group, mixed, heads).copy_(out.view({group.sequences, heads, group.length, -1}));
}

void attention_backward(const Group& group, const Tensor& qkv, int64_t heads, const Tensor& grad_mixed, Tensor& grad_qkv) {
  const auto [q, k, v, weights] = attend(group, qkv, heads);
  const Tensor grad = by_token(group, grad_mixed, heads).contiguous().view(q.sizes());
  const float scale = 1 / std::sqrt(static_cast<float>(q.size(2)));
  Tensor grads = at::empty({3, q.size(0), q.size(1), q.size(2)}, q.options());
  Tensor dq = grads.select(0, 0), dk = grads.select(0, 1), dv = grads.select(0, 2);
  product(weights.transpose(1, 2), grad, dv, 0, 1, group.recurring);
  Tensor dweights = at::empty_like(weights);
  product(grad, v.transpose(1, 2), dweights, 0, 1, group.recurring);
  const Tensor dscores = at::_softmax_backward_data(dweights, weights, -1, at::kFloat);
  product(dscores, k, dq, 0, scale, group.recurring);
  product(dscores.transpose(1, 2), q, dk, 0, scale, group.recurring);
  group.of(grad_qkv)
      .view({group.sequences, group.length, 3, heads, -1})
      .permute({2, 0, 3, 1, 4})
      .copy_(grads.view({3, group.sequences, heads, group.length, -1}));
}

// ---- the layer ----

// What the backward pass needs besides the input.
struct Kept {
  Tensor qkv, mixed, middle, hidden;

  static Kept for_tokens(int64_t tokens, const Weights& w, const at::TensorOptions& options) {
    const int64_t dim = w[kOutWeight].size(0);
    return {at::empty({tokens, 3 * dim}, options), at::empty({tokens, dim}, options), at::empty({tokens, dim}, options),
            at::empty({tokens, w[kUpWeight].size(0)}, options)};
  }
  Kept part(const Part& part) const { return {part.of(qkv), part.of(mixed), part.of(middle), part.of(hidden)}; }
};

// The layer's output; `kept` is filled if given.
Tensor run_forward(const Tensor& x, const Weights& w, const Plan& plan, Kept* kept) {
  const int64_t tokens = x.size(0);
  if (kept) *kept = Kept::for_tokens(tokens, w, x.options());
  const Tensor y = at::empty_like(x);
  for_each_part(divide(plan, tokens), [&](const Part& part, int64_t) {
    const Tensor input = part.of(x), output = part.of(y);
    const Kept values = kept ? kept->part(part) : Kept::for_tokens(part.count, w, x.options());
    for (const Block& block : part.blocks) {
      Tensor qkv = block.of(values.qkv);
      linear(normalize(block.of(input), w[kNorm1Weight], w[kNorm1Bias]).output, w[kInWeight], w[kInBias], qkv, block.recurring);
    }
    for (const Group& group : part.groups) attention_forward(group, values.qkv, plan.heads, values.mixed);
    for (const Block& block : part.blocks) {
      Tensor middle = block.of(values.middle), hidden = block.of(values.hidden), out = block.of(output);
      linear_onto(block.of(input), block.of(values.mixed), w[kOutWeight], w[kOutBias], middle, block.recurring);
      linear(normalize(middle, w[kNorm2Weight], w[kNorm2Bias]).output, w[kUpWeight], w[kUpBias], hidden, block.recurring);
      linear_onto(middle, activate(hidden, plan.activation), w[kDownWeight], w[kDownBias], out, block.recurring);
    }
  });
  return y;
}

// Adds a linear layer's gradients to those of its weights.
void linear_backward(const Tensor& grad, const Tensor& x, Tensor& grad_weight, Tensor& grad_bias, bool recurring) {
  product(grad.t(), x, grad_weight, 1, 1, recurring);
  grad_bias.add_(grad.sum(0));
}

// grad_x = grad_residual + the norm's gradient, and adds to the gradients of its weights.
void norm_backward(const Tensor& grad, const Tensor& x, const Norm& norm, const Tensor& weight, const Tensor& bias,
                   const Tensor& grad_residual, Tensor& grad_x, Tensor& grad_weight, Tensor& grad_bias) {
  auto [dx, dweight, dbias] =
      at::native_layer_norm_backward(grad, x, {x.size(1)}, norm.mean, norm.rstd, weight, bias, {true, true, true});
  at::add_out(grad_x, grad_residual, dx);
  grad_weight.add_(dweight);
  grad_bias.add_(dbias);
}

Weights zeros_like(const Weights& weights) {
  Weights zeros;
  for (int i = 0; i < kWeights; i++) zeros[i] = at::zeros_like(weights[i]);
  return zeros;
}

// The gradient of the input; those of the weights in `weight_grads`.
Tensor run_backward(const Tensor& grad_y, const Tensor& x, const Weights& w, const Kept& kept, const Plan& plan, Weights& weight_grads) {
  const Tensor grad_x = at::empty_like(x);
  const Division division = divide(plan, x.size(0));
  std::vector<Weights> grads_of_lanes(division.lanes);
  for (Weights& grads : grads_of_lanes) grads = zeros_like(w);
  for_each_part(division, [&](const Part& part, int64_t lane) {
    Weights& grads = grads_of_lanes[lane];
    const Kept values = kept.part(part);
    const Tensor input = part.of(x), grad_output = part.of(grad_y), grad_input = part.of(grad_x);
    const Tensor grad_middle = at::empty_like(input), grad_mixed = at::empty_like(input);
    Tensor grad_qkv = at::empty_like(values.qkv);
    for (const Block& block : part.blocks) {
      const Tensor dy = block.of(grad_output), hidden = block.of(values.hidden), middle = block.of(values.middle);
      linear_backward(dy, activate(hidden, plan.activation), grads[kDownWeight], grads[kDownBias], block.recurring);
      Tensor dactive = at::empty_like(hidden);
      product(dy, w[kDownWeight], dactive, 0, 1, block.recurring);
      const Tensor dhidden = activate_backward(dactive, hidden, plan.activation);
      const Norm norm = normalize(middle, w[kNorm2Weight], w[kNorm2Bias]);
      linear_backward(dhidden, norm.output, grads[kUpWeight], grads[kUpBias], block.recurring);
      Tensor dnorm = at::empty_like(middle), dmiddle = block.of(grad_middle), dmixed = block.of(grad_mixed);
      product(dhidden, w[kUpWeight], dnorm, 0, 1, block.recurring);
      norm_backward(dnorm, middle, norm, w[kNorm2Weight], w[kNorm2Bias], dy, dmiddle, grads[kNorm2Weight], grads[kNorm2Bias]);
      linear_backward(dmiddle, block.of(values.mixed), grads[kOutWeight], grads[kOutBias], block.recurring);
      product(dmiddle, w[kOutWeight], dmixed, 0, 1, block.recurring);
    }
    for (const Group& group : part.groups) attention_backward(group, values.qkv, plan.heads, grad_mixed, grad_qkv);
    for (const Block& block : part.blocks) {
      const Tensor dqkv = block.of(grad_qkv), before = block.of(input);
      const Norm norm = normalize(before, w[kNorm1Weight], w[kNorm1Bias]);
      linear_backward(dqkv, norm.output, grads[kInWeight], grads[kInBias], block.recurring);
      Tensor dnorm = at::empty_like(before), dx = block.of(grad_input);
      product(dqkv, w[kInWeight], dnorm, 0, 1, block.recurring);
      norm_backward(dnorm, before, norm, w[kNorm1Weight], w[kNorm1Bias], block.of(grad_middle), dx, grads[kNorm1Weight],
                    grads[kNorm1Bias]);
    }
  });
  weight_grads = std::move(grads_of_lanes[0]);
  for (int64_t lane = 1; lane < division.lanes; lane++)
    for (int i = 0; i < kWeights; i++) weight_grads[i].add_(grads_of_lanes[lane][i]);
  return grad_x;
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct TransformerLayer : torch::autograd::Function<TransformerLayer> {
  template <typename... Each>
  static Tensor forward(AutogradContext* context, const Plan& plan, const Tensor& x, const Each&... weights) {
    Kept kept;
    const Tensor y = run_forward(x, {weights...}, plan, plan.recompute ? nullptr : &kept);
    if (plan.recompute) context->save_for_backward({x, weights...});
    else context->save_for_backward({x, weights..., kept.qkv, kept.mixed, kept.middle, kept.hidden});
    context->saved_data["runs"] = plan.runs;
    context->saved_data["heads"] = plan.heads;
    context->saved_data["activation"] = static_cast<int64_t>(plan.activation);
    context->saved_data["recompute"] = plan.recompute;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grad_outputs) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "transformer_layer has no second derivative");
    const auto saved = context->get_saved_variables();
    const Tensor& x = saved[0];
    Weights w, grads;
    std::copy(saved.begin() + 1, saved.begin() + 1 + kWeights, w.begin());
    const Plan plan{context->saved_data["runs"].toIntVector(), context->saved_data["heads"].toInt(),
                    static_cast<Activation>(context->saved_data["activation"].toInt()), context->saved_data["recompute"].toBool()};
    Kept kept;
    if (plan.recompute) run_forward(x, w, plan, &kept);
    else kept = {saved[1 + kWeights], saved[2 + kWeights], saved[3 + kWeights], saved[4 + kWeights]};
    variable_list results{Tensor(), run_backward(grad_outputs[0].contiguous(), x, w, kept, plan, grads)};
    results.insert(results.end(), grads.begin(), grads.end());
    return results;
  }
};

Tensor transformer_layer(const Tensor& input, at::TensorList weights, at::IntArrayRef runs, int64_t heads,
                         c10::string_view activation, bool recompute) {
  TORCH_CHECK_VALUE(input.dim() == 2 && input.scalar_type() == at::kFloat && input.is_cpu(),
                    "transformer_layer takes float32 tokens [N, D] on the CPU");
  TORCH_CHECK_VALUE(weights.size() == kWeights, "transformer_layer takes ", static_cast<int>(kWeights), " weights, not ",
                    weights.size());
  const int64_t dim = input.size(1), width = weights[kUpWeight].size(0);
  TORCH_CHECK_VALUE(heads > 0 && dim % heads == 0, heads, " heads do not divide ", dim);
  const std::array<std::vector<int64_t>, kWeights> shapes{{{3 * dim, dim}, {3 * dim}, {dim, dim}, {dim}, {width, dim}, {width},
                                                           {dim, width}, {dim}, {dim}, {dim}, {dim}, {dim}}};
  Weights list;
  for (int i = 0; i < kWeights; i++) {
    TORCH_CHECK_VALUE(weights[i].sizes() == at::IntArrayRef(shapes[i]) && weights[i].scalar_type() == at::kFloat &&
                          weights[i].is_cpu() && weights[i].is_contiguous(),
                      "weight ", i, " of transformer_layer must be contiguous float32 ", at::IntArrayRef(shapes[i]), " on the CPU");
    list[i] = weights[i];
  }
  int64_t tokens = 0;
  TORCH_CHECK_VALUE(runs.size() % 2 == 0, "the runs of transformer_layer are pairs of a count and a length");
  for (size_t i = 0; i < runs.size(); i += 2) {
    TORCH_CHECK_VALUE(runs[i] >= 0 && runs[i + 1] >= 0, "the runs of transformer_layer must not be negative");
    tokens += runs[i] * runs[i + 1];
  }
  TORCH_CHECK_VALUE(tokens == input.size(0), "the runs of transformer_layer have ", tokens, " tokens, its input ", input.size(0));
  const Activation chosen = activation_of(activation);
  const Tensor x = input.contiguous();
  const Plan plan{runs.vec(), heads, chosen, recompute};
  if (!at::GradMode::is_enabled()) return run_forward(x, list, plan, nullptr);
  return std::apply([&](const auto&... each) { return TransformerLayer::apply(plan, x, each...); }, list);
}

// a b, the way the layer computes its products.
Tensor layer_product(const Tensor& a, const Tensor& b) {
  TORCH_CHECK_VALUE(a.dim() == 2 && b.dim() == 2 && a.size(1) == b.size(0) && a.scalar_type() == at::kFloat &&
                        b.scalar_type() == at::kFloat && a.is_cpu() && b.is_cpu(),
                    "layer_product takes two float32 matrices on the CPU that fit together");
  Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  product(a, b, out, 0, 1, true);
  return out;
}

}  // namespace

void register_operators() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Never freed: operators are called until the process ends.
    auto* library = new torch::Library(torch::Library::DEF, "aamt", std::nullopt, __FILE__, __LINE__);
    library->def("transformer_layer(Tensor input, Tensor[] weights, int[] runs, int heads, str activation, bool recompute) -> Tensor",
                 &transformer_layer);
    library->def("layer_product(Tensor a, Tensor b) -> Tensor", &layer_product);
    define_word_sums(*library);
  });
}

}  // namespace aamt
