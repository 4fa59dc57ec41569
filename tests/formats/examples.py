"""One small, sound input for every format, made by hand: {format: {file name: content}}."""

import io
import json
import sqlite3
import struct

import pyarrow as pa
import pyarrow.parquet as pq

ARTIST = "8bfac288-ccc5-448d-9573-c33ea2aa5c30"
TRACK = "62c2e20a-559e-422f-a44c-9afa7882f0c4"
USER = "b80344d063b5ccb3212f76538f3d9e43d87dca9e"
OTHER = "4c5bbfababc9e93891d297fc9673a2131d92715b"


def _parquet(**columns: list[object]) -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content)
    return content.getvalue()


def _flac(**tags: str) -> bytes:
    """A FLAC file of no sound: the block that describes the stream, and one of comments."""

    def text(value: str) -> bytes:
        return struct.pack("<I", len(value.encode())) + value.encode()

    comments = text("by hand") + struct.pack("<I", len(tags))
    comments += b"".join(text(f"{name}={value}") for name, value in tags.items())
    stream = struct.pack(">HH", 4096, 4096) + bytes(6) + ((44100 << 44) | (1 << 41) | (15 << 36)).to_bytes(8, "big")
    return b"".join(
        [b"fLaC\x00", (34).to_bytes(3, "big"), stream, bytes(16), b"\x84", len(comments).to_bytes(3, "big"), comments]
    )


def _database(script: str) -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.executescript(script)
    content = connection.serialize()
    connection.close()
    return content


EXAMPLES: dict[str, dict[str, bytes]] = {
    "listenbrainz": {
        "1.listens": json.dumps(
            {
                "user_id": 1,
                "user_name": "anna",
                "timestamp": 1143374412,
                "track_metadata": {
                    "artist_name": "Metallica",
                    "track_name": "Enter Sandman",
                    "release_name": "Metallica",
                    "additional_info": {"artist_mbids": [ARTIST], "recording_mbid": TRACK},
                },
                "recording_msid": "5c1f9a42-3a06-4d1f-8b1c-6f9a5b0c2d11",
            }
        ).encode()
        + b"\n"
    },
    "listenbrainz-spark": {
        "0.parquet": _parquet(
            listened_at=[1143374412],
            created=[1143374413],
            user_id=[1],
            recording_msid=["5c1f9a42-3a06-4d1f-8b1c-6f9a5b0c2d11"],
            artist_name=["Metallica"],
            artist_credit_id=[5],
            release_name=["Metallica"],
            release_mbid=[None],
            recording_name=["Enter Sandman"],
            recording_mbid=[TRACK],
            artist_credit_mbids=[[ARTIST]],
        )
    },
    "spotify-extended": {
        "Streaming_History_Audio_2024_1.json": json.dumps(
            [
                {
                    "ts": "2024-03-01T08:05:00Z",
                    "platform": "android",
                    "ms_played": 226863,
                    "conn_country": "SE",
                    "ip_addr": "192.0.2.1",
                    "master_metadata_track_name": "Lose Control",
                    "master_metadata_album_artist_name": "Missy Elliott",
                    "master_metadata_album_album_name": "The Cookbook",
                    "spotify_track_uri": "spotify:track:0UaMYEvWZi0ZqiDOoHU3YI",
                    "episode_name": None,
                    "episode_show_name": None,
                    "spotify_episode_uri": None,
                    "reason_start": "clickrow",
                    "reason_end": "trackdone",
                    "shuffle": False,
                    "skipped": False,
                    "offline": False,
                    "offline_timestamp": None,
                    "incognito_mode": False,
                },
                {
                    "ts": "2024-03-02T08:05:00Z",
                    "ms_played": 1800000,
                    "master_metadata_track_name": None,
                    "master_metadata_album_artist_name": None,
                    "spotify_track_uri": None,
                    "episode_name": "The Wow! signal",
                    "episode_show_name": "A show about space",
                    "spotify_episode_uri": "spotify:episode:4HkMyrUzhLNCcPzm6sbX6z",
                    "incognito_mode": False,
                },
            ]
        ).encode()
    },
    "spotify": {
        "StreamingHistory0.json": json.dumps(
            [
                {"endTime": "2024-03-01 08:05", "artistName": "Low", "trackName": "Fly", "msPlayed": 353000},
                {"endTime": "2024-03-01 09:05", "podcastName": "A show", "episodeName": "One", "msPlayed": 353000},
            ]
        ).encode()
    },
    "spotify-library": {
        "YourLibrary.json": json.dumps(
            {
                "tracks": [{"artist": "Low", "album": "C'mon", "track": "Try to Sleep", "uri": "spotify:track:1"}],
                "albums": [],
                "shows": [],
                "bannedTracks": [],
                "artists": [{"name": "Low", "uri": "spotify:artist:2"}],
                "bannedArtists": [],
            }
        ).encode(),
        "Playlist1.json": json.dumps(
            {
                "playlists": [
                    {
                        "name": "Road trip",
                        "lastModifiedDate": "2024-03-01",
                        "items": [
                            {
                                "track": {
                                    "trackName": "Monkey",
                                    "artistName": "Low",
                                    "albumName": "The Great Destroyer",
                                    "trackUri": "spotify:track:3",
                                },
                                "episode": None,
                                "localTrack": None,
                                "addedDate": "2024-02-01",
                            }
                        ],
                        "description": None,
                        "numberOfFollowers": 1,
                    }
                ]
            }
        ).encode(),
    },
    "youtube-music": {
        "watch-history.json": json.dumps(
            [
                {
                    "header": "YouTube Music",
                    "title": "Watched Try to Sleep",
                    "titleUrl": "https://music.youtube.com/watch?v=abcdefghij1",
                    "subtitles": [{"name": "Low - Topic", "url": "https://www.youtube.com/channel/UC1"}],
                    "time": "2024-03-01T10:00:00.000Z",
                    "products": ["YouTube"],
                    "activityControls": ["YouTube watch history"],
                }
            ]
        ).encode()
    },
    "apple-music": {
        "Apple Music Play Activity.csv": (
            "Album Name,Artist Name,End Reason Type,Event End Timestamp,Event Start Timestamp,Event Type,"
            "Media Duration In Milliseconds,Media Type,Play Duration Milliseconds,Song Name,UTC Offset In Seconds\n"
            "C'mon,Low,NATURAL_END_OF_TRACK,2024-03-01T10:03:41Z,2024-03-01T10:00:00Z,PLAY_END,"
            "221207,AUDIO,221000,Try to Sleep,3600\n"
            '"Homogenic",Bj\u00f6rk,TRACK_SKIPPED_FORWARDS,2024-03-01T10:03:59.441Z,2024-03-01T10:03:41.000Z,PLAY_END,'
            '305000,AUDIO,18441,"J\u00f3ga",3600\n'
        ).encode(),
        "Apple Music - Play History Daily Tracks.csv": (
            b"Country,Track Identifier,Media type,Date Played,Hours,Play Duration Milliseconds,Source Type,Play Count,"
            b"Skip Count,Ignore For Recommendations,Track Reference,Track Description\n"
            b"NO,1445167429,AUDIO,20240301,9,221000,APPLE_MUSIC,1,0,false,1445167429,Low - Try to Sleep\n"
        ),
    },
    "deezer": {
        "10_listeningHistory.csv": (
            b"Song Title,Artist,ISRC,Album Title,IP Address,Listening Time,Platform Name,Platform Model,Date\n"
            b'Fly,Low,USSUB1300001,"Invisible Way, The",192.0.2.1,353,web,None,2024-03-01 10:00:00\n'
        )
    },
    "lastfm-csv": {
        "scrobbles.csv": (
            "uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid\r\n"
            f'"1143374412","26 Mar 2006, 12:00","Metallica","{ARTIST}","Metallica","","Enter Sandman","{TRACK}"\r\n'
            '"1143374777","26 Mar 2006, 12:06","Earth, Wind & Fire","","I Am","","Say ""Yes""",""\r\n'
        ).encode()
    },
    "lastfm-json": {
        "recenttracks.json": json.dumps(
            {
                "recenttracks": {
                    "track": [
                        {
                            "artist": {"mbid": "", "#text": "Portishead"},
                            "album": {"mbid": "", "#text": "Dummy"},
                            "name": "Roads",
                            "mbid": "",
                            "@attr": {"nowplaying": "true"},
                        },
                        {
                            "artist": {"mbid": ARTIST, "#text": "Metallica"},
                            "album": {"mbid": "", "#text": ""},
                            "name": "Enter Sandman",
                            "mbid": TRACK,
                            "date": {"uts": "1143374412", "#text": "26 Mar 2006, 12:00"},
                        },
                    ],
                    "@attr": {"user": "someone", "page": "1", "totalPages": "1"},
                }
            }
        ).encode()
    },
    "scrobbler-log": {
        ".scrobbler.log": (
            "#AUDIOSCROBBLER/1.1\n#TZ/UTC\n#CLIENT/Rockbox sansae200 1.1\n"
            f"Metallica\tMetallica\tEnter Sandman\t1\t331\tL\t1143374412\t{TRACK}\n"
            "Portishead\tPortishead\tCowboys\t1\t279\tS\t1143374777\t\n"
        ).encode()
    },
    "librefm": {
        "librefm.csv": (
            "# Data export from Libre.fm,,,\n# 2025-07-23 15:05:47 -0400,,,\n# cabot.local,,,\n"
            "Artist,Track,Album,Time\n"
            'Low,Monkey,"Great Destroyer, The",1143374412\nBj\u00f6rk,J\u00f3ga,,1143374777\n'
        ).encode()
    },
    "pano-scrobbler": {
        "scrobbles.jsonl": b"".join(
            json.dumps(
                {
                    "timeHuman": "March 26, 2006, 12:00 UTC",
                    "timeMs": 1143374412000 + 1000 * 400 * number,
                    "artist": "Low",
                    "track": track,
                    "album": "C'mon",
                    "albumArtist": "Low",
                    "durationMs": 220000,
                    "mediaPlayerPackage": "org.example.player",
                    "mediaPlayerName": "Player",
                    "mediaPlayerVersion": "2.0",
                    "event": event,
                }
            ).encode()
            + b"\n"
            for number, (track, event) in enumerate([("Try to Sleep", "scrobble"), ("Nightingale", "scrobble")])
        )
    },
    "koito": {
        "koito_export.json": json.dumps(
            {
                "version": "1",
                "exported_at": "2025-06-18T12:56:53Z",
                "user": "anna",
                "listens": [
                    {
                        "listened_at": "2022-01-08T22:32:08Z",
                        "client": "player",
                        "track": {
                            "mbid": TRACK,
                            "duration": 354,
                            "aliases": [{"alias": "Enter Sandman", "source": "Canonical", "is_primary": True}],
                        },
                        "album": {"image_url": "", "mbid": None, "aliases": [], "various_artists": False},
                        "artists": [
                            {
                                "image_url": "",
                                "mbid": ARTIST,
                                "is_primary": False,
                                "aliases": [{"alias": "Metallica", "source": "Canonical", "is_primary": True}],
                            }
                        ],
                    }
                ],
            }
        ).encode()
    },
    "maloja": {
        "maloja_export.json": json.dumps(
            {
                "maloja": {"export_time": 1650700000},
                "scrobbles": [
                    {
                        "time": 1650684324,
                        "duration": 180,
                        "origin": "client:navidrome",
                        "track": {
                            "artists": ["Nina Simone", "Hot Chip"],
                            "title": "Sinnerman",
                            "album": {"artists": ["Nina Simone"], "albumtitle": "Pastel Blues"},
                            "length": 620,
                        },
                    },
                    {"time": 1650685000, "track": {"artists": ["Low"], "title": "Sunflower", "album": None}},
                ],
            }
        ).encode()
    },
    "lastfm-360k": {
        "usersha1-artmbid-artname-plays.tsv": (
            f"{USER}\t{ARTIST}\tbetty blowtorch\t2137\n{USER}\t\tdie \u00e4rzte\t1099\n"
        ).encode()
    },
    "lastfm-1k": {
        "userid-timestamp-artid-artname-traid-traname.tsv": (
            f"user_000001\t2009-05-04T23:08:57Z\t{ARTIST}\tDeep Dish\t\tComposition 0919 (Live)\n"
            f"user_000002\t2009-05-04T13:54:10Z\t\t\u5742\u672c\u9f8d\u4e00\t{TRACK}\tComposition 0919\n"
        ).encode()
    },
    "taste-profile": {
        "train_triplets.txt": (
            f"{USER}\tSOAKIMP12A8C130995\t1\n{USER}\tSOBBMDR12A8C13253B\t2\n{OTHER}\tSOAKIMP12A8C130995\t3\n"
        ).encode(),
        "unique_tracks.txt": (
            b"TRMMMYQ128F932D901<SEP>SOAKIMP12A8C130995<SEP>Faster Pussy cat<SEP>Silent Night\n"
            b"TRMMMKD128F425225D<SEP>SOBBMDR12A8C13253B<SEP>Karkkiautomaatti<SEP>Tanssi vaan\n"
        ),
    },
    "hetrec": {
        "user_artists.dat": b"userID\tartistID\tweight\r\n2\t51\t13883\r\n2\t52\t11690\r\n3\t51\t7\r\n",
        "artists.dat": (
            b"id\tname\turl\tpictureURL\n51\tDuran Duran\thttp://u/1\thttp://p/1\n52\tMorcheeba\thttp://u/2\t\n"
        ),
        "tags.dat": "tagID\ttagValue\r\n1\tnew wave\r\n2\tgénial\r\n".encode("iso-8859-1"),
        "user_taggedartists.dat": (
            b"userID\tartistID\ttagID\tday\tmonth\tyear\r\n2\t51\t1\t1\t4\t2009\r\n3\t51\t1\t1\t5\t2010\r\n"
            b"\r\n3\t52\t2\t1\t5\t2010\r\n"
        ),
        "user_friends.dat": b"userID\tfriendID\r\n2\t3\r\n3\t2\r\n",
    },
    "audioscrobbler": {
        "user_artist_data.txt": b"1000002 1 55\r\n1000002 1000006 33\r\n1000019 1000010 8\r\n",
        "artist_data.txt": b"1\tPortishead\r\n1000006\tMorcheeba\r\n1000010\tportishaed\r\n",
        "artist_alias.txt": b"1000010\t1\r\n",
    },
    "million-playlist": {
        "mpd.slice.0-999.json": json.dumps(
            {
                "info": {"generated_on": "2017-12-03 08:41:42", "slice": "0-999", "version": "v1"},
                "playlists": [
                    {
                        "name": "Throwbacks",
                        "collaborative": "false",
                        "pid": 0,
                        "modified_at": 1493424000,
                        "num_followers": 1,
                        "tracks": [
                            {
                                "pos": 0,
                                "artist_name": "Missy Elliott",
                                "track_uri": "spotify:track:0UaMYEvWZi0ZqiDOoHU3YI",
                                "artist_uri": "spotify:artist:2wIVse2owClT7go1WT98tk",
                                "track_name": "Lose Control",
                                "album_uri": "spotify:album:6vV5UrXcfyQD1wu4Qo2I9K",
                                "duration_ms": 226863,
                                "album_name": "The Cookbook",
                            }
                        ],
                    }
                ],
            }
        ).encode()
    },
    "jspf": {
        "playlist.jspf": json.dumps(
            {
                "playlist": {
                    "title": "Top Discoveries",
                    "creator": "troi-bot",
                    "identifier": "https://listenbrainz.org/playlist/45edcb2c-34e7-4f35-8f9c-8c1b25c3bd7b",
                    "track": [
                        {
                            "identifier": [f"https://musicbrainz.org/recording/{TRACK}"],
                            "title": "Roads",
                            "creator": "Portishead",
                            "album": "Dummy",
                            "duration": 305000,
                            "extension": {
                                "https://musicbrainz.org/doc/jspf#track": {
                                    "artist_identifiers": [f"https://musicbrainz.org/artist/{ARTIST}"]
                                }
                            },
                        },
                        {"title": "Cowboys", "creator": "Portishead"},
                    ],
                }
            }
        ).encode()
    },
    "xspf": {
        "playlist.xspf": (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<playlist version="1" xmlns="http://xspf.org/ns/0/">\n<title>Evening</title><creator>anna</creator>\n'
            "<trackList>\n"
            f"<track><identifier>http://musicbrainz.org/recording/{TRACK}</identifier><title>Roads</title>"
            "<creator>Portishead</creator><album>Dummy</album><duration>305000</duration></track>\n"
            "<track><title>T&#252;r &amp; Tor</title><creator>Bj\u00f6rk</creator></track>\n"
            "</trackList>\n</playlist>\n"
        ).encode()
    },
    "navidrome": {
        "navidrome.db": _database(
            f"""
            CREATE TABLE user (id, user_name);
            CREATE TABLE artist (id, name, mbz_artist_id);
            CREATE TABLE media_file (id, title, artist_id, artist, album, duration, mbz_recording_id);
            CREATE TABLE annotation
                (user_id, item_id, item_type, play_count, play_date, rating, starred, starred_at, rated_at);
            CREATE TABLE scrobbles (id, media_file_id, user_id, submission_time);
            CREATE TABLE playlist (id, name, owner_id, rules);
            CREATE TABLE playlist_tracks (id, playlist_id, media_file_id);
            INSERT INTO user VALUES ('u1', 'anna');
            INSERT INTO artist VALUES ('a1', 'Metallica', '{ARTIST}'), ('a2', 'Low', '');
            INSERT INTO media_file VALUES
                ('m1', 'Enter Sandman', 'a1', 'Metallica feat. Guest', 'Metallica', 331.5, '{TRACK}'),
                ('m2', 'Fly', 'a2', 'Low', 'The Invisible Way', 353, ''),
                ('m3', 'Monkey', 'a2', 'Low', 'The Great Destroyer', 250, '');
            INSERT INTO scrobbles VALUES (1, 'm1', 'u1', 1700000000), (2, 'm1', 'u1', 1700003600);
            INSERT INTO annotation VALUES
                ('u1', 'm1', 'media_file', 5, '2023-11-14 23:13:20+00:00', 0, 1, '2023-11-15 00:00:00+00:00', NULL),
                ('u1', 'm2', 'media_file', 3, '2022-01-08T22:32:08Z', 1, 0, NULL, '2022-01-09 00:00:00.5+00:00'),
                ('u1', 'm3', 'media_file', 0, NULL, 3, 0, NULL, NULL),
                ('u1', 'a2', 'artist', 3, NULL, 4, 0, NULL, NULL),
                ('u1', 'l1', 'album', 5, NULL, 5, 1, NULL, NULL);
            INSERT INTO playlist VALUES ('p1', 'Evening', 'u1', NULL), ('p2', 'Most played', 'u1', '{{"all": []}}');
            INSERT INTO playlist_tracks VALUES (2, 'p1', 'm1'), (1, 'p1', 'm3'), (1, 'p2', 'm1');
            """
        )
    },
    "jellyfin": {
        "jellyfin.db": _database(
            f"""
            CREATE TABLE Users (Id, InternalId, Username);
            CREATE TABLE BaseItems (Id, Type, Name, Artists, Album, RunTimeTicks, Path, Data);
            CREATE TABLE BaseItemProviders (ItemId, ProviderId, ProviderValue);
            CREATE TABLE UserData
                (UserId, ItemId, CustomDataKey, PlayCount, LastPlayedDate, IsFavorite, Rating, Likes);
            CREATE TABLE LinkedChildren (ParentId, ChildId, SortOrder);
            INSERT INTO Users VALUES ('AAAAAAAA-0000-0000-0000-000000000001', 1, 'anna');
            INSERT INTO BaseItems (Id, Type, Name, Artists, Album, RunTimeTicks) VALUES
                ('10000000-0000-0000-0000-00000000000A', 'MediaBrowser.Controller.Entities.Audio.Audio',
                 'Enter Sandman', 'Metallica', 'Metallica', 3315000000),
                ('10000000-0000-0000-0000-00000000000B', 'MediaBrowser.Controller.Entities.Audio.Audio',
                 'Fly', 'Low|Guest', 'The Invisible Way', 3530000000),
                ('10000000-0000-0000-0000-00000000000C', 'MediaBrowser.Controller.Entities.Audio.MusicArtist',
                 'Low', NULL, NULL, NULL),
                ('10000000-0000-0000-0000-00000000000D', 'MediaBrowser.Controller.Playlists.Playlist',
                 'Evening', NULL, NULL, NULL);
            INSERT INTO BaseItemProviders VALUES
                ('10000000-0000-0000-0000-00000000000A', 'MusicBrainzRecording', '{TRACK}'),
                ('10000000-0000-0000-0000-00000000000A', 'MusicBrainzArtist', '{ARTIST}');
            INSERT INTO UserData VALUES
                ('AAAAAAAA-0000-0000-0000-000000000001', '10000000-0000-0000-0000-00000000000A', 'k',
                 4, '2023-11-14 22:13:20.1234567', 1, NULL, NULL),
                ('AAAAAAAA-0000-0000-0000-000000000001', '10000000-0000-0000-0000-00000000000A', 'older',
                 3, '2022-11-14 22:13:20', 0, NULL, NULL),
                ('AAAAAAAA-0000-0000-0000-000000000001', '10000000-0000-0000-0000-00000000000B', 'k',
                 2, '2022-01-08 22:32:08', 0, 2.0, NULL),
                ('AAAAAAAA-0000-0000-0000-000000000001', '10000000-0000-0000-0000-00000000000C', 'k',
                 0, NULL, 1, NULL, NULL);
            INSERT INTO LinkedChildren VALUES
                ('10000000-0000-0000-0000-00000000000D', '10000000-0000-0000-0000-00000000000A', 1),
                ('10000000-0000-0000-0000-00000000000D', '10000000-0000-0000-0000-00000000000B', 0);
            """
        ),
        "playback_reporting.db": _database(
            """
            CREATE TABLE PlaybackActivity (DateCreated DATETIME NOT NULL, UserId TEXT, ItemId TEXT, ItemType TEXT,
                ItemName TEXT, PlaybackMethod TEXT, ClientName TEXT, DeviceName TEXT, PlayDuration INT);
            INSERT INTO PlaybackActivity VALUES ('2023-11-14 22:13:20.1234567', 'aaaaaaaa000000000000000000000001',
                '1000000000000000000000000000000a', 'Audio', 'Enter Sandman', 'DirectPlay', 'Finamp', '', 331);
            """
        ),
    },
    "itunes-library": {
        "Library.xml": (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<!DOCTYPE plist PUBLIC "-//Apple Computer//DTD PLIST 1.0//EN" '
            '"http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n'
            '<plist version="1.0">\n<dict>\n'
            "<key>Major Version</key><integer>1</integer>\n"
            "<key>Library Persistent ID</key><string>6B6A2D4B9C042AA1</string>\n"
            "<key>Tracks</key>\n<dict>\n"
            "<key>1001</key>\n<dict>\n<key>Track ID</key><integer>1001</integer>\n"
            "<key>Name</key><string>J\u00f3ga</string><key>Artist</key><string>Bj\u00f6rk</string>\n"
            "<key>Album</key><string>Homogenic</string><key>Total Time</key><integer>305000</integer>\n"
            "<key>Play Count</key><integer>12</integer><key>Play Date UTC</key><date>2017-07-01T23:30:20Z</date>\n"
            "<key>Loved</key><true/>\n</dict>\n"
            "<key>1003</key>\n<dict>\n<key>Track ID</key><integer>1003</integer>\n"
            "<key>Name</key><string>Rhythm &amp; Blues</string><key>Artist</key><string>Low</string>\n</dict>\n"
            "</dict>\n<key>Playlists</key>\n<array>\n"
            "<dict>\n<key>Master</key><true/><key>Name</key><string>Library</string>\n<key>Playlist Items</key>\n"
            "<array>\n<dict><key>Track ID</key><integer>1001</integer></dict>\n</array>\n</dict>\n"
            "<dict>\n<key>Name</key><string>Evening</string>\n"
            "<key>Playlist Persistent ID</key><string>2216D24E0458F2DD</string>\n<key>Playlist Items</key>\n"
            "<array>\n<dict>\n<key>Track ID</key><integer>1003</integer>\n</dict>\n</array>\n</dict>\n"
            "</array>\n</dict>\n</plist>\n"
        ).encode()
    },
    "m3u": {
        "evening.m3u8": (
            "#EXTM3U\n#PLAYLIST:Evening\n#EXTINF:305,Portishead - Roads\n#EXTALB:Dummy\n"
            "Portishead/Dummy/04 Roads.flac\n"
            "Music/07 - Bj\u00f6rk - J\u00f3ga.mp3\n"
        ).encode()
    },
    "music-files": {
        "Low/Things We Lost/01 Sunflower.flac": _flac(title="Sunflower", artist="Low", genre="Slowcore"),
        "Low/Things We Lost/02.flac": _flac(),
    },
    "columns": {
        "plays.parquet": _parquet(user=["anna", "anna", "ben"], artist=["Low", "Björk", "Low"], plays=[3, 1, 12])
    },
}
