// Written by `npm run types` from the server openapi.json. Do not edit.
export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description The release that is being served. */
        ActiveReleaseAnswer: {
            /** @description The release that this was read from. */
            release: string;
            /** @description Whether newer releases are published without being served. */
            pinned: boolean;
            /** @description Milliseconds since 1970. */
            published_at: number;
            /** @description Equal for releases made from the same inputs, settings and code. */
            fingerprint: string;
            /** @description The version of Crossfade that made it. */
            code: string;
            /** @description How many rows each of its tables has. */
            rows: {
                [key: string]: number;
            };
            tables: components["schemas"]["TableInfo"][];
            /** @description The artifacts behind the tables. */
            parts: string[];
        };
        /**
         * @description An album as the catalogue knows it: the tracks of one artist that name it.
         *
         *     tracks     how many
         *     listeners  of its most heard track
         *     plays      of all its tracks
         */
        Album: {
            name: string;
            tracks: number;
            listeners: number;
            plays: number;
        };
        /** @description An album with its tracks: in the order of the music folder, else most listeners first. */
        AlbumAnswer: {
            release: string;
            item: components["schemas"]["Named"];
            album: components["schemas"]["Album"];
            tracks: components["schemas"]["Item"][];
        };
        /** @description The albums of an artist, most listeners first. */
        AlbumsAnswer: {
            release: string;
            item: components["schemas"]["Named"];
            albums: components["schemas"]["Album"][];
        };
        /** @description One of the sources that a track is played for. */
        Because: {
            /**
             * @description A seed, a track with a thumb up, one that was played when little was left, one of the queue.
             * @enum {string}
             */
            origin: "seed" | "up" | "grown" | "played";
            source: components["schemas"]["Named"];
            /** @description Of the odds of the track, 0 to 1. */
            share: number;
        };
        /** @description An item that the user does not want. */
        BlockAnswer: {
            item: components["schemas"]["ItemBody"];
            name: string;
            until?: number | null;
            /** @description Milliseconds since 1970, UTC. */
            created_at: number;
        };
        /** @description An item that the user does not want: never, or not for some days. */
        BlockBody: {
            item: components["schemas"]["ItemBody"];
            /** @description For so many days; for ever by default. */
            days?: number | null;
        };
        /** @description The blocks that stand, latest first. */
        Blocks: {
            blocks: components["schemas"]["BlockAnswer"][];
        };
        /** @description What belongs to an item, most listeners first. */
        ChildrenAnswer: {
            release: string;
            item: components["schemas"]["Named"];
            total: number;
            offset: number;
            items: components["schemas"]["Item"][];
        };
        /** @description How to go on with a playlist. */
        ContinuePlaylist: {
            /**
             * @description From familiar (0) to adventurous (1).
             * @default 0.5
             */
            adventure?: number;
            /** @description Of the draws; another one each time by default. */
            seed?: number | null;
            /**
             * @description What there should be more of, or surely is.
             * @default []
             */
            include?: components["schemas"]["Seed"][];
            /**
             * @description Items, artists and tags to leave out.
             * @default []
             */
            exclude?: components["schemas"]["Seed"][];
            /**
             * @description Tracks, or as many as there are.
             * @default 25
             */
            length?: number;
            /**
             * @description Whether the tracks are added to the playlist.
             * @default false
             */
            keep?: boolean;
        };
        /** @description What was deleted. */
        Deleted: {
            deleted: number;
        };
        /**
         * @description Rows that were dropped for one reason.
         *
         *     meaning  the reason in words
         *     advice   what to do about it; None where there is nothing to do
         *     samples  a few of the rows: their places and what is wrong, never their content
         */
        Dropped: {
            reason: string;
            rows: number;
            meaning: string;
            advice?: string | null;
            samples: components["schemas"]["Sample"][];
        };
        /** @description What a playlist shall be; what is left out stays. */
        EditPlaylist: {
            title?: string | null;
            /** @description In their order. */
            tracks?: components["schemas"]["TrackBody"][] | null;
        };
        /** @description A token, such as `crossfade tokens add` prints. */
        EnterBody: {
            token: string;
        };
        /**
         * @description One item of a ranked list.
         *
         *     parent  what the item belongs to, such as a track's artist; None for a root, and where it is unknown
         *     score   higher is better, comparable within one list only; None where the surface has none
         *     reason  None where the surface gives none, or the item is there for being popular
         */
        Entry: {
            id: string;
            name: string;
            parent?: components["schemas"]["Named"] | null;
            score?: number | null;
            reason?: components["schemas"]["Reason"] | null;
        };
        /** @description The figures of the last `crossfade evaluate` of this library, as `--json` prints them; empty before the first. */
        EvaluationAnswer: {
            /** @description Milliseconds since 1970. */
            finished?: number | null;
            figures?: {
                [key: string]: unknown;
            } | null;
        };
        /**
         * @description An item of the user's history that has the explained one, or its root, in its related list.
         *
         *     plays      how often the user played it
         *     closeness  how close the two are, above 0 and at most 1
         */
        Evidence: {
            kind: string;
            id: string;
            name: string;
            plays: number;
            closeness: number;
        };
        /** @description Listens that do not count for taste: those of a playlist, or of hours of the day. */
        ExclusionBody: {
            /** @description The id of a playlist or a station. */
            context?: string | null;
            /** @description From the first hour until before the second. */
            hours?: [
                number,
                number
            ] | null;
            /** @default UTC */
            timezone?: string;
        };
        /** @description What is left out of taste. */
        Exclusions: {
            exclusions: components["schemas"]["ExclusionBody"][];
        };
        /** @description What the user thinks of an item. */
        FeedbackAnswer: {
            /** @enum {string} */
            sort: "thumb" | "like" | "rating";
            value: number;
            track: components["schemas"]["TrackBody"];
            /** @description Milliseconds since 1970, UTC. */
            given_at: number;
        };
        /** @description What the user thinks of an item; 0 takes it back. */
        FeedbackBody: {
            /** @enum {string} */
            sort: "thumb" | "like" | "rating";
            /** @description Thumb -1 to 1, like 0 or 1, rating 0 to 5. */
            value: number;
            track: components["schemas"]["TrackBody"];
        };
        /** @description The feedback that stands, latest first. */
        Feedbacks: {
            feedback: components["schemas"]["FeedbackAnswer"][];
        };
        /** @description Feedback on several items. */
        FeedbacksBody: {
            feedback: components["schemas"]["FeedbackBody"][];
        };
        /** @description What was loved and forgotten, the most loved first. */
        ForgottenAnswer: {
            tracks: components["schemas"]["ForgottenTrack"][];
        };
        /** @description A track that was loved and not played for long. */
        ForgottenTrack: {
            id: string;
            name: string;
            plays: number;
            /** @description Seconds since 1970. */
            last: number;
        };
        /** @description The result of a search. */
        Found: {
            /** @description The release that this was read from. */
            release: string;
            /** @description By kind of item, best match first. */
            items: {
                [key: string]: components["schemas"]["Item"][];
            };
            /** @description Similar names, where nothing matched. */
            suggestions: string[];
        };
        /** @description Whether the server lives. */
        Health: {
            status: string;
        };
        /**
         * @description An import and its ledger: rows read = plays + skips + counts + playlist items + dropped.
         *
         *     at         when it was imported, in milliseconds since 1970
         *     listener   whose history it is; None for a data set of many
         *     skipped    files that were not read, and why
         *     tables     rows by table, as they were written
         *     damage     files that could not be read to their end, and why
         */
        Imported: {
            name: string;
            source: string;
            at: number;
            invented: boolean;
            formats: string[];
            listener?: string | null;
            listeners?: number | null;
            read: number;
            plays: number;
            skips: number;
            counts: number;
            playlist_items: number;
            dropped: components["schemas"]["Dropped"][];
            skipped: {
                [key: string]: string;
            };
            damage: {
                [key: string]: string;
            };
            tables: {
                [key: string]: number;
            };
        };
        /**
         * @description A play of an import.
         *
         *     listened_at  when it began, in milliseconds since 1970
         *     item         what was played; its name is its id where the release does not know it
         *     parent       what the item belongs to; None for a root, and where it is unknown
         *     imported     the import that has it
         */
        ImportedPlay: {
            listened_at: number;
            item: components["schemas"]["Named"];
            parent?: components["schemas"]["Named"] | null;
            skipped: boolean;
            imported: string;
        };
        /** @description What imports have of a listener, the latest first. */
        ImportedPlaysAnswer: {
            /** @description How many there are of those that were asked for. */
            total: number;
            plays: components["schemas"]["ImportedPlay"][];
        };
        /** @description Imports with their ledgers, the latest first. */
        ImportsAnswer: {
            imports: components["schemas"]["Imported"][];
        };
        /**
         * @description An item of the catalogue, played or not.
         *
         *     parent     as in `Entry`
         *     fields     the fields of its kind by name; those that are unknown are left out
         *     listeners  users that played it
         *     plays      how often they did
         */
        Item: {
            kind: string;
            id: string;
            name: string;
            parent?: components["schemas"]["Named"] | null;
            fields?: {
                [key: string]: string | number;
            };
            listeners: number;
            plays: number;
        };
        /** @description An item of the catalogue. */
        ItemAnswer: {
            /** @description The release that this was read from. */
            release: string;
            item: components["schemas"]["Item"];
        };
        /** @description An item of the catalogue. */
        ItemBody: {
            kind: string;
            id: string;
        };
        ItemRef: [
            string,
            string
        ];
        /** @description The job that was started last; left out before the first. */
        JobAnswer: {
            job?: components["schemas"]["JobDescribed"] | null;
        };
        /** @description An import or a run. */
        JobDescribed: {
            id: string;
            /** @enum {string} */
            sort: "import" | "run";
            /** @description The file that is imported; empty for a run. */
            what: string;
            /** @enum {string} */
            state: "running" | "done" | "failed" | "interrupted";
            /** @description Milliseconds since 1970, UTC. */
            started: number;
            ended?: number | null;
            /** @description Why it failed or was interrupted. */
            message?: string | null;
            /** @description The names of imports, or the release. */
            made: string[];
            progress: components["schemas"]["ProgressAnswer"];
        };
        /** @description What became of listens that were sent; all of them are on the disk now, except those of a private session. */
        Kept: {
            received: number;
            /** @description How many were not there before. */
            added: number;
        };
        /** @description What the library has, for a page to know what it can show. */
        LibraryAnswer: {
            /** @description Left out before the first. */
            release?: string | null;
            /** @description Kinds that have items. */
            kinds: string[];
            /** @description Kinds that each surface lists. */
            lists: {
                [key: string]: string[];
            };
            /** @description Kinds whose items have words: tags, or texts. */
            words: string[];
            /** @description Whether it is a demo world. */
            invented: boolean;
            /** @description What can be heard: `files` of a music folder, or `made` in a demo world. */
            audio?: string | null;
        };
        /** @description Two nodes by their places on the map, and how close they are, above 0 and at most 1. */
        Link: {
            source: number;
            target: number;
            closeness: number;
        };
        /** @description A play that is kept. */
        ListenAnswer: {
            /** @description By which it is deleted. */
            id: string;
            /** @description Milliseconds since 1970, UTC. */
            listened_at: number;
            /** @description Milliseconds since 1970, UTC. */
            received_at: number;
            track: components["schemas"]["TrackBody"];
            ms_played?: number | null;
            skipped: boolean;
            source?: string | null;
            context?: string | null;
            client?: string | null;
        };
        /** @description A play. */
        ListenBody: {
            /** @description When it began: milliseconds since 1970, UTC. */
            listened_at: number;
            track: components["schemas"]["TrackBody"];
            ms_played?: number | null;
            /** @description By default: heard for less than 30 s, or half of a short track. */
            skipped?: boolean | null;
            source?: string | null;
            /** @description The id of the playlist or the station. */
            context?: string | null;
            /** @description The player. */
            client?: string | null;
        };
        /** @description A user's listens. */
        Listens: {
            /** @description How many there are of those that were asked for. */
            total: number;
            listens: components["schemas"]["ListenAnswer"][];
        };
        /** @description Plays, at most a thousand. */
        ListensBody: {
            listens: components["schemas"]["ListenBody"][];
        };
        /** @description A part of a ranked list, best first. */
        Listing: {
            /** @description The release that this was read from. */
            release: string;
            /** @description The id that the list belongs to; * where it is everyone's. */
            key: string;
            /** @description The name of the key. */
            name?: string | null;
            /** @description What the entries are. */
            kind: string;
            /** @description The model that computed the list, if the request named one. */
            model?: string | null;
            surface: string;
            /** @description The length of the whole list. */
            total: number;
            /** @description The position of the first of these entries in the list, from 0. */
            offset: number;
            entries: components["schemas"]["Entry"][];
        };
        /** @description Tracks that were chosen, and the playlist that has them. */
        MadeAnswer: {
            /** @description Of the playlist; left out if it is not kept. */
            id?: string | null;
            title: string;
            tracks: components["schemas"]["TrackAnswer"][];
        };
        /** @description A playlist to make. */
        MakePlaylist: {
            /**
             * @description From familiar (0) to adventurous (1).
             * @default 0.5
             */
            adventure?: number;
            /** @description Of the draws; another one each time by default. */
            seed?: number | null;
            /** @description Says what to play where there are no seeds. */
            title?: string | null;
            /** @default [] */
            seeds?: components["schemas"]["Seed"][];
            /**
             * @description Items, artists and tags to leave out.
             * @default []
             */
            exclude?: components["schemas"]["Seed"][];
            kind?: string | null;
            /**
             * @description Tracks, or as many as there are.
             * @default 25
             */
            length?: number;
            /**
             * @description Whether the server keeps the playlist.
             * @default false
             */
            keep?: boolean;
        };
        /** @description A map around an item: the node in the middle first, then the closest first; links name nodes by their places. */
        MapAnswer: {
            release: string;
            nodes: components["schemas"]["Node"][];
            links: components["schemas"]["Link"][];
        };
        /**
         * @description A model of a release.
         *
         *     kinds   that it is fitted on
         *     blends  whether it is a blend of the others
         *     shares  in the blend, by kind; empty without a blend
         */
        ModelOf: {
            name: string;
            kinds: string[];
            blends: boolean;
            shares: components["schemas"]["Share"][];
        };
        /** @description The models of the release; `adds` is in NDCG@20, on plays that were hidden when the blend was learned. */
        ModelsAnswer: {
            release: string;
            models: components["schemas"]["ModelOf"][];
        };
        /** @description An item by kind, id and name. */
        Named: {
            kind: string;
            id: string;
            name: string;
        };
        /** @description A new token with its secret, which is shown once. */
        NewTokenAnswer: {
            token: components["schemas"]["TokenAnswer"];
            secret: string;
        };
        /** @description What a token is for, and what it allows. */
        NewTokenBody: {
            /** @default  */
            label?: string;
            /** @description By default those of the request's own token, but admin. */
            scopes?: ("read" | "submit" | "manage" | "admin")[] | null;
            /**
             * @description An app password, for players of Subsonic and Audioscrobbler.
             * @default false
             */
            password?: boolean;
        };
        /**
         * @description An item on a map.
         *
         *     listeners  users that played it
         *     closeness  to the item in the middle, above 0; 1 for that item
         *     term       the word that says most about it, or about what it belongs to; None if nothing is known
         */
        Node: {
            item: components["schemas"]["Named"];
            listeners: number;
            closeness: number;
            term?: string | null;
        };
        /** @description What to play after a queue. */
        NowPlayingAnswer: {
            release: string;
            kind: string;
            tracks: components["schemas"]["TrackAnswer"][];
        };
        /** @description A chain of related items from one to another. */
        PathAnswer: {
            release: string;
            /** @description Each with its closeness to the one before. */
            path: components["schemas"]["Stop"][];
        };
        /** @description Those of the tracks that can be heard, in the order of the question. */
        PlayableAnswer: {
            playable: string[];
        };
        /** @description What the user's players are playing, latest first. */
        Playing: {
            playing: components["schemas"]["PlayingAnswer"][];
        };
        /** @description What a player is playing. */
        PlayingAnswer: {
            track: components["schemas"]["TrackBody"];
            player: string;
            /** @description Milliseconds since 1970, UTC. */
            started_at: number;
            /** @description Milliseconds since 1970, UTC. */
            ends_at: number;
        };
        /** @description What a player is playing now. */
        PlayingBody: {
            track: components["schemas"]["TrackBody"];
            /** @default  */
            player?: string;
        };
        /** @description A playlist. */
        PlaylistAnswer: {
            id: string;
            title: string;
            /** @description What generated it, such as weekly-exploration; empty for the user's own. */
            sort: string;
            tracks: components["schemas"]["Track"][];
            /**
             * @description By the ids of tracks that were chosen for the user.
             * @default {}
             */
            reasons?: {
                [key: string]: string;
            };
            /**
             * @description Entries of a file that do not say which track they are.
             * @default 0
             */
            dropped?: number;
        };
        /** @description A playlist without its tracks. */
        PlaylistRow: {
            id: string;
            title: string;
            sort: string;
            /** @description Of what is in it, as of the first that the library has. */
            kind?: string | null;
            tracks: number;
            /** @description Milliseconds since 1970. */
            changed_at: number;
        };
        /** @description The playlists of a user, the last changed first. */
        PlaylistsAnswer: {
            playlists: components["schemas"]["PlaylistRow"][];
        };
        /** @description Whether the user is in a private session. */
        Private: {
            /** @description When it ends by itself; left out if there is none. */
            until?: number | null;
        };
        /** @description How long a private session may last. */
        PrivateBody: {
            /** @default 360 */
            minutes?: number;
        };
        /** @description What a terminal shows: steps, a bar, and the time left in words. */
        ProgressAnswer: {
            steps: number;
            done: number;
            /** @description From 0 to 1; left out while it is unknown. */
            share?: number | null;
            /** @description The time left, empty while it is unknown. */
            left: string;
            running: components["schemas"]["WorkAnswer"][];
            note: string;
        };
        /** @description What is played and will be played. */
        Queue: {
            /** @description Ids of tracks, the last one at the end. */
            queue: string[];
            kind?: string | null;
            /** @default 1 */
            count?: number;
        };
        /** @description Whether there is something to serve. */
        Ready: {
            status: string;
            /** @description The release that this was read from. */
            release: string;
        };
        /**
         * @description The item in the user's own history that makes an entry believable.
         *
         *     plays  how often the user played it; None where the surface does not record that
         *     text   the reason as a person would say it: "Because you play Radiohead"
         */
        Reason: {
            kind: string;
            id: string;
            name: string;
            plays?: number | null;
            text: string;
        };
        /** @description How to run. */
        RunBody: {
            /**
             * @description Fit all models from nothing.
             * @default false
             */
            full?: boolean;
        };
        /** @description One dropped row: its place and what is wrong with it, without its content. */
        Sample: {
            file: string;
            line: number;
            why: string;
        };
        /** @description What a station or a playlist starts from. */
        Seed: {
            kind: string;
            /** @description An id or a name; the words of a tag or a text. */
            id: string;
        };
        /** @description Who is there; without a user nobody is, and private is whatever needs one. */
        SessionAnswer: {
            user?: string | null;
            /** @default [] */
            scopes?: ("read" | "submit" | "manage" | "admin")[];
            /** @description When the private session ends by itself. */
            private_until?: number | null;
            /** @description The id of the session's token. */
            token?: string | null;
            library: components["schemas"]["LibraryAnswer"];
        };
        /**
         * @description What a model counts in the blend of one kind.
         *
         *     weight  0 for one that was left out
         *     adds    NDCG@20 that it adds, and its standard error; None if weights were not learned
         */
        Share: {
            kind: string;
            weight: number;
            adds?: number | null;
            error?: number | null;
        };
        /** @description A station to start. */
        StartStation: {
            /**
             * @description From familiar (0) to adventurous (1).
             * @default 0.5
             */
            adventure?: number;
            /** @description Of the draws; another one each time by default. */
            seed?: number | null;
            seeds: components["schemas"]["Seed"][];
            title?: string | null;
            kind?: string | null;
            /**
             * @description Whether the server keeps the station.
             * @default true
             */
            keep?: boolean;
            /**
             * @description How many tracks to play next.
             * @default 10
             */
            count?: number;
        };
        /** @description A signal to a station that the server does not keep. */
        StateSignal: {
            action?: ("up" | "down" | "skip" | "undo") | null;
            /** @description The id of the track that the action is about. */
            item?: string | null;
            /** @description Seconds of it that were heard before a skip. */
            heard?: number | null;
            /**
             * @description What was drawn after the item will not be played, and may be drawn again.
             * @default false
             */
            requeue?: boolean;
            adventure?: number | null;
            /**
             * @description How many tracks to play next.
             * @default 10
             */
            count?: number;
            /** @description As the last answer had it. */
            state: {
                [key: string]: unknown;
            };
        };
        /** @description A radio station: items in the order in which to play them. */
        Station: {
            /** @description The release that this was read from. */
            release: string;
            /** @description The id that the list belongs to; * where it is everyone's. */
            key: string;
            /** @description The name of the key. */
            name?: string | null;
            /** @description What the entries are. */
            kind: string;
            /** @description The model that computed the list, if the request named one. */
            model?: string | null;
            /** @description The same seed plays the same station, as long as the release is active. */
            seed: number;
            entries: components["schemas"]["Entry"][];
        };
        /** @description A station, and what it plays next. */
        StationAnswer: {
            /** @description Left out for a station that is not kept. */
            id?: string | null;
            title: string;
            kind: string;
            adventure: number;
            seeds: components["schemas"]["Named"][];
            /** @description Thumbs and skips by id. */
            marks: {
                [key: string]: "up" | "down" | "skip";
            };
            /**
             * @description What to play next.
             * @default []
             */
            tracks?: components["schemas"]["TrackAnswer"][];
            /** @description To be sent back, of a station that is not kept. */
            state?: {
                [key: string]: unknown;
            } | null;
        };
        /** @description What happened to a station; what is left out did not. */
        StationSignal: {
            action?: ("up" | "down" | "skip" | "undo") | null;
            /** @description The id of the track that the action is about. */
            item?: string | null;
            /** @description Seconds of it that were heard before a skip. */
            heard?: number | null;
            /**
             * @description What was drawn after the item will not be played, and may be drawn again.
             * @default false
             */
            requeue?: boolean;
            adventure?: number | null;
            /**
             * @description How many tracks to play next.
             * @default 10
             */
            count?: number;
        };
        /** @description The stations of a user, the last changed first. */
        StationsAnswer: {
            stations: components["schemas"]["StationAnswer"][];
        };
        /** @description An item on a way, and how close it is to the one before; None for the first. */
        Stop: {
            node: components["schemas"]["Node"];
            closeness?: number | null;
        };
        /**
         * @description A surface table of a release.
         *
         *     name         "radio-track", the surface and what it lists
         *     key          what a list is asked for by: "user", or a kind of item
         *     kind         what the lists consist of
         *     reason_kind  what the reasons are; None in a table without reasons
         *     columns      what an entry has besides its item, sorted
         *     keys         how many lists there are
         */
        TableInfo: {
            name: string;
            surface: string;
            key: string;
            kind: string;
            reason_kind?: string | null;
            /** @default [] */
            columns?: string[];
            keys: number;
        };
        /**
         * @description A tag on the map.
         *
         *     items   of which it is said
         *     weight  how much it says in the whole library; 1 for the first
         *     x, y    its place, from -1 to 1; tags that are said of the same items lie close
         */
        Tag: {
            name: string;
            items: number;
            weight: number;
            x: number;
            y: number;
        };
        /** @description What a tag is said of. */
        TagAnswer: {
            release: string;
            tag: string;
            /** @description By kind, those that it says most about first. */
            items: {
                [key: string]: components["schemas"]["Entry"][];
            };
            /** @description Tags that lie close on the map. */
            similar: components["schemas"]["Tag"][];
        };
        /** @description The tags that say most, first the strongest, with places from -1 to 1. */
        TagsAnswer: {
            release: string;
            /** @description What they are said of. */
            kind: string;
            total: number;
            tags: components["schemas"]["Tag"][];
        };
        /** @description A user's taste on the map. */
        TasteAnswer: {
            release: string;
            tags: components["schemas"]["TasteTag"][];
            roots: components["schemas"]["TasteRoot"][];
        };
        /**
         * @description An artist or a show that the user plays; x and y are None if no tag of the map is known of it.
         *
         *     share  of the user's plays
         */
        TasteRoot: {
            item: components["schemas"]["Named"];
            plays: number;
            share: number;
            x?: number | null;
            y?: number | null;
        };
        /** @description A tag, and its share of the user's plays: of all shares the sum is at most 1. */
        TasteTag: {
            tag: components["schemas"]["Tag"];
            share: number;
        };
        /** @description The words that say most about an item, the strongest first, each with its weight. */
        Terms: {
            /** @description The release that this was read from. */
            release: string;
            item: components["schemas"]["Named"];
            terms: [
                string,
                number
            ][];
        };
        /** @description A token or an app password, without its secret. */
        TokenAnswer: {
            id: string;
            label: string;
            /** @enum {string} */
            sort: "token" | "password";
            scopes: ("read" | "submit" | "manage" | "admin")[];
            /** @description Milliseconds since 1970, UTC. */
            created_at: number;
            /** @description The last day on which it was used. */
            used_at?: number | null;
            /** @description Whether this request came with it. */
            current: boolean;
        };
        /** @description A user's tokens and app passwords, oldest first. */
        TokensAnswer: {
            tokens: components["schemas"]["TokenAnswer"][];
        };
        /**
         * @description What was played, as the player described it, and the item that it is where that is known.
         *
         *     item          the item of the catalogue; None where nothing matches
         *     title         the name of a track or an episode; None where an artist or a show is meant
         *     artist        the name of the artist or the show
         *     album         the name of the release
         *     mbid          the MusicBrainz id of the recording
         *     artist_mbids  the MusicBrainz ids of its artists
         *     duration_ms   how long it is
         */
        Track: {
            item?: components["schemas"]["ItemRef"] | null;
            title?: string | null;
            artist?: string | null;
            album?: string | null;
            mbid?: string | null;
            /** @default [] */
            artist_mbids?: string[];
            duration_ms?: number | null;
        };
        /** @description A track to play, and why. */
        TrackAnswer: {
            id: string;
            name: string;
            parent?: components["schemas"]["Named"] | null;
            text: string;
            because: components["schemas"]["Because"][];
        };
        /** @description What is played: an item, or names that are looked up. Without a title it is an artist or a show. */
        TrackBody: {
            item?: components["schemas"]["ItemBody"] | null;
            title?: string | null;
            artist?: string | null;
            album?: string | null;
            /** @description The MusicBrainz id of the recording. */
            mbid?: string | null;
            duration_ms?: number | null;
        };
        /**
         * @description Why an item is on the page of a user, or why it isn't.
         *
         *     text           the answer in a sentence or two
         *     parent         what the item belongs to; None for a root, and where it is unknown
         *     model          the leading model
         *     place          on the page, from 1
         *     page           the length of the page
         *     rank           by score alone, from 1, among the ``candidates``
         *     score          as on the page, before the deduction for being like other items of the page
         *     models         what each model of a blend adds to the blend's own score; empty where another model leads
         *     chance         that the user plays a candidate, by the blend's score and by plays that were hidden from it
         *     contributions  what each model and feature added to the score, where the scorer can say that
         *     proposed_by    the leading model, "related", or both
         *     reason         what stands beside it on the page
         *     evidence       what else of the history it is close to, the strongest first
         */
        Why: {
            user: string;
            item: components["schemas"]["Named"];
            parent?: components["schemas"]["Named"] | null;
            model: string;
            /** @enum {string} */
            outcome: "shown" | "played" | "unwanted" | "familiar" | "alias" | "unknown root" | "not learned" | "not proposed" | "not among the popular" | "scored too low" | "too alike" | "enough of its root" | "reason used up" | "no reason";
            text: string;
            place?: number | null;
            page: number;
            rank?: number | null;
            candidates: number;
            score?: number | null;
            contributions?: {
                [key: string]: number;
            };
            models?: {
                [key: string]: number;
            };
            chance?: number | null;
            /** @default [] */
            proposed_by?: string[];
            reason?: components["schemas"]["Reason"] | null;
            /** @default [] */
            evidence?: components["schemas"]["Evidence"][];
        };
        /** @description Why an item is on a user's Discover page, or why it isn't. */
        WhyAnswer: {
            /** @description The release that this was read from. */
            release: string;
            why: components["schemas"]["Why"];
        };
        /** @description Why a station plays a track, or why not. */
        WhyTrackAnswer: {
            text: string;
            /** @description That it is drawn next, 0 to 1. */
            chance: number;
            because: components["schemas"]["Because"][];
            /** @description What each thumb and skip multiplies its odds by. */
            nudges: {
                [key: string]: number;
            };
        };
        /** @description A piece of work that is going on. */
        WorkAnswer: {
            title: string;
            share?: number | null;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
