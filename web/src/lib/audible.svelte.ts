// Which tracks can be heard: of a music folder those that it has, which the server is asked, many at a time.
import { SvelteMap } from 'svelte/reactivity'
import { get } from './api'
import { session } from './session.svelte'
import type { Piece } from './types'

const MOST = 100 // tracks of one question

class Audible {
  #known = new SvelteMap<string, boolean>()
  #asked = new Set<string>()
  #waiting: string[] = []

  /** Whether an item can be heard; false until the server has said so. */
  has(piece: Pick<Piece, 'kind' | 'id'>): boolean {
    if (!session.playable || piece.kind !== session.mainKind) return false
    if (session.library.audio === 'made') return true
    if (!this.#asked.has(piece.id)) {
      this.#asked.add(piece.id)
      // All that is shown at once is asked for at once.
      if (this.#waiting.push(piece.id) === 1) queueMicrotask(() => void this.#ask(this.#waiting.splice(0)))
    }
    return this.#known.get(piece.id) ?? false
  }

  /** Those of some items that can be heard; all of them where none can. */
  async only(pieces: Piece[]): Promise<Piece[]> {
    if (session.library.audio !== 'files') return pieces
    await this.#ask(pieces.map((piece) => piece.id).filter((id) => !this.#known.has(id)))
    const heard = pieces.filter((piece) => this.#known.get(piece.id))
    return heard.length ? heard : pieces
  }

  async #ask(ids: string[]): Promise<void> {
    for (let start = 0; start < ids.length; start += MOST) {
      const asked = ids.slice(start, start + MOST)
      const query = new URLSearchParams(asked.map((id) => ['item', id]))
      const answer = await get<{ playable: string[] }>(`playable?${query}`).catch(() => undefined)
      if (!answer) for (const id of asked) this.#asked.delete(id)
      else for (const id of asked) this.#known.set(id, answer.playable.includes(id))
    }
  }
}

export const audible = new Audible()
