// Who is there: the account of this browser, what it may do, what the library has, the private session.
import { del, get, part, post, put } from './api'
import type { components } from './schema'

type Schemas = components['schemas']

type Answer = Schemas['SessionAnswer']
type Library = Schemas['LibraryAnswer']

export type Place = 'asking' | 'in' | 'out' | 'gone'

class Session {
  place = $state<Place>('asking')
  user = $state('')
  scopes = $state<string[]>([])
  privateUntil = $state<number | null>(null)
  library = $state.raw<Library>({ kinds: [], lists: {}, words: false, invented: false })

  get admin(): boolean {
    return this.scopes.includes('admin')
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

  async ask(): Promise<void> {
    try {
      this.#take(await get<Answer>('session'))
    } catch {
      this.place = 'gone'
    }
  }

  async enter(token: string): Promise<void> {
    this.#take(await post<Answer>('session', { token }))
  }

  async leave(): Promise<void> {
    await del('session')
    this.place = 'out'
  }

  async setPrivate(on: boolean): Promise<void> {
    const path = `${this.own}/private`
    const answer = await (on ? put<{ until?: number }>(path, {}) : del<{ until?: number }>(path))
    this.privateUntil = answer.until ?? null
  }

  #take(answer: Answer): void {
    this.user = answer.user ?? ''
    this.scopes = answer.scopes ?? []
    this.privateUntil = answer.private_until ?? null
    this.library = answer.library
    this.place = answer.user ? 'in' : 'out'
  }
}

export const session = new Session()
