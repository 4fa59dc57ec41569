"""Feedback, blocks and exclusions in Cassandra."""

from collections.abc import Sequence

from crossfade.stores.live import Block, Exclusion, Feedback, ItemRef, Opinion, require_timezone
from crossfade.stores.live_cassandra_database import Change, Header, LiveDatabase, Row, Statement
from crossfade.stores.live_rows import read, written
from crossfade.stores.live_rules import require_few_blocks, require_few_exclusions

FEEDBACK, BLOCK, EXCLUSION = "feedback", "block", "exclusion"


class OpinionTables:
    """Implements `crossfade.stores.live_contract.Opinions`."""

    _database: LiveDatabase

    def give(self, feedback: Sequence[Feedback]) -> None:
        of_user: dict[str, dict[str, Feedback]] = {}
        for one in feedback:
            of_user.setdefault(one.user, {})[feedback_row(one).key] = one
        if len(of_user) > 1:
            for user in of_user:
                self._database.header(user)
        for user, given in of_user.items():
            statements = [_given(key, one) for key, one in given.items()]

            def keep(header: Header, user: str = user, statements: Sequence[Statement] = statements) -> Change[None]:
                return Change(None) if header.session(user) else Change(None, statements, taste=True)

            self._database.change(user, keep)

    def feedback(self, user: str, sort: Opinion | None = None) -> list[Feedback]:
        found = [read(Feedback, body) for (body,) in self._database.of(user, FEEDBACK)]
        listed = [one for one in found if sort in (None, one.sort)]
        return sorted(listed, key=lambda one: (-one.given_at, one.sort, one.track.key))

    def block(self, block: Block) -> None:
        def put(header: Header) -> Change[None]:
            rows = {_key(one.item): one for one in self._blocks(block.user)}
            ended = [key for key, one in rows.items() if one.until is not None and one.until <= block.created_at]
            require_few_blocks(block.user, len(rows.keys() - {*ended} | {_key(block.item)}))
            statements = [Row.remove(block.user, BLOCK, key) for key in ended if key != _key(block.item)]
            return Change(None, [*statements, block_row(block).put(block.user)], taste=True)

        self._database.change(block.user, put)

    def unblock(self, user: str, item: ItemRef) -> bool:
        return self._undo(user, BLOCK, _key(item))

    def blocks(self, user: str, *, at: int) -> list[Block]:
        found = [one for one in self._blocks(user) if one.until is None or one.until > at]
        return sorted(found, key=lambda one: (-one.created_at, *one.item))

    def exclude(self, exclusion: Exclusion) -> None:
        def put(header: Header) -> Change[None]:
            row = exclusion_row(exclusion)
            keys = {key for (key,) in self._database.within(exclusion.user, EXCLUSION, "key")}
            require_few_exclusions(exclusion.user, len(keys | {row.key}))
            return Change(None, [row.put(exclusion.user)], taste=True)

        require_timezone(exclusion.timezone)
        self._database.change(exclusion.user, put)

    def include(self, exclusion: Exclusion) -> bool:
        return self._undo(exclusion.user, EXCLUSION, exclusion_row(exclusion).key)

    def exclusions(self, user: str) -> list[Exclusion]:
        return [read(Exclusion, key.encode()) for (key,) in self._database.of(user, EXCLUSION, "key")]

    def _blocks(self, user: str) -> list[Block]:
        return [read(Block, body) for (body,) in self._database.of(user, BLOCK)]

    def _undo(self, user: str, sort: str, key: str) -> bool:
        """Return whether a row of ``user`` was there to delete."""

        def delete(header: Header) -> Change[bool]:
            asked = "SELECT key FROM live WHERE user = ? AND sort = ? AND at = 0 AND key = ?"
            if not self._database.rows(asked, user, sort, key):
                return Change(False)
            return Change(True, [Row.remove(user, sort, key)], taste=True)

        return self._database.change(user, delete)


def feedback_row(feedback: Feedback) -> Row:
    """Return the row of feedback, by its sort and its track."""
    return Row(FEEDBACK, 0, f"{feedback.sort}\x1e{feedback.track.key}", written(feedback))


def block_row(block: Block) -> Row:
    """Return the row of a block."""
    return Row(BLOCK, 0, _key(block.item), written(block))


def exclusion_row(exclusion: Exclusion) -> Row:
    """Return the row of an exclusion, all of which is the key."""
    return Row(EXCLUSION, 0, written(exclusion).decode())


def _given(key: str, feedback: Feedback) -> Statement:
    user = feedback.user
    return feedback_row(feedback).put(user) if feedback.value else Row.remove(user, FEEDBACK, key)


def _key(item: ItemRef) -> str:
    return f"{item.kind}\x1f{item.id}"
