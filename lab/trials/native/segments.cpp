// Typed calls of every operator that has one, and segments whose inner values are computed again.
#include "driver.h"

namespace driver {

void typed(int effort) {
  // Finding an operator reads its schema and its default values: all of them.
  int32_t length = aamt_all_schemas(nullptr, 0);
  std::string schemas(length, '\0');
  CHECK(aamt_all_schemas(reinterpret_cast<uint8_t*>(schemas.data()), length) == length);
  struct Known {
    int32_t op;
    std::string pattern;
  };
  std::vector<Known> typed_ones;
  double defaults[16];
  for (size_t start = 0; start < schemas.size();) {
    size_t end = schemas.find('\n', start);
    std::string name = schemas.substr(start, schemas.find('(', start) - start);
    start = end + 1;
    size_t dot = name.find('.');
    int32_t op = find(name.substr(0, dot), dot == std::string::npos ? "" : name.substr(dot + 1));
    CHECK(op >= 0);
    char pattern[16];
    int32_t letters = aamt_op_pattern(op, reinterpret_cast<uint8_t*>(pattern), 16, defaults);
    CHECK(letters >= 0 && letters < 16);
    // Only operators of the public names: those with an underscore trust their arguments, in Python too.
    bool is_public = name.compare(0, 6, "aten::") == 0 && name[6] != '_' && name.find("backward") == std::string::npos;
    if (letters > 0 && is_public) typed_ones.push_back({op, std::string(pattern, letters)});
  }
  CHECK(typed_ones.size() > 300);
  CHECK(aamt_op_pattern(-1, nullptr, 0, defaults) < 0 && aamt_op_pattern(find("aten::add", "Tensor"), nullptr, 0, nullptr) < 0);
  CHECK(aamt_call(-1, 0, 0, 0, 0, 0) < 0 && aamt_call(find("aten::cat"), 0, 0, 0, 0, 0) < 0);

  // Wrong handles and impossible numbers for arguments of every kind: an error or a tensor, nothing else.
  double a = from_floats({1, 2, 3, 4}, {2, 2});
  double before = live();
  Random random{3};
  long succeeded = 0;
  for (int i = 0; i < 20000 * effort; i++) {
    const Known& one = typed_ones[random.below(static_cast<int>(typed_ones.size()))];
    if (one.pattern.back() == '=') continue;  // would change `a`
    bool has_list = one.pattern.size() > 1 && std::string("LYQ").find(one.pattern[1]) != std::string::npos;
    bool has_tensors = one.pattern[0] == 'X';
    double values[6];
    for (size_t k = 0; k < 6; k++) {
      char kind = k < one.pattern.size() ? one.pattern[k] : 'D';
      bool is_tensor = kind == 'T' || kind == 'O';
      // Small numbers: sizes and repetitions of millions are no mistake of the binding's.
      values[k] = is_tensor ? (random.below(5) ? a : random.any_double()) : random.below(4) ? random.below(4) - 1 : random.any_double();
      if (!is_tensor && std::fabs(values[k]) > 8 && std::fabs(values[k]) < 1e15) values[k] = 2.5;
    }
    double list[3] = {double(random.below(4)) - 1, double(random.below(4)) - 1, random.below(8) ? 1 : NAN};
    double tensors[3] = {a, random.below(4) ? a : random.any_double(), a};
    double result = has_list      ? aamt_call_with_list(one.op, values[0], list, random.below(4), values[2], values[3], values[4], values[5])
                    : has_tensors ? aamt_call_with_tensors(one.op, tensors, random.below(4), values[1])
                                  : aamt_call(one.op, values[0], values[1], values[2], values[3], values[4]);
    if (result > 0) {
      succeeded++;
      CHECK(aamt_owned_bytes(result) >= 0 && aamt_free(result) == 0);
    }
  }
  CHECK(succeeded > 100 * effort);
  CHECK(live() == before && aamt_free(a) == 0);
}

namespace {
// sum(exp(x * x)) within a segment or not; its gradient.
std::vector<float> gradient_of(bool segment, double x) {
  CHECK(aamt_set_grad(x, 0) == 0);
  if (segment) CHECK(aamt_segment_begin() == 0);
  double square = tensor(find("aten::mul", "Tensor"), {AAMT_TAG_TENSOR, x, AAMT_TAG_TENSOR, x});
  double grown = tensor(find("aten::exp"), {AAMT_TAG_TENSOR, square});
  double out = grown;
  if (segment) CHECK(aamt_segment_end(&grown, 1, &out) == 1);
  double total = tensor(find("aten::sum"), {AAMT_TAG_TENSOR, out});
  double none = 0;
  CHECK(aamt_backward(&total, &none, 1, 0, 0, nullptr, 0) == 0);
  double gradient;
  CHECK(aamt_grads(&x, 1, &gradient) == 1);
  auto values = to_floats(gradient, 3);
  for (double handle : {square, grown, total, gradient}) CHECK(aamt_free(handle) == 0);
  if (segment) CHECK(aamt_free(out) == 0);
  CHECK(aamt_clear_grads(&x, 1) == 1);
  return values;
}
}  // namespace

void segments(int effort) {
  double x = from_floats({0.5, -1, 0.25}, {3});
  CHECK(aamt_set_requires_grad(x, 1) == 0);
  CHECK(gradient_of(true, x) == gradient_of(false, x));
  double out;
  CHECK(aamt_segment_end(&x, 1, &out) == AAMT_ERR_ARGUMENT && aamt_segment_abort() == AAMT_ERR_ARGUMENT);
  CHECK(aamt_grads(nullptr, 1, &out) < 0 && aamt_grads(&x, 1, nullptr) < 0 && aamt_clear_grads(nullptr, 1) < 0);

  // What cannot be repeated is refused; an error, an abort and a missing output leave the thread as it was.
  CHECK(aamt_segment_begin() == 0);
  double none = 0;
  CHECK(aamt_backward(&x, &none, 1, 0, 0, nullptr, 0) < 0 && aamt_manual_seed(1) < 0 && aamt_inference_mode_push(1) < 0);
  int32_t status;
  call(find("aten::add", "Tensor"), {AAMT_TAG_TENSOR, x, AAMT_TAG_TENSOR, 5}, status);
  CHECK(status < 0);
  call(find("aten::mm"), {AAMT_TAG_TENSOR, x, AAMT_TAG_TENSOR, x}, status);
  CHECK(status < 0);
  CHECK(aamt_segment_begin() == 0 && aamt_segment_abort() == 0 && aamt_segment_abort() == 0 && aamt_grad_enabled() == 1);
  CHECK(aamt_segment_begin() == 0 && aamt_segment_end(&x, 1, nullptr) < 0 && aamt_segment_abort() == AAMT_ERR_ARGUMENT);
  CHECK(aamt_grad_enabled() == 1);
  double stale = 77;
  CHECK(aamt_segment_begin() == 0 && aamt_segment_end(&stale, 1, &out) == AAMT_ERR_HANDLE && aamt_segment_abort() == AAMT_ERR_ARGUMENT);

  // Random order of everything, with dropout, so that random states are restored too.
  Random random{4};
  double before = live();
  int32_t dropout = find("aten::dropout");
  int32_t multiply = find("aten::mul", "Tensor");
  for (int round = 0; round < 300 * effort; round++) {
    std::vector<double> made{x};
    int depth = 0;
    for (int i = 0; i < 12; i++) {
      double one = made[random.below(static_cast<int>(made.size()))];
      int kind = random.below(6);
      if (kind == 0) {
        CHECK(aamt_segment_begin() == 0);
        depth++;
      } else if (kind == 1 && depth > 0) {
        double result;
        if (aamt_segment_end(&one, 1, &result) == 1) made.push_back(result);
        depth--;
      } else if (kind == 2 && depth > 0) {
        CHECK(aamt_segment_abort() == 0);
        depth--;
      } else if (kind == 3) {
        made.push_back(tensor(dropout, {AAMT_TAG_TENSOR, one, AAMT_TAG_DOUBLE, 0.5, AAMT_TAG_BOOL, 1}));
      } else {
        made.push_back(tensor(multiply, {AAMT_TAG_TENSOR, one, AAMT_TAG_TENSOR, x}));
      }
    }
    while (depth-- > 0) CHECK(aamt_segment_abort() == 0);
    CHECK(aamt_grad_enabled() == 1);
    double total = tensor(find("aten::sum"), {AAMT_TAG_TENSOR, made.back()});
    aamt_backward(&total, &none, 1, 0, 0, nullptr, 0);  // nothing to go back through after an abort
    made.push_back(total);
    for (size_t i = 1; i < made.size(); i++) CHECK(aamt_free(made[i]) == 0);
    CHECK(live() == before);
  }
  CHECK(aamt_free(x) == 0);
}

}  // namespace driver
