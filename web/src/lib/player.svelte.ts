// The player: a queue, two audio elements so that the next track is there when one ends, and the station that fills it.
import { push } from 'svelte-spa-router'
import { audible } from './audible.svelte'
import { pictureOf } from './cover'
import { address, del, get, part, post, put } from './api'
import { thumb } from './opinions.svelte'
import { Outbox } from './outbox'
import { known, tracksOf } from './playlist'
import { fromStation, heardAfter, inserted, moved, steered, without } from './queue'
import { server } from './server.svelte'
import { session } from './session.svelte'
import { hear, tell } from './tabs'
import { attempt, toasts } from './toasts.svelte'
import type { Piece, PlaylistAnswer, StationAnswer, TrackAnswer } from './types'
import { text } from '../strings'

const AHEAD = 5 // tracks that are always to come, while there is a source of them
const DRAWN = 10 // tracks that are asked for at a time
const REMEMBERED = 20 // of the queue, for what follows it
const UNHEARD = 3 // tracks without audio in a row, after which the player gives up

export type Mark = 'up' | 'down' | 'skip'
type Signal = { action?: Mark | 'undo'; item?: string; heard?: number; requeue?: boolean; adventure?: number }

export interface Seed {
  kind: string
  id: string
}

/** A share that this browser remembers. */
const stored = (name: string, fallback: number): number => {
  const kept = Number(localStorage.getItem(name) ?? Number.NaN)
  return Number.isNaN(kept) ? fallback : Math.min(1, Math.max(0, kept))
}

class Player {
  queue = $state.raw<Piece[]>([])
  at = $state(-1)
  playing = $state(false)
  seconds = $state(0)
  length = $state(0)
  station = $state.raw<StationAnswer | null>(null)
  /** Thumbs outside a station, by id. */
  thumbs = $state<Record<string, Mark>>({})
  volume = $state(stored('volume', 1))
  /** Whether something follows a queue that ends. */
  endless = $state(true)

  current = $derived<Piece | undefined>(this.queue[this.at])
  following = $derived(this.queue.slice(this.at + 1))

  #audio = [new Audio(), new Audio()] as const
  #front = 0
  #heard = 0
  #told = false
  #startedAt = 0
  #context: string | undefined
  #unheard = 0
  #signals: Promise<unknown> = Promise.resolve()
  #filling = false
  #listens = new Outbox<object>((listens) => post(`${session.own}/listens`, { listens }))

  constructor() {
    for (const element of this.#audio) {
      element.preload = 'auto'
      const ours = (handle: () => void) => () => element === this.#element && handle()
      element.addEventListener('timeupdate', ours(() => this.#ticked(element.currentTime)))
      element.addEventListener('durationchange', ours(() => (this.length = element.duration || 0)))
      element.addEventListener('play', ours(() => this.#began()))
      element.addEventListener('pause', ours(() => (this.playing = false)))
      element.addEventListener('ended', ours(() => void this.#ended()))
      element.addEventListener('error', ours(() => void this.#failed()))
    }
    // One tab at a time is heard.
    hear('playing', () => this.#element.pause())
    this.#mediaKeys()
  }

  get #element(): HTMLAudioElement {
    return this.#audio[this.#front] as HTMLAudioElement
  }

  /** Play what can be heard of a list from one of its items; `context` is the playlist that it is. */
  async play(pieces: Piece[], start = 0, context?: string): Promise<void> {
    const heard = await audible.only(pieces)
    void this.#leave()
    this.station = null
    this.#context = context
    this.queue = heard
    this.#go(Math.max(0, heard.indexOf(pieces[start] as Piece)))
  }

  /** Add an item to the queue: after what is playing, or at the end. */
  add(piece: Piece, next = false): void {
    const place = next ? this.at + 1 : this.queue.length
    const idle = this.at < 0
    this.queue = this.queue.toSpliced(place, 0, { ...piece, added: false })
    toasts.say(text.player.queued(piece.name))
    if (idle) this.#go(0)
    else this.#preload()
  }

  /** Play a playlist by its id. */
  async playList(id: string): Promise<void> {
    await attempt(async () => {
      const playlist = await get<PlaylistAnswer>(`playlists/${part(id)}`)
      await this.play(known(tracksOf(playlist), session.mainKind, playlist.reasons), 0, id)
    })
  }

  /** Start a station from items, tags, texts or playlists, and show it. */
  async startStation(seeds: Seed[], adventure = 0.5): Promise<void> {
    await attempt(async () => {
      const asked = { seeds, adventure, count: DRAWN, kind: session.mainKind }
      await this.#tune(await post<StationAnswer>('stations', asked))
      await push('/radio')
    })
  }

  /** Go on with a station of before. */
  async resume(id: string): Promise<void> {
    await attempt(async () => {
      const known = await get<StationAnswer>(`stations/${part(id)}`)
      await this.#tune(await post<StationAnswer>(`stations/${part(id)}/next`, { count: DRAWN }), known)
    })
  }

  /** Leave the station and the queue, once what was heard is told. */
  async stop(): Promise<void> {
    const told = this.#leave()
    this.station = null
    this.queue = []
    this.at = -1
    this.#element.pause()
    this.#element.removeAttribute('src')
    this.#show()
    await told
  }

  toggle(): void {
    if (this.current === undefined || !session.playable) return
    if (this.#element.paused) void this.#element.play().catch(() => undefined)
    else this.#element.pause()
  }

  /** Play the next track; one that was left early counts as skipped. */
  next(): void {
    const left = this.current
    if (left === undefined) return
    const skipped = this.station !== null && !this.#told
    if (skipped) void this.#signal({ action: 'skip', item: left.id, heard: this.#heard })
    void this.#leave()
    if (this.at + 1 < this.queue.length) this.#go(this.at + 1)
  }

  /** Play the track before; one that has begun is played anew, which is another listen. */
  previous(): void {
    if (this.current) this.jump(this.seconds > 4 ? this.at : Math.max(0, this.at - 1))
  }

  jump(place: number): void {
    void this.#leave()
    this.#go(place)
  }

  seek(seconds: number): void {
    this.#element.currentTime = this.seconds = seconds
  }

  setVolume(volume: number): void {
    this.volume = volume
    for (const element of this.#audio) element.volume = volume
    localStorage.setItem('volume', String(volume))
  }

  remove(place: number): void {
    const removed = this.queue[place]
    if (removed === undefined || place === this.at) return
    ;[this.queue, this.at] = without(this.queue, this.at, place)
    this.#preload()
    toasts.say(text.player.removed(removed.name), () => {
      ;[this.queue, this.at] = inserted(this.queue, this.at, place, removed)
      this.#preload()
    })
  }

  /** Take all that is to come out of the queue. */
  clear(): void {
    const before = this.queue
    this.queue = before.slice(0, this.at + 1)
    this.#preload()
    toasts.say(text.radio.cleared, () => (this.queue = before))
  }

  /** Whether similar tracks follow the last of the queue. */
  setEndless(on: boolean): void {
    this.endless = on
    if (on) void this.#fill()
  }

  move(from: number, to: number): void {
    if (to <= this.at || to >= this.queue.length) return
    ;[this.queue, this.at] = moved(this.queue, this.at, from, to)
    this.#preload()
  }

  markOf(id: string): Mark | undefined {
    return this.station?.marks[id] ?? this.thumbs[id]
  }

  /** A thumb for an item of the queue; the same again takes it back. The station chooses anew what follows. */
  async mark(piece: Piece, action: 'up' | 'down'): Promise<void> {
    const back = this.markOf(piece.id) === action
    if (this.station === null) {
      const value = back ? 0 : action === 'up' ? 1 : -1
      if (!(await attempt(() => thumb(piece, value)))) return
      const { [piece.id]: _, ...others } = this.thumbs
      this.thumbs = back ? others : { ...others, [piece.id]: action }
    } else {
      // Shown at once: what the station draws after it takes longer than a glance.
      const before = this.station.marks
      const { [piece.id]: _, ...others } = before
      this.station = { ...this.station, marks: back ? others : { ...others, [piece.id]: action } }
      const sent = await this.#signal({ action: back ? 'undo' : action, item: piece.id, requeue: true })
      if (!sent && this.station) this.station = { ...this.station, marks: before }
    }
    if (action === 'down' && !back && piece.id === this.current?.id) this.next()
  }

  /** From familiar (0) to adventurous (1); what follows is chosen anew. */
  async setAdventure(adventure: number): Promise<void> {
    const item = this.current?.id
    await this.#signal({ adventure, requeue: true, ...(item !== undefined && { item }) })
  }

  async #tune(answer: StationAnswer, known: StationAnswer = answer): Promise<void> {
    const drawn = await this.#drawn(answer)
    void this.#leave()
    this.#context = answer.id ?? undefined
    this.station = { ...known, ...answer }
    this.queue = drawn
    this.#go(0)
  }

  /** What a station drew, and can be heard. */
  #drawn(answer: Pick<StationAnswer, 'kind' | 'tracks'>): Promise<Piece[]> {
    return audible.only((answer.tracks ?? []).map((track) => fromStation(answer.kind, track)))
  }

  /** Hand a signal to the station, after those before it; what it draws replaces or prolongs the queue. */
  #signal(signal: Signal): Promise<unknown> {
    const sent = async () => {
      const station = this.station
      if (station === null) return
      const path = station.id ? `stations/${part(station.id)}/next` : 'stations/next'
      const count = signal.requeue || this.following.length < AHEAD ? DRAWN : 0
      const answer = await post<StationAnswer>(path, { ...signal, count, ...(!station.id && { state: station.state }) })
      const drawn = await this.#drawn(answer)
      this.station = answer
      if (signal.requeue) this.queue = steered(this.queue, this.at, signal.item ?? '', drawn, signal.action === 'down')
      else this.queue = [...this.queue, ...drawn]
      this.#preload()
    }
    const done = this.#signals.then(() => attempt(sent))
    this.#signals = done
    return done
  }

  #go(place: number): void {
    this.at = place
    this.#heard = this.seconds = 0
    this.#told = false
    this.#startedAt = Date.now()
    const piece = this.current
    if (piece === undefined) return
    if (session.playable) {
      const url = audioOf(piece)
      const [front, back] = [this.#element, this.#audio[1 - this.#front] as HTMLAudioElement]
      front.pause()
      if (back.getAttribute('src') === url && !back.error) this.#front = 1 - this.#front
      else front.src = url
      this.#element.volume = this.volume
      // To seek takes a tenth of a second, also to where it is.
      if (this.#element.currentTime) this.#element.currentTime = 0
      void this.#element.play().catch(() => (this.playing = false))
      if (session.submits) void put(`${session.own}/playing`, { track: trackOf(piece), player: text.player.name }).catch(() => undefined)
    }
    // One that was loaded ahead said how long it is when nobody listened.
    this.length = this.#element.duration || (piece.length ?? 0) / 1000
    this.#show()
    this.#preload()
    void this.#fill()
  }

  /** Have the next track loaded in the other element. */
  #preload(): void {
    const next = this.queue[this.at + 1]
    const back = this.#audio[1 - this.#front] as HTMLAudioElement
    if (next && session.playable && back.getAttribute('src') !== audioOf(next)) back.src = audioOf(next)
  }

  /** Ask for more where little is to come. */
  async #fill(): Promise<void> {
    if (this.following.length >= AHEAD || this.#filling) return
    this.#filling = true
    if (this.station !== null) await this.#signal({})
    else if (this.endless && this.queue.length) await this.#follow().catch(() => undefined)
    this.#filling = false
  }

  async #follow(): Promise<void> {
    const kind = this.queue.at(-1)?.kind
    const queue = this.queue.filter((one) => one.kind === kind).map((one) => one.id)
    const asked = { queue: queue.slice(-REMEMBERED), kind, count: DRAWN }
    const drawn = await this.#drawn(await post<{ kind: string; tracks: TrackAnswer[] }>('now-playing', asked))
    const present = new Set(queue.slice(-REMEMBERED)) // what was played long ago may come again
    const added = drawn.filter((one) => !present.has(one.id))
    if (this.station === null) this.queue = [...this.queue, ...added.map((one) => ({ ...one, added: true }))]
    this.#preload()
  }

  #began(): void {
    this.playing = true
    tell('playing')
  }

  #ticked(seconds: number): void {
    // However late this comes: what jumps, `seek`, sets the place that it is counted from.
    this.#heard += Math.max(0, seconds - this.seconds)
    this.seconds = seconds
    if (seconds > 0) this.#unheard = 0
    if (!this.#told && this.#heard >= heardAfter(this.length)) void this.#tell()
  }

  /** Report what was heard: once, when it counts, or when a track is left before that. */
  async #tell(): Promise<void> {
    const piece = this.current
    if (piece === undefined || this.#told || !session.playable || !session.submits) return
    this.#told = true
    const listen = {
      listened_at: this.#startedAt,
      track: trackOf(piece),
      ms_played: Math.round(this.#heard * 1000),
      client: text.player.name,
      ...(this.station && { source: 'radio' }),
      ...(this.#context && { context: this.#context }),
    }
    await attempt(() => this.#listens.send(listen))
  }

  async #leave(): Promise<void> {
    if (this.#heard > 1) await this.#tell()
  }

  async #ended(): Promise<void> {
    void this.#leave()
    if (!this.following.length) await this.#fill()
    if (this.following.length) this.#go(this.at + 1)
    else {
      this.playing = false
      await del(`${session.own}/playing`, { player: text.player.name }).catch(() => undefined)
    }
  }

  async #failed(): Promise<void> {
    const piece = this.current
    if (piece === undefined || !this.#element.getAttribute('src')) return
    const { seconds } = this
    if (!(await server.answers())) {
      // It plays on from here as soon as the server is back.
      this.playing = false
      await server.back()
      if (piece !== this.current) return
      this.#element.src = audioOf(piece)
      this.#element.currentTime = seconds
      void this.#element.play().catch(() => undefined)
      return
    }
    toasts.say(text.player.noAudio(piece.name), undefined, true)
    if (++this.#unheard < UNHEARD && this.at + 1 < this.queue.length) this.#go(this.at + 1)
    else this.playing = false
  }

  /** Tell the system what plays, for the lock screen and the media keys. */
  #show(): void {
    const piece = this.current
    if (!('mediaSession' in navigator)) return
    navigator.mediaSession.metadata = piece
      ? new MediaMetadata({
          title: piece.name,
          artist: piece.parent?.name ?? '',
          album: this.station?.title ?? '',
          artwork: [{ src: pictureOf(piece.id), type: 'image/png' }],
        })
      : null
  }

  #mediaKeys(): void {
    if (!('mediaSession' in navigator)) return
    const keys: Partial<Record<MediaSessionAction, (details: MediaSessionActionDetails) => void>> = {
      play: () => this.#element.paused && this.toggle(),
      pause: () => this.#element.pause(),
      nexttrack: () => this.next(),
      previoustrack: () => this.previous(),
      seekto: (details) => details.seekTime !== undefined && this.seek(details.seekTime),
    }
    for (const [key, handle] of Object.entries(keys)) {
      navigator.mediaSession.setActionHandler(key as MediaSessionAction, handle)
    }
  }
}

export const audioOf = (piece: Piece): string => address(`${piece.kind}s/${part(piece.id)}/audio`)
/** What is reported, by its id and by the names that the history shows. */
const trackOf = ({ kind, id, name, parent }: Piece) => ({
  item: { kind, id },
  ...(kind === 'artist' || kind === 'show' ? { artist: name } : { title: name, ...(parent && { artist: parent.name }) }),
})

export const player = new Player()
