"""``docs/settings.md``, written from the settings classes: ``python -m crossfade.cli.settings_page``."""

import inspect

from crossfade.core.settings import documented
from crossfade.pipeline.settings import sections, settings_class

_HEAD = """# Settings

The settings of a library are in `HOME/crossfade.toml`. Every setting has a default, so the file may be missing, and
needs only what you want to change:

```toml
[interactions]
half_life_days = 90.0

[models.als]
factors = 128
```

`crossfade config show` prints the values in force. An unknown name or a value that is not accepted is an error that
says where it is. After a change, `crossfade run` rebuilds what depends on it and nothing else. To see what that is, use
`crossfade run --dry-run`.

This page is written from the code by `make docs`.
"""


def page() -> str:
    """Return the page: a table for each section."""
    parts = [_HEAD]
    for section in sections():
        cls = settings_class(section)
        parts.append(f"\n## [{section}]\n\n{inspect.cleandoc(cls.__doc__ or '').splitlines()[0]}\n")
        parts.append("\n| setting | type | default | accepts | meaning |\n| --- | --- | --- | --- | --- |\n")
        for one in documented(cls):
            cells = (f"`{one.name}`", one.type.replace(" | ", " or "), _shown(one.default), one.accepts, one.meaning)
            parts.append(f"| {' | '.join(cells)} |\n")
    return "".join(parts)


def _shown(default: object) -> str:
    if isinstance(default, tuple):
        return f"`{list(default)}`"
    return "" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"


if __name__ == "__main__":
    print(page(), end="")
