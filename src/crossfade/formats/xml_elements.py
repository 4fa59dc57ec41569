"""XML too large for memory, one element after the other.

Files may come from strangers: no entity is expanded, no other file is read, and memory follows the largest element.
"""

from collections.abc import Iterator
from typing import IO, Generic, TypeVar
from xml.parsers import expat

from crossfade.core.errors import InputError
from crossfade.formats import streams

_DEEPEST = 64  # levels of nesting: more than any real file has, and few enough to remember
_LONGEST_TEXT = 1 << 20  # characters; more than any name has. The rest of a longer text is cut off
_LONGEST_TAG = 16 << 20  # bytes; the parser keeps a tag until it ends
# The parser puts it between a namespace and a name; no address contains it.
_BETWEEN = " "

Found = TypeVar("Found")


class Elements(Generic[Found]):
    """The parser of one file. A subclass says in `begin` which texts it wants, and appends to ``found`` in `end`.

    name           of the file, for messages
    namespaces     whose elements have a name; another element is called "". All, if empty
    document_type  whether ``<!DOCTYPE …>`` is allowed, as property lists have it. One with declarations of its own is
                   refused in any case: these can make a file expand or read other files

    path  the names of the elements around the current position, outermost first, including the element itself
    """

    def __init__(self, name: str, namespaces: tuple[str, ...] = (), *, document_type: bool = False) -> None:
        self.path: list[str] = []
        self.found: list[Found] = []
        self._name = name
        self._namespaces = namespaces
        self._document_type = document_type
        self._text: list[str] | None = None
        self._length = 0
        self._parser = expat.ParserCreate(namespace_separator=_BETWEEN)
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._check_document_type
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._read

    def begin(self, attributes: dict[str, str]) -> bool:
        """Return whether the text of the element that begins is wanted; called with ``path``."""
        raise NotImplementedError

    def end(self, text: str | None) -> None:
        """Take the element that ends, and its text if it was wanted and the element has no children."""
        raise NotImplementedError

    @property
    def line(self) -> int:
        """The line of the current position, from 1."""
        return self._parser.CurrentLineNumber

    def read(self, file: IO[bytes]) -> Iterator[Found]:
        """Yield what is found, as soon as its element ends; InputError where the file is damaged or no XML."""
        pieces = streams.pieces(file)
        piece, failure, size = b"-", None, 0
        while piece and failure is None:
            try:
                piece = next(pieces, b"")
                self._parser.Parse(piece, not piece)
                size += len(piece)
                if size - self._parser.CurrentByteIndex > _LONGEST_TAG:
                    raise InputError("a tag does not end", path=self._name, line=self.line)
            except InputError as error:
                failure = error
            except (expat.ExpatError, LookupError, ValueError) as error:
                # Besides its own errors, the parser raises those of an unknown encoding.
                line = error.lineno if isinstance(error, expat.ExpatError) else self.line
                failure = InputError(f"is not valid XML: {error}", path=self._name, line=line)
                failure.__cause__ = error
            found, self.found = self.found, []
            yield from found
        if failure is not None:
            raise failure

    def _check_document_type(self, _name: str, _system: str | None, _public: str | None, has_subset: int) -> None:
        if has_subset or not self._document_type:
            raise InputError(
                "has a document type (<!DOCTYPE …>), which no file of this format needs and which can make a file "
                "expand or read other files. Remove it by hand if you trust the file.",
                path=self._name,
                line=self.line,
            )

    def _begin(self, element: str, attributes: dict[str, str]) -> None:
        namespace, _, local = element.rpartition(_BETWEEN)
        if len(self.path) == _DEEPEST:
            raise InputError("its elements are nested too deeply", path=self._name, line=self.line)
        self.path.append(local if namespace in self._namespaces or not self._namespaces else "")
        self._text, self._length = ([] if self.begin(attributes) else None), 0

    def _end(self, _: str) -> None:
        text = None if self._text is None else "".join(self._text)
        self._text = None
        self.end(text)
        self.path.pop()

    def _read(self, characters: str) -> None:
        if self._text is not None and self._length < _LONGEST_TEXT:
            self._text.append(characters[: _LONGEST_TEXT - self._length])
            self._length += len(characters)
