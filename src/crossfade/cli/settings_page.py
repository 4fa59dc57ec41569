"""``docs/settings.md``, written from the settings classes: ``python -m crossfade.cli.settings_page``."""

import dataclasses
import inspect

from crossfade.core.settings import documented
from crossfade.pipeline.settings import sections, settings_class

_HEAD = """# Settings

All settings of a home stand in `HOME/crossfade.toml`. Every one has a default, so the file may be absent, and
holds only what you want otherwise:

```toml
[interactions]
half_life_days = 90.0

[models.als]
factors = 128
```

`crossfade config show` prints the values in force. A name that does not exist, or a value that cannot work, is
refused with a word on where it stands. After a change `crossfade run` makes again what depends on it, and nothing
else; `crossfade run --dry-run` shows what that is.

This page is written from the code by `make docs`.
"""


def page() -> str:
    """The page: a table for each section."""
    parts = [_HEAD]
    for section in sections():
        cls = settings_class(section)
        parts.append(f"\n## [{section}]\n\n{inspect.cleandoc(cls.__doc__ or '').splitlines()[0]}\n")
        parts.append("\n| setting | type | default | meaning |\n| --- | --- | --- | --- |\n")
        parts += [
            f"| `{name}` | {kind.replace('|', 'or')} | {_shown(default)} | {doc} |\n"
            for name, kind, default, doc in documented(cls)
        ]
    return "".join(parts)


def _shown(default: object) -> str:
    if default is None or default is dataclasses.MISSING:
        return ""
    if isinstance(default, tuple):
        return f"`[{', '.join(repr(part) for part in default)}]`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


if __name__ == "__main__":
    print(page(), end="")
