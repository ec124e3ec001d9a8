// Calls of the most frequent signatures without boxing: for small tensors, building and reading a stack of
// boxed values costs as much as a tenth of the operator. Which signature an operator has is read from its
// schema when it is found.
#include <limits>
#include <tuple>
#include <utility>
#include "internal.h"

namespace aamt {
namespace {

// One letter per kind of argument: how a double becomes a value, and how the operator takes it.
struct T {
  using Type = const at::Tensor&;
  static at::Tensor read(double value) { return tensor_of(value); }
};
struct M {  // the tensor that an in-place operator changes
  using Type = at::Tensor&;
  static at::Tensor read(double value) { return tensor_of(value); }
};
struct O {
  using Type = const std::optional<at::Tensor>&;
  static std::optional<at::Tensor> read(double value) {
    return value == 0 ? std::nullopt : std::optional<at::Tensor>(tensor_of(value));
  }
};
struct S {
  using Type = const at::Scalar&;
  static at::Scalar read(double value) { return scalar(value); }
};
struct I {
  using Type = int64_t;
  static int64_t read(double value) { return integer(value); }
};
struct N {  // an integer that may be symbolic elsewhere
  using Type = c10::SymInt;
  static c10::SymInt read(double value) { return c10::SymInt(integer(value)); }
};
struct B {
  using Type = bool;
  static bool read(double value) { return value != 0; }
};
struct D {
  using Type = double;
  static double read(double value) { return value; }
};
struct K {  // a dtype, -1 for none
  using Type = std::optional<at::ScalarType>;
  static std::optional<at::ScalarType> read(double value) {
    return value < 0 ? std::nullopt : std::optional<at::ScalarType>(dtype_of(integer(value)));
  }
};

// Where nothing needs gradients, autograd's layer is left out: one dispatch less. The operator then sees what
// it sees below that layer.
class GradGuard {
 public:
  GradGuard(bool needed, c10::DispatchKeySet layers) {
    if (!needed) guard_.emplace(layers);
  }

 private:
  std::optional<c10::impl::ExcludeDispatchKeyGuard> guard_;
};
inline bool needs_grad(const at::Tensor& tensor) { return tensor.requires_grad(); }
inline bool needs_grad(const std::optional<at::Tensor>& tensor) { return tensor && tensor->requires_grad(); }
inline bool needs_grad(at::TensorList tensors) {
  for (const auto& tensor : tensors)
    if (tensor.requires_grad()) return true;
  return false;
}
template <class V>
inline bool needs_grad(const V&) {
  return false;
}

template <class... A>
using Values = std::tuple<decltype(A::read(0))...>;

// Calls with values that stay where they are: operators take tensors and numbers by reference.
template <class R, class Handle, class... Front, class... V>
double call_with(const Operator& op, std::tuple<V...>& values, Front&&... front) {
  const auto& handle = *static_cast<const Handle*>(op.typed);
  return std::apply(
      [&](auto&... value) -> double {
        GradGuard guard(((needs_grad(front) || ...) || (needs_grad(value) || ...)) && at::GradMode::is_enabled(), op.layers_of_autograd);
        if constexpr (std::is_reference_v<R>) {
          handle.call(front..., value...);
          return 0;
        } else {
          return keep(handle.call(front..., value...));
        }
      },
      values);
}

template <class R, class... A>
struct Signature {
  using Handle = c10::TypedOperatorHandle<R(typename A::Type...)>;
  template <size_t... Index>
  static Values<A...> read(const double* a, std::index_sequence<Index...>) {
    return Values<A...>{A::read(a[Index])...};
  }
  static double call(const Operator& op, const double* a) {
    auto values = read(a, std::index_sequence_for<A...>());
    return call_with<R, Handle>(op, values);
  }
  static void bind(Operator& op) {
    op.typed = new Handle(op.handle.typed<R(typename A::Type...)>());
    op.call = &call;
  }
};

// Signatures with a list of integers as the second argument.
template <class List, class R, class... A>
struct ListSignature {
  using Handle = c10::TypedOperatorHandle<R(const at::Tensor&, List, typename A::Type...)>;
  static double call(const Operator& op, const double* a, at::ArrayRef<int64_t> list) {
    at::Tensor self = tensor_of(a[0]);
    auto values = Signature<R, A...>::read(a + 1, std::index_sequence_for<A...>());
    return call_with<R, Handle>(op, values, self, list_of(list));
  }
  static List list_of(at::ArrayRef<int64_t> list) {
    if constexpr (std::is_same_v<List, c10::SymIntArrayRef>) return c10::fromIntArrayRefSlow(list);
    else return List(list);
  }
  static void bind(Operator& op) {
    op.typed = new Handle(op.handle.typed<R(const at::Tensor&, List, typename A::Type...)>());
    op.call_with_list = &call;
  }
};

// Signatures with a list of tensors as the first argument.
template <class List, class R, class... A>
struct TensorsSignature {
  using Handle = c10::TypedOperatorHandle<R(List, typename A::Type...)>;
  static double call(const Operator& op, at::TensorList tensors, const double* a) {
    auto values = Signature<R, A...>::read(a, std::index_sequence_for<A...>());
    return call_with<R, Handle>(op, values, tensors);
  }
  static void bind(Operator& op) {
    op.typed = new Handle(op.handle.typed<R(List, typename A::Type...)>());
    op.call_with_tensors = &call;
  }
};

using R = at::Tensor;
using C = at::Tensor&;
struct Known {
  const char* pattern;
  void (*bind)(Operator&);
};
// The letters of `pattern` are those above; L is int[], Y is SymInt[], Q is int[]?, X is Tensor[]. "=" at the
// end: changes its first argument. The same pattern may stand for several C++ signatures.
const Known known[] = {
    {"T", &Signature<R, T>::bind},
    {"TT", &Signature<R, T, T>::bind},
    {"TTT", &Signature<R, T, T, T>::bind},
    {"TTO", &Signature<R, T, T, O>::bind},
    {"TS", &Signature<R, T, S>::bind},
    {"ST", &Signature<R, S, T>::bind},
    {"TSS", &Signature<R, T, S, S>::bind},
    {"TTS", &Signature<R, T, T, S>::bind},
    {"TTTS", &Signature<R, T, T, T, S>::bind},
    {"TTTSS", &Signature<R, T, T, T, S, S>::bind},
    {"TTSS", &Signature<R, T, T, S, S>::bind},
    {"TI", &Signature<R, T, I>::bind},
    {"TN", &Signature<R, T, N>::bind},
    {"TII", &Signature<R, T, I, I>::bind},
    {"TIN", &Signature<R, T, I, N>::bind},
    {"TINN", &Signature<R, T, I, N, N>::bind},
    {"TIT", &Signature<R, T, I, T>::bind},
    {"TITT", &Signature<R, T, I, T, T>::bind},
    {"TITB", &Signature<R, T, I, T, B>::bind},
    {"TIK", &Signature<R, T, I, K>::bind},
    {"TIB", &Signature<R, T, I, B>::bind},
    {"TK", &Signature<R, T, K>::bind},
    {"TB", &Signature<R, T, B>::bind},
    {"TDB", &Signature<R, T, D, B>::bind},
    {"TTI", &Signature<R, T, T, I>::bind},
    {"TTB", &Signature<R, T, T, B>::bind},
    {"TTID", &Signature<R, T, T, I, D>::bind},
    {"TTNBB", &Signature<R, T, T, N, B, B>::bind},
    {"M=", &Signature<C, M>::bind},
    {"MT=", &Signature<C, M, T>::bind},
    {"MS=", &Signature<C, M, S>::bind},
    {"MSS=", &Signature<C, M, S, S>::bind},
    {"MTS=", &Signature<C, M, T, S>::bind},
    {"MTT=", &Signature<C, M, T, T>::bind},
    {"MTTS=", &Signature<C, M, T, T, S>::bind},
    {"MTB=", &Signature<C, M, T, B>::bind},
    {"TL", &ListSignature<at::IntArrayRef, R>::bind},
    {"TLB", &ListSignature<at::IntArrayRef, R, B>::bind},
    {"TY", &ListSignature<c10::SymIntArrayRef, R>::bind},
    {"TYB", &ListSignature<c10::SymIntArrayRef, R, B>::bind},
    {"TYOODB", &ListSignature<c10::SymIntArrayRef, R, O, O, D, B>::bind},
    {"X", &TensorsSignature<at::TensorList, R>::bind},
    {"XI", &TensorsSignature<at::TensorList, R, I>::bind},
    {"XI", &TensorsSignature<const at::ITensorListRef&, R, I>::bind},
    {"TQBK", &ListSignature<at::OptionalIntArrayRef, R, B, K>::bind},
};

// The letter of an argument, 0 if there is none.
char letter(const c10::Argument& argument, bool changes_first, size_t index) {
  const auto& type = argument.real_type();
  if (argument.N() && argument.kwarg_only()) return 0;
  switch (type->kind()) {
    case c10::TypeKind::TensorType:
      return changes_first && index == 0 ? 'M' : 'T';
    case c10::TypeKind::NumberType:
      return 'S';
    case c10::TypeKind::IntType:
      return 'I';
    case c10::TypeKind::SymIntType:
      return 'N';
    case c10::TypeKind::BoolType:
      return 'B';
    case c10::TypeKind::FloatType:
      return 'D';
    case c10::TypeKind::ListType: {
      auto element = type->castRaw<c10::ListType>()->getElementType()->kind();
      if (element == c10::TypeKind::TensorType) return index == 0 ? 'X' : 0;
      return element == c10::TypeKind::IntType ? 'L' : element == c10::TypeKind::SymIntType ? 'Y' : 0;
    }
    case c10::TypeKind::OptionalType: {
      auto inner = type->castRaw<c10::OptionalType>()->getElementType();
      if (inner->kind() == c10::TypeKind::TensorType) return 'O';
      if (inner->kind() == c10::TypeKind::ScalarTypeType) return 'K';
      if (inner->kind() == c10::TypeKind::ListType &&
          inner->castRaw<c10::ListType>()->getElementType()->kind() == c10::TypeKind::IntType)
        return 'Q';
      return 0;
    }
    default:
      return 0;
  }
}

// Composite operators whose result never shares memory with an argument: nobody else sees the views that they
// make on the way, and noting those takes up to a third of the time.
bool makes_anew(const std::string& name) {
  for (const char* known : {"aten::layer_norm", "aten::linear", "aten::matmul"})
    if (name == known) return true;
  return false;
}

double default_of(const c10::Argument& argument, char kind) {
  constexpr double missing = std::numeric_limits<double>::quiet_NaN();
  if (!argument.default_value()) return missing;
  const c10::IValue& value = *argument.default_value();
  if (value.isNone()) return kind == 'K' ? -1 : 0;
  if (value.isBool()) return value.toBool();
  if (value.isInt()) return static_cast<double>(value.toInt());
  if (!value.isDouble()) return missing;
  double number = value.toDouble();
  // A whole number would be taken for an integer.
  return kind == 'S' && number == static_cast<double>(static_cast<int64_t>(number)) ? missing : number;
}

}  // namespace

void find_typed_call(Operator& op) {
  const auto& schema = op.handle.schema();
  const auto& returns = schema.returns();
  if (returns.size() != 1 || returns[0].real_type()->kind() != c10::TypeKind::TensorType) return;
  const auto& arguments = schema.arguments();
  if (arguments.empty() || arguments.size() > 6) return;
  const auto* first = arguments[0].alias_info();
  bool changes_first = first != nullptr && first->isWrite();
  std::string pattern;
  for (size_t i = 0; i < arguments.size(); i++) {
    const auto* alias = arguments[i].alias_info();
    if (i > 0 && alias != nullptr && alias->isWrite()) return;  // an `out` argument
    char kind = letter(arguments[i], changes_first, i);
    if (kind == 0) return;
    pattern += kind;
  }
  if (changes_first) pattern += '=';
  // An operator with a gradient formula runs below autograd and the layer of views and versions, unless that
  // layer has to note what it does; a composite one finds its way through the layers by its parts.
  bool is_composite = op.handle.hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd);
  bool has_alias = first != nullptr || returns[0].alias_info() != nullptr;
  bool is_open = is_composite && !makes_anew(op.handle.operator_name().name);
  op.layers_of_autograd = is_open || has_alias ? c10::autograd_dispatch_keyset : c10::autograd_dispatch_keyset_with_ADInplaceOrView;
  for (const auto& entry : known) {
    if (pattern != entry.pattern) continue;
    try {
      entry.bind(op);
    } catch (const c10::Error&) {
      continue;  // another C++ signature than the schema suggests
    }
    op.pattern = pattern;
    for (size_t i = 0; i < arguments.size(); i++) op.defaults.push_back(default_of(arguments[i], pattern[i]));
    return;
  }
}

}  // namespace aamt
