"""Completion in shells: what is inserted is one argument, whatever a name contains.

Zsh and fish quote what they insert. Bash inserts it as it is, so it is quoted here, in the way that the user began:
with a quotation mark, or with backslashes.
"""

import os
import re
from dataclasses import dataclass

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

from crossfade.cli.terminal import printable
from crossfade.core.errors import CrossfadeError

VARIABLE = "_CROSSFADE_COMPLETE"
"""Set by the scripts to "<shell>_complete" when they ask what fits."""


def offered(name: str) -> bool:
    """Return whether ``name`` can be typed: it has no control or invisible characters and is no option."""
    return name == printable(name) and not name.startswith("-")


class Bash(BashComplete):
    """Completion that quotes for bash."""

    # COMP_WORDS would be cut at colons. $2 is what readline replaces; it lacks what stands before a quotation mark or,
    # unless it is quoted, before a colon.
    source_template = """\
%(complete_func)s() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            dir,*) compopt -o dirnames ;;
            file,*) compopt -o default ;;
            plain,*) COMPREPLY+=("${line#plain,}") ;;
        esac
    done < <(COMP_LINE=${COMP_LINE:0:COMP_POINT} COMP_WORD=$2 %(complete_var)s=bash_complete "$1")
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that is completed, and that one."""
        words = _words(os.environ["COMP_LINE"])
        return [word.value for word in words[1:-1]], words[-1].value

    def complete(self) -> str:
        """Return the items that fit, one a line, quoted as they replace the word that readline replaces."""
        whole, replaced = _words(os.environ["COMP_LINE"])[-1], os.environ["COMP_WORD"]
        if not whole.raw.endswith(replaced):
            return ""
        kept = _words(whole.raw.removesuffix(replaced))[-1]
        lines = []
        for item in self.get_completions(*self.get_completion_args()):
            if item.type == "plain" and item.value[: len(kept.value)].casefold() == kept.value.casefold():
                if (quoted := _quoted(item.value[len(kept.value) :], kept.mark)) is not None:
                    lines.append(f"plain,{quoted}")
            elif item.type != "plain":
                lines.append(f"{item.type},")
        return "\n".join(lines)


class Zsh(ZshComplete):
    """Completion in zsh, which quotes what `compadd` is given."""

    source_template = ZshComplete.source_template.replace("${words[*]}", "${words[1,CURRENT]}")


class Fish(FishComplete):
    """Completion in fish, which quotes what it is given."""

    source_template = FishComplete.source_template.replace("string split", "string split -m 1").replace(
        "echo $metadata[2]", "printf '%%s\\n' $metadata[2]"
    )

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """As for other shells, without names that fish would take for another user's directory."""
        return [item for item in super().get_completions(args, incomplete) if not item.value.startswith("~")]


SHELLS: dict[str, type[ShellComplete]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def answer(group: click.Group, request: str) -> None:
    """Print what the script of a shell asked for: "bash_complete"; nothing if it cannot be answered."""
    cls = SHELLS.get(request.partition("_")[0])
    try:
        if cls is not None:
            click.echo(cls(group, {}, "crossfade", VARIABLE).complete())
    except (CrossfadeError, OSError, click.ClickException):
        return  # a message would end up in the line that is being typed


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
def completion(shell: str) -> None:
    """Print the completion script for SHELL.

    For bash: crossfade completion bash > ~/.local/share/bash-completion/completions/crossfade
    """
    from crossfade.cli import crossfade

    click.echo(SHELLS[shell](crossfade, {}, "crossfade", VARIABLE).source())


@dataclass
class _Word:
    """A word of a command line: as it was typed, what the shell makes of it, and the quotation mark that is open."""

    raw: str = ""
    value: str = ""
    mark: str = ""


def _words(line: str) -> list[_Word]:
    """Return the words of ``line`` as a shell splits them; the last one, perhaps empty, is being typed."""
    words = [_Word()]
    characters = iter(line)
    for character in characters:
        word = words[-1]
        if character.isspace() and not word.mark:
            if word.raw:
                words.append(_Word())
            continue
        word.raw += character
        if character == "\\" and word.mark != "'":
            escaped = next(characters, "")
            word.raw += escaped
            word.value += escaped if not word.mark or escaped in '$`"\\' else f"\\{escaped}"
        elif character == word.mark:
            word.mark = ""
        elif character in "'\"" and not word.mark:
            word.mark = character
        else:
            word.value += character
    return words


def _quoted(text: str, mark: str) -> str | None:
    """Return ``text`` as bash reads it after ``mark``: a quotation mark, or none; None if that cannot be written."""
    if mark == "'":
        return text.replace("'", r"'\''")
    if mark == '"':
        # Nothing keeps the exclamation mark from the history there.
        return None if "!" in text else re.sub(r'([$`"\\])', r"\\\1", text)
    return re.sub(r"([^\w@%+=:,./-])", r"\\\1", text)
