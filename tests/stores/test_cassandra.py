"""Cassandra, on a real server: what the contract of a store does not say."""

import time

import numpy as np
import pytest
from tests.servers.cassandra import free_ports

from crossfade.core.errors import BusyError, SettingsError, UnavailableError
from crossfade.core.home import Home
from crossfade.core.spaces import VectorSpace
from crossfade.stores import cassandra_claim
from crossfade.stores.cassandra_session import CassandraSession, session_of
from crossfade.stores.cassandra_settings import CassandraSettings
from crossfade.stores.contract import Version
from crossfade.stores.registry import open_releases, open_store


@pytest.fixture
def session(cassandra):
    return session_of(cassandra)


class TestSession:
    """Connecting, asking and defining."""

    def test_what_is_written_is_read(self, session):
        session.define("CREATE TABLE numbers (one int PRIMARY KEY, other int)")
        assert session.tables() == {"numbers"}
        insert, select = "INSERT INTO numbers (one, other) VALUES (?, ?)", "SELECT other FROM numbers WHERE one = ?"
        assert list(session.every((insert, (one, one**2)) for one in range(3000))) == [[]] * 3000
        assert list(session.every((select, (one,)) for one in range(3000))) == [[(one**2,)] for one in range(3000)]
        assert session.rows(select, (12,)) == session.rows(select, (12,), serial=True) == [(144,)]
        assert session.rows(select, (-1,)) == []

    def test_a_condition_is_met_once(self, session):
        session.define("CREATE TABLE owners (thing text PRIMARY KEY, owner text)")
        claim = "INSERT INTO owners (thing, owner) VALUES (?, ?) IF NOT EXISTS"
        assert session.applied(claim, ("a", "ann"))
        assert not session.applied(claim, ("a", "bob"))
        assert session.rows("SELECT owner FROM owners WHERE thing = ?", ("a",), serial=True) == [("ann",)]

    def test_a_session_is_shared_and_connects_again_after_it_was_closed(self, session, cassandra):
        assert session_of(cassandra) is session
        session.define("CREATE TABLE t (k int PRIMARY KEY)")
        session.close()
        assert session.tables() == {"t"}

    def test_nobody_listens_at_the_contact_point(self):
        nobody, _ = free_ports(["127.0.0.1"])
        session = CassandraSession(CassandraSettings(port=nobody, connect_seconds=2.0))
        for _ in range(2):
            with pytest.raises(UnavailableError, match=rf"cannot be reached at 127.0.0.1:{nobody}.*contact_points"):
                session.connect()

    def test_a_contact_point_whose_name_is_not_known(self):
        session = CassandraSession(CassandraSettings(contact_points=("nowhere.invalid",)))
        with pytest.raises(UnavailableError, match=r"nowhere\.invalid:9042: their names are not known"):
            session.connect()

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"keyspace": "nothing_there", "replication": 0}, "no keyspace 'nothing_there'.*replication"),
            ({"replication": 3}, "wants 3 copies .* has 1 nodes"),
            ({"local_datacenter": "mars"}, "no data centre 'mars'; it has datacenter1"),
            ({"username": "nobody"}, "refuses the user 'nobody'"),
            ({"username": ""}, "refuses anybody without a login"),
        ],
    )
    def test_wrong_settings_are_named(self, make_cassandra, wrong, message):
        with pytest.raises(SettingsError, match=message):
            CassandraSession(make_cassandra(**wrong)).connect()

    @pytest.mark.parametrize("check_names", [True, False])
    def test_connections_are_encrypted(self, make_cassandra, cassandra_node, check_names):
        session = CassandraSession(
            make_cassandra(tls=True, ca_file=str(cassandra_node.authority), check_names=check_names)
        )
        asked = "SELECT ssl_enabled FROM system_views.clients"
        assert (True,) in session._connected().execute(asked)
        session.define("CREATE TABLE t (k int PRIMARY KEY)")
        assert session.tables() == {"t"}
        session.close()

    def test_an_authority_that_is_not_known_is_refused(self, make_cassandra):
        with pytest.raises(SettingsError, match=r"encrypted connection .*self.signed certificate.*ca_file"):
            CassandraSession(make_cassandra(tls=True)).connect()

    @pytest.mark.parametrize("setting", ["ca_file", "certificate_file"])
    def test_files_that_are_no_certificates_are_named(self, make_cassandra, tmp_path, setting):
        file = tmp_path / "nothing.pem"
        for _ in range(2):  # first it is missing, then empty
            with pytest.raises(SettingsError, match=rf"{file} of \[store\] cannot be read as certificates"):
                CassandraSession(make_cassandra(tls=True, **{setting: str(file)})).connect()
            file.touch()

    def test_a_user_without_rights_is_told_which(self, session, cassandra, make_cassandra, tmp_path):
        session.define("CREATE TABLE t (k int PRIMARY KEY)")
        name = f"guest_{cassandra.keyspace}"
        session.define(f"CREATE ROLE {name} WITH PASSWORD = 'secret' AND LOGIN = true")
        file = tmp_path / "password"
        file.write_text("secret\n")
        guest = CassandraSession(make_cassandra(keyspace=cassandra.keyspace, username=name, password_file=str(file)))
        try:
            with pytest.raises(SettingsError, match=rf"'{name}' of Cassandra lacks a right: .*SELECT.*GRANT"):
                guest.rows("SELECT k FROM t")
            with pytest.raises(SettingsError, match=r"lacks a right: .*CREATE"):
                guest.define("CREATE TABLE other (k int PRIMARY KEY)")
            with pytest.raises(SettingsError, match="lacks a right"):
                list(guest.every([("INSERT INTO t (k) VALUES (?)", (1,))]))
        finally:
            guest.close()
            session.define(f"DROP ROLE {name}")


class TestClaim:
    """One home publishes at a time."""

    def test_another_home_is_refused_and_takes_nothing_away(self, home, cassandra, tmp_path, release_parts):
        other = Home(tmp_path / "other")
        other.prepare()
        tables = open_store(home, cassandra)[1]
        with open_store(home, cassandra)[0].claimed():
            tables.write(Version("000001-0123456789ab"), release_parts.catalogue, release_parts.tables)
            with pytest.raises(BusyError, match=rf"{cassandra.keyspace}.* is being published to by .*{home.path}\."):
                release_parts.publish(open_releases(other, cassandra))
            assert tables.versions() == ["000001-0123456789ab"]
            with open_store(home, cassandra)[0].claimed():  # as after a kill
                pass
        version = release_parts.publish(open_releases(other, cassandra)).version
        assert tables.versions() == [version]

    def test_a_claim_is_renewed_and_ends_by_itself_where_its_owner_is_lost(self, session, monkeypatch):
        monkeypatch.setattr(cassandra_claim, "CLAIM_SECONDS", 4)
        with cassandra_claim.claimed(session, "library", "ann"):
            time.sleep(6)
            with pytest.raises(BusyError), cassandra_claim.claimed(session, "library", "bob"):
                pass
            monkeypatch.setattr(cassandra_claim, "_renewed", lambda *_: False)
            time.sleep(6)
            with cassandra_claim.claimed(session, "library", "bob"):
                pass


@pytest.fixture
def releases(home, cassandra):
    return open_releases(home, cassandra)


class TestReleases:
    """Releases in Cassandra."""

    def test_another_machine_with_the_same_store_serves_the_release(self, releases, release_parts, tmp_path, cassandra):
        """With a home of its own, in which nothing is."""
        first = release_parts.publish(releases, day="1").version
        there = Home(tmp_path / "there")
        there.prepare()
        others = open_releases(there, cassandra)
        with others.open() as release:
            assert (release.version, release.parts) == (first, ("als-artist", "catalogue"))
            assert release.tables.item("artist", "bjork").id == "mb:bjork"
            assert abs(release.published_at - time.time()) < 600
            # No part comes before it is asked for, and then whole.
            assert not list(there.releases.rglob("parts"))
            assert VectorSpace.load(release.part("als-artist")).item_vectors.tolist() == np.eye(5, 3).tolist()
            second = release_parts.publish(releases, day="2").version
            assert others.verify(second).identity.inputs["day"] == "2"
            releases.prune(1)
            with others.open() as newer:
                assert newer.version == second
                assert (there.releases / "copies" / first).is_dir()
        with others.open():
            assert not (there.releases / "copies" / first).exists()


class TestSettings:
    """What is refused before anything is asked."""

    @pytest.mark.parametrize("wrong", ["", "Music", "a-b", "1a", "a" * 49, 'x"; DROP KEYSPACE y; --'])
    def test_a_keyspace_has_a_plain_name(self, wrong):
        with pytest.raises(SettingsError, match="keyspace must be"):
            CassandraSettings(keyspace=wrong)

    @pytest.mark.parametrize("wrong", [(), ("",)])
    def test_there_is_a_contact_point(self, wrong):
        with pytest.raises(SettingsError, match="contact_points must name"):
            CassandraSettings(contact_points=wrong)

    def test_the_password_is_read_from_a_file_or_the_environment(self, tmp_path, monkeypatch):
        monkeypatch.delenv("CROSSFADE_CASSANDRA_PASSWORD", raising=False)
        with pytest.raises(SettingsError, match="no password for the user 'ann'"):
            CassandraSettings(username="ann").password()
        monkeypatch.setenv("CROSSFADE_CASSANDRA_PASSWORD", "by hand")
        assert CassandraSettings(username="ann").password() == "by hand"
        file = tmp_path / "password"
        with pytest.raises(SettingsError, match="cannot be read"):
            CassandraSettings(username="ann", password_file=str(file)).password()
        file.write_text("in a file\n")
        assert CassandraSettings(username="ann", password_file=str(file)).password() == "in a file"
