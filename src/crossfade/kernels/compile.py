"""One place for how kernels are compiled."""

import contextlib
import fcntl
import functools
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, overload

import numba
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_ROOMS = Path(__file__).parents[1]


@overload
def jit(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]: ...
@overload
def jit(
    *, inline: bool = False, fastmath: bool = False
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]: ...
def jit(function: Any = None, *, inline: bool = False, fastmath: bool = False) -> Any:
    """Compile a function of arrays and numbers with Numba when it is first called.

    The machine code releases the GIL, divides by zero as NumPy does, and is kept on disk for the next process:
    beside the source, else in the user's cache directory, else (both read-only) not at all.

    inline    put the code into every kernel that calls it, for short functions inside inner loops
    fastmath  let the compiler reorder sums; never where NaN or infinity may come in
    """
    if function is None:
        return functools.partial(jit, inline=inline, fastmath=fastmath)
    # What is only put into others needs no code by which Python or C would call it.
    wrappers = {"no_cpython_wrapper": inline, "no_cfunc_wrapper": True}
    options = {"nogil": True, "error_model": "numpy", "forceinline": inline, "fastmath": fastmath, **wrappers}
    try:
        compiled = numba.njit(cache=True, **options)(function)
        _stamp(compiled)
    except RuntimeError:
        # Numba raises at decoration if it finds no directory to write to: nothing but the next start is slower.
        compiled = numba.njit(**options)(function)
    compiled.__class__ = _Inlined if inline else _Kernel
    compiled.get_call_template = functools.partial(_plain_template, compiled.get_call_template)
    return compiled


class _Kernel(CPUDispatcher):  # type: ignore[misc]
    """A kernel that one process at a time compiles; others wait, and take the code that it kept."""

    def compile(self, sig: Any) -> Any:
        """Compile for one signature, or take its code from disk."""
        # Numba's lock comes first: whoever has it may wait for a kernel, and nobody waits for it with a kernel's. No
        # two processes wait for each other, since no kernel calls one by which it is called.
        with global_compiler_lock, _locked(self):
            return super().compile(sig)


@contextlib.contextmanager
def _locked(compiled: Any) -> Iterator[None]:
    """Keep other processes from compiling this kernel, if its code is kept."""
    with contextlib.ExitStack() as stack:
        if (cached := getattr(compiled._cache, "_cache_file", None)) is not None:
            # Where no file can be made, no code can be kept either.
            with contextlib.suppress(OSError):
                Path(cached._cache_path).mkdir(parents=True, exist_ok=True)
                place = Path(cached._cache_path, f"{cached._index_name}.lock")
                fcntl.flock(stack.enter_context(place.open("ab")), fcntl.LOCK_EX)
        yield


class _Inlined(_Kernel):
    """A kernel that exists inside others only; Python that calls it runs its source."""

    def __call__(self, *args: Any, **kws: Any) -> Any:
        return self.py_func(*args, **kws)


def _plain_template(template: Callable[..., Any], args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
    """Numba's template of a kernel that another calls, which is compiled once instead of for each kind of number."""
    return template(tuple(map(_plain, args)), {name: _plain(kind) for name, kind in kws.items()})


def _plain(kind: Any) -> Any:
    """The type of an argument without its literal value; whole numbers with a sign are all int64."""
    kind = numba.types.unliteral(kind)
    return numba.types.int64 if isinstance(kind, numba.types.Integer) and kind.signed else kind


def _stamp(compiled: Any) -> None:
    """Have the cached machine code of a kernel expire when the source of any kernel that it may call changes.

    Numba looks only at the file of the function itself, but a function holds the code of all those it calls. The
    digest is part of the version, since Numba compares that before it reads types which may be gone by now.
    """
    cached = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if cached is not None:
        cached._version = (cached._version, _digest(Path(compiled.py_func.__code__.co_filename)))


def cache_directory() -> Path | None:
    """Return where the machine code of this room's kernels is kept; None if it is not."""
    try:
        return Path(numba.njit(cache=True)(_plain)._cache.cache_path)
    except RuntimeError:
        return None


@functools.cache
def _digest(source: Path) -> str:
    """Of ``source``, the modules of kernels that it imports, those that they import, and so on."""
    found, waiting = {Path(__file__)}, [source]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            named = re.findall(
                r"^\s*from crossfade\.(kernels[.\w]*|core\.csr) import", module.read_text("utf-8"), re.MULTILINE
            )
            waiting.extend(_ROOMS / f"{name.replace('.', '/')}.py" for name in named)
    digest = hashlib.sha256()
    for module in sorted(found):
        digest.update(module.read_bytes())
    return digest.hexdigest()
