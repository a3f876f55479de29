"""What forward mode, as of torch.func.jvp and jacfwd, cannot do with an autograd function."""

from __future__ import annotations

from torch._C import _functorch


def refuse_nested_forward_mode() -> None:
    """Raise where one forward mode is inside another.

    There PyTorch (2.14) takes what an autograd function has saved for a constant, and the second
    derivative would be wrong without a message.

    Raises:
        NotImplementedError: at least two transforms in forward mode are active.
    """
    stack = _functorch.get_interpreter_stack() or []
    if sum(one.key() == _functorch.TransformType.Jvp for one in stack) > 1:
        raise NotImplementedError(
            "second derivatives by forward mode inside forward mode are not supported: take "
            "jacfwd(jacrev(f)), torch.func.hessian, or jacrev(jacfwd(f))"
        )
