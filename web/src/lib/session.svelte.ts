// Who is there: the account of this browser, what it may do, what the library has, the private session.
import { del, get, part, post, put, whenSignedOut } from './api'
import { searches } from './preferences.svelte'
import { server } from './server.svelte'
import type { components } from './schema'
import { hear, tell } from './tabs'

type Schemas = components['schemas']

type Answer = Schemas['SessionAnswer']
type Library = Schemas['LibraryAnswer']

/** Whether a kind is what tracks or episodes belong to; nothing of it plays by itself. */
export const isRoot = (kind: string): boolean => kind === 'artist' || kind === 'show'

export type Place = 'asking' | 'in' | 'out' | 'gone'

class Session {
  place = $state<Place>('asking')
  user = $state('')
  scopes = $state<string[]>([])
  privateUntil = $state<number | null>(null)
  library = $state.raw<Library>({ kinds: [], lists: {}, words: [], invented: false })
  #privacy: ReturnType<typeof setTimeout> | undefined

  constructor() {
    whenSignedOut(() => (this.place = 'out'))
    hear('session', () => void this.ask())
  }

  get admin(): boolean {
    return this.scopes.includes('admin')
  }

  /** Whether it may say what is played and liked, and steer stations. */
  get submits(): boolean {
    return this.admin || this.scopes.includes('submit')
  }

  /** The path of the user's own routes. */
  get own(): string {
    return `users/${part(this.user)}`
  }

  /** Whether there is audio to hear. */
  get playable(): boolean {
    return this.library.audio != null
  }

  /** The kind that people play: tracks where the library has them, else its roots. */
  get mainKind(): string {
    const { kinds } = this.library
    return kinds.find((kind) => kind === 'track' || kind === 'episode') ?? kinds[0] ?? 'artist'
  }

  /** Whether the library knows artists or shows, and nothing of them that could be played. */
  get rootsOnly(): boolean {
    return this.library.kinds.every(isRoot)
  }

  async ask(): Promise<void> {
    try {
      this.#take(await get<Answer>('session'))
    } catch {
      if (this.place !== 'in') this.place = 'gone'
      void server.back().then(() => this.ask())
    }
  }

  async enter(token: string): Promise<void> {
    const before = this.user
    this.#take(await post<Answer>('session', { token }))
    tell('session')
    // Nothing that the page remembers of somebody else stays.
    if (before && before !== this.user) {
      location.replace('#/')
      location.reload()
    }
  }

  async leave(): Promise<void> {
    await del('session')
    searches.forget()
    this.place = 'out'
    tell('session')
  }

  async setPrivate(on: boolean): Promise<void> {
    const path = `${this.own}/private`
    const answer = await (on ? put<{ until?: number }>(path, {}) : del<{ until?: number }>(path))
    this.#setPrivacy(answer.until)
    tell('session')
  }

  #take(answer: Answer): void {
    this.user = answer.user ?? ''
    this.scopes = answer.scopes ?? []
    this.#setPrivacy(answer.private_until)
    this.library = answer.library
    this.place = answer.user ? 'in' : 'out'
  }

  /** Show until when the private session lasts; the server is asked again when it is over. */
  #setPrivacy(until: number | null | undefined): void {
    clearTimeout(this.#privacy)
    this.privateUntil = until ?? null
    if (until != null) this.#privacy = setTimeout(() => void this.ask(), Math.max(1000, until - Date.now()))
  }
}

export const session = new Session()
