"""The layers under torch.compile, torch.export, torch.func, torch.fx, ONNX and copies of them.

They run last: a compiler starts threads of autograd, after which a process can no longer fork
workers that train, as tests of the pipeline do.
"""

import copy
import pickle
import shutil
import warnings
from functools import partial
from typing import ClassVar

import pytest
import torch
import torchvision
from torch import Tensor, fx, nn
from torch.autograd import forward_ad
from torch.func import functional_call, grad, jacfwd, jacrev, jvp, vmap
from torchvision.models.feature_extraction import create_feature_extractor

from dgmp import DGMP, POOLINGS, build_pooling, functional
from dgmp.pooling.cholesky import NumericalWarning
from dgmp.pooling.functional import generalized_max_pool

pytestmark = pytest.mark.compiler

X = torch.rand(2, 6, 3, 3, generator=torch.Generator().manual_seed(0))
MASK = torch.ones(2, 3, 3, dtype=torch.bool)
MASK[0, 2] = MASK[1, 0, 1] = False

LAYERS = {name: partial(build_pooling, name) for name in POOLINGS}
LAYERS["relative dgmp"] = partial(DGMP, relative=True)


def gradients(pool, x: Tensor, **arguments: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    learned = [p for p in pool.parameters() if p.requires_grad]
    return list(torch.autograd.grad(pool(x, **arguments)[:, ::2].sum(), [x, *learned]))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("arguments", [{}, {"mask": MASK}], ids=["all", "masked"])
def test_compile(name: str, arguments: dict[str, Tensor]) -> None:
    torch.compiler.reset()
    pool = LAYERS[name]()
    compiled = torch.compile(pool, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(X, **arguments), pool(X, **arguments))
    found, wanted = gradients(compiled, X, **arguments), gradients(pool, X, **arguments)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-12)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="the compiler needs a C++ compiler")
@pytest.mark.parametrize("shape", [(2, 9, 3, 2), (2, 3, 5, 4)])
def test_compile_to_machine_code(shape: tuple[int, ...]) -> None:
    torch.compiler.reset()
    torch.manual_seed(1)
    x, pool = torch.rand(shape), DGMP(2.0)
    compiled = torch.compile(pool, fullgraph=True)
    torch.testing.assert_close(compiled(x, return_weights=True), pool(x, return_weights=True))
    found, wanted = gradients(compiled, x), gradients(pool, x)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(2, 512, 3, 3), (2, 8, 5, 4)])
def test_compiled_autocast_changes_nothing(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    torch.compiler.reset()
    torch.manual_seed(1)
    x, pool = 300 * torch.rand(shape), DGMP(10.0)
    compiled = torch.compile(pool, fullgraph=True, backend="aot_eager")
    with torch.autocast("cpu", dtype=dtype):
        found = gradients(compiled, x)
    assert all(torch.equal(*pair) for pair in zip(found, gradients(pool, x), strict=True))


def test_compile_of_any_size() -> None:
    torch.compiler.reset()
    compiled = torch.compile(DGMP(), fullgraph=True, backend="aot_eager", dynamic=True)
    for shape in [(2, 20, 3, 3), (3, 20, 4, 4), (2, 20, 7, 7)]:
        x = torch.rand(shape)
        torch.testing.assert_close(compiled(x), DGMP()(x))


def test_compiled_masks_are_checked_as_well() -> None:
    torch.compiler.reset()
    compiled = torch.compile(DGMP(), fullgraph=True, backend="aot_eager")
    with pytest.raises(RuntimeError, match="leaves a sample without location"):
        compiled(X, mask=torch.zeros_like(MASK))


def test_a_compiled_factorization_retries_too() -> None:
    torch.compiler.reset()
    compiled = torch.compile(generalized_max_pool, fullgraph=True, backend="aot_eager")
    torch.manual_seed(0)
    x = torch.rand(3, 4, 3)
    x[1] = 1e6 * x[1, :, :1]  # rank one, and lambda below the precision of its diagonal
    with pytest.warns(NumericalWarning, match="1 of 3"):
        pooled = compiled(x, 1e-3)
    assert pooled.isfinite().all()


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("strict", [False, True])
def test_export(name: str, strict: bool) -> None:
    pool = LAYERS[name]()
    for arguments in ({}, {"mask": MASK}):
        program = torch.export.export(pool, (X,), arguments, strict=strict)
        torch.testing.assert_close(program.module()(X, **arguments), pool(X, **arguments))
        # Whoever loads it need not have this package.
        assert not any("dgmp" in str(node.target) for node in program.graph.nodes)


@pytest.mark.parametrize("relative", [False, True])
def test_export_of_any_size(relative: bool) -> None:
    pool = DGMP(relative=relative)
    names = {0: "batch", 2: "height", 3: "width"}
    shapes = ({axis: torch.export.Dim(name, min=1, max=64) for axis, name in names.items()},)
    program = torch.export.export(pool, (torch.rand(2, 20, 3, 3),), dynamic_shapes=shapes)
    for shape in [(3, 20, 2, 3), (1, 20, 5, 3), (2, 20, 30, 40)]:  # either side of N = D
        x = torch.rand(shape)
        torch.testing.assert_close(program.module()(x), pool(x))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="the compiler needs a C++ compiler")
def test_a_program_compiled_ahead_of_time(tmp_path) -> None:
    pool, batch = DGMP(2.0), torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(pool, (X,), dynamic_shapes=({0: batch},))
    file = torch._inductor.aoti_compile_and_package(
        program, package_path=str(tmp_path / "pool.pt2")
    )
    loaded = torch._inductor.aoti_load_package(file)
    for size in (1, 5):
        x = torch.rand(size, *X.shape[1:])
        torch.testing.assert_close(loaded(x), pool(x))


def test_a_trunk_in_8_bits() -> None:
    from torch.ao import quantization

    torch.manual_seed(4)
    layers = nn.Conv2d(6, 9, 2), nn.ReLU()
    stubs = quantization.QuantStub(), quantization.DeQuantStub()
    model = nn.Sequential(stubs[0], *layers, stubs[1], DGMP(2.0)).eval()
    wanted = model(X)
    model.qconfig = quantization.get_default_qconfig()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch moves its quantization into another package
        prepared = quantization.prepare(model)
        prepared(X)
        found = quantization.convert(prepared)
    assert isinstance(found[4], DGMP)
    assert torch.equal(found[4].lambda_, model[4].lambda_)
    volume = found[:4](X)
    assert not torch.equal(volume, model[:4](X))
    assert torch.equal(found(X), model[4](volume))
    torch.testing.assert_close(found(X), wanted, rtol=0.1, atol=0.02)


def test_inference_mode() -> None:
    for name, build in LAYERS.items():
        with torch.inference_mode():
            found = build()(X)
        assert torch.equal(found, build()(X)), name


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 3, 5)])
@pytest.mark.parametrize("relative", [False, True])
def test_functional_transforms(shape: tuple[int, int, int], relative: bool) -> None:
    torch.manual_seed(2)
    phis = torch.rand(4, *shape, dtype=torch.float64)
    lambdas = torch.rand(4, dtype=torch.float64) + 0.1

    pool = partial(generalized_max_pool, relative=relative)

    def loss(phi: Tensor, lambda_: Tensor) -> Tensor:
        return pool(phi, lambda_).square().sum()

    def by_lu(phi: Tensor, lambda_: Tensor) -> Tensor:
        if relative:
            lambda_ = lambda_ * phi.square().sum(dim=(1, 2))[:, None, None] / shape[2]
        gram = phi @ phi.mT + lambda_ * torch.eye(shape[1], dtype=phi.dtype)
        return torch.linalg.solve(gram, phi.sum(dim=2, keepdim=True)).square().sum()

    one_by_one = [pool(p, r) for p, r in zip(phis, lambdas, strict=True)]
    mapped = vmap(pool)(phis, lambdas)
    torch.testing.assert_close(mapped, torch.stack(one_by_one))
    masks = torch.rand(4, shape[0], shape[2]) > 0.3
    masks[..., 0] = True
    masked = vmap(lambda phi, mask: pool(phi, 0.5, mask=mask))(phis, masks)
    torch.testing.assert_close(masked[3], pool(phis[3], 0.5, mask=masks[3]))
    over_lambda = vmap(pool, (None, 0))(phis[0], lambdas)
    torch.testing.assert_close(over_lambda[1], pool(phis[0], lambdas[1]))

    found = vmap(grad(loss, argnums=(0, 1)))(phis, lambdas)
    for i in range(4):
        inputs = (phis[i].clone().requires_grad_(), lambdas[i].clone().requires_grad_())
        wanted = torch.autograd.grad(loss(*inputs), inputs)
        torch.testing.assert_close((found[0][i], found[1][i]), wanted)

    wanted = jacrev(jacrev(by_lu))(phis[0], lambdas[0])
    for outer, inner in ((jacrev, jacrev), (jacfwd, jacrev), (jacrev, jacfwd)):
        torch.testing.assert_close(outer(inner(loss))(phis[0], lambdas[0]), wanted)


def test_a_gradient_without_graph_has_a_tangent_too() -> None:
    # There the backward pass runs without grad mode, and the factor depends on phi all the same.
    torch.manual_seed(3)
    for shape in ((2, 5, 3), (2, 3, 5)):
        phi, tangent = torch.rand(2, *shape, dtype=torch.float64)

        def loss(phi: Tensor) -> Tensor:
            return generalized_max_pool(phi, 0.3).square().sum()

        with forward_ad.dual_level():
            dual = forward_ad.make_dual(phi.clone().requires_grad_(), tangent)
            (slope,) = torch.autograd.grad(loss(dual), dual)
            found = forward_ad.unpack_dual(slope).tangent
        assert found is not None
        torch.testing.assert_close(found, jvp(grad(loss), (phi,), (tangent,))[1])


@pytest.mark.parametrize("name", LAYERS)
def test_layers_in_forward_mode(name: str) -> None:
    pool = LAYERS[name]().double()
    x, tangent = torch.rand(2, *X.shape, dtype=torch.float64)
    parameters = dict(pool.named_parameters())
    ones = {key: torch.ones_like(value) for key, value in parameters.items()}

    def pooled(x: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        output: Tensor = functional_call(pool, parameters, (x,))
        return output

    _, found = jvp(pooled, (x, parameters), (tangent, ones))
    step = 1e-6
    ahead, behind = (
        pooled(x + s * tangent, {key: value + s * ones[key] for key, value in parameters.items()})
        for s in (step, -step)
    )
    torch.testing.assert_close(found, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["dgmp", "relative dgmp"])
def test_errors_forward_mode_in_forward_mode(name: str) -> None:
    pool = LAYERS[name]()
    with pytest.raises(NotImplementedError, match=r"take jacfwd\(jacrev"):
        jacfwd(jacfwd(lambda x: pool(x).sum()))(X)


@pytest.mark.parametrize("name", LAYERS)
def test_copies_and_stand_ins(name: str) -> None:
    pool = LAYERS[name]()
    for other in (copy.deepcopy(pool), pickle.loads(pickle.dumps(pool))):
        assert torch.equal(other(X), pool(X))
        assert repr(other) == repr(pool)
    parameters = {key: value + 1 for key, value in pool.state_dict().items()}
    moved = LAYERS[name]()
    moved.load_state_dict(parameters)
    torch.testing.assert_close(functional_call(pool, parameters, (X,)), moved(X))
    with torch.device("meta"):
        meta = LAYERS[name]()
    assert meta(X.to("meta")).shape == (2, 6)
    assert "meta" in repr(meta) or not parameters


def to_onnx(pool: torch.nn.Module, file, x: Tensor, **settings) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(pool, (x,), file, dynamo=True, verbose=False, **settings)


def run_onnx(file, x: Tensor) -> Tensor:
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (name,) = [node.name for node in session.get_inputs()]
    return torch.from_numpy(session.run(None, {name: x.numpy()})[0])


@pytest.mark.parametrize("name", [name for name in POOLINGS if name != "dgmp"])
def test_onnx(name: str, tmp_path) -> None:
    to_onnx(build_pooling(name), tmp_path / "pool.onnx", X)
    torch.testing.assert_close(run_onnx(tmp_path / "pool.onnx", X), build_pooling(name)(X))


def test_onnx_of_relative_lambda(tmp_path) -> None:
    to_onnx(DGMP(relative=True, cg_iterations=8), tmp_path / "pool.onnx", X)
    for x in (X, 1e3 * X):
        found = run_onnx(tmp_path / "pool.onnx", x)
        torch.testing.assert_close(found, DGMP(relative=True)(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "iterations"),
    [pytest.param((2, 2048, 13, 13), None, marks=pytest.mark.slow), ((2, 64, 24, 24), 32)],
)
def test_onnx_agrees_with_the_exact_solution(shape, iterations, tmp_path) -> None:
    # Activations as after a ReLU, at the paper's lambda, in another batch than at the export.
    torch.manual_seed(3)
    batch = torch.export.Dim("batch")
    to_onnx(
        DGMP(cg_iterations=iterations),
        tmp_path / "pool.onnx",
        torch.rand(shape),
        dynamic_shapes=({0: batch},),
    )
    _, depth, height, width = shape
    mixture = torch.randn(3, depth, 32) / torch.arange(1, 33) @ torch.randn(32, height * width)
    correlated = 3 * mixture.relu().view(3, *shape[1:])
    for x in (3 * torch.randn(3, *shape[1:]).relu(), correlated):
        exact = DGMP()(x.double())
        found = run_onnx(tmp_path / "pool.onnx", x).double()
        assert ((found - exact).norm(dim=1) / exact.norm(dim=1)).max() < 1e-4


class CallsTheFunctions(nn.Module):
    """Imported in either style, of an input, of a buffer alone, and of an input that is a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.lambda_ = nn.Parameter(torch.tensor(3.0))
        self.register_buffer("phi", X.flatten(2))

    def forward(self, phi: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        xi, alpha = generalized_max_pool(phi, self.lambda_, return_weights=True)
        return (
            xi,
            alpha,
            generalized_max_pool(self.phi, self.lambda_),
            functional.generalized_max_pool(self.phi, 2.0, mask=mask),
            functional.generalized_max_pool(self.phi, self.lambda_, mask=mask, relative=True),
            functional.average_pool(phi, mask=mask),
            functional.sum_pool(phi, mask=mask),
            functional.max_pool(phi, mask=mask),
            functional.mixed_pool(phi, self.lambda_, mask=mask),
            functional.log_sum_exp_pool(phi, self.lambda_, mask=mask),
            functional.generalized_mean_pool(phi, self.lambda_, mask=mask),
        )


def assert_equal(found: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> None:
    assert all(torch.equal(*pair) for pair in zip(found, wanted, strict=True))


def test_fx_traces_the_functions() -> None:
    torch.compiler.reset()
    module, arguments = CallsTheFunctions(), (1 + X.flatten(2), MASK.flatten(1))
    traced = fx.symbolic_trace(module)
    called = [node.target for node in traced.graph.nodes if node.op == "call_function"]
    assert called.count(generalized_max_pool) == 4
    again = fx.symbolic_trace(pickle.loads(pickle.dumps(traced)))
    for graph in (traced, again):
        assert_equal(graph(*arguments), module(*arguments))
    with pytest.raises(ValueError, match=r"phi must be \(B, D, N\)"):
        traced(X, arguments[1])
    compiled = torch.compile(traced, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*arguments), module(*arguments))
    found = torch.autograd.grad(sum(x.sum() for x in traced(*arguments)), traced.lambda_)
    wanted = torch.autograd.grad(sum(x.sum() for x in module(*arguments)), module.lambda_)
    assert torch.equal(found[0], wanted[0])


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("channels_last", [False, True])
def test_fx_traces_a_layer(name: str, channels_last: bool) -> None:
    pool = LAYERS[name](channels_last=channels_last)
    traced = fx.symbolic_trace(fx.symbolic_trace(pool))
    x = X.movedim(1, -1) if channels_last else X
    for arguments in ({}, {"mask": MASK}):
        assert torch.equal(traced(x, **arguments), pool(x, **arguments))
    if "dgmp" in name:
        arguments = {"mask": MASK, "lambda_": 5.0, "return_weights": True}
        assert_equal(traced(x, **arguments), pool(x, **arguments))
    torch.compiler.reset()
    compiled = torch.compile(traced, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), pool(x))
    exported = torch.export.export(traced, (x,)).module()
    torch.testing.assert_close(exported(x), pool(x))


@pytest.mark.parametrize("name", POOLINGS)
def test_features_of_a_network(name: str) -> None:
    torch.manual_seed(4)
    network = torchvision.models.resnet18()
    network.avgpool = pool = build_pooling(name)
    extractor = create_feature_extractor(network, {"layer4": "volume", "avgpool": "pooled"})
    features = extractor(torch.rand(2, 3, 64, 96))
    assert torch.equal(features["pooled"], pool(features["volume"]))
    learned = list(pool.named_parameters(prefix="avgpool"))
    traced = [extractor.get_parameter(key) for key, _ in learned]
    loss = features["pooled"][:, ::2].sum()
    wanted = gradients(pool, features["volume"].detach())[1:]
    assert_equal(torch.autograd.grad(loss, traced) if learned else (), wanted)

    moved = {key: value.detach() + 1 for key, value in learned}
    extractor.load_state_dict({**extractor.state_dict(), **moved})
    assert all(torch.equal(extractor.state_dict()[key], value) for key, value in moved.items())


def test_a_subclass_of_tensors_sees_what_it_saw() -> None:
    class Noting(Tensor):
        seen: ClassVar[list[str]] = []

        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            cls.seen.append(function.__name__)
            return super().__torch_function__(function, types, args, kwargs or {})

    pooled = functional.sum_pool(X.flatten(2).as_subclass(Noting))
    assert isinstance(pooled, Noting)
    assert torch.equal(pooled.as_subclass(Tensor), X.sum(dim=(2, 3)))
    assert "sum" in Noting.seen
    assert "sum_pool" not in Noting.seen
