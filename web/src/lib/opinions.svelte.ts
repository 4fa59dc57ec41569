// What the user likes and does not want: at once on the page, then on the server, with undo.
import { del, post } from './api'
import { session } from './session.svelte'
import { attempt, toasts } from './toasts.svelte'
import type { Piece } from './types'
import { text } from '../strings'

const WEEK = 7

class Opinions {
  /** Ids that were dismissed since the page was opened; the server leaves them out of later answers. */
  gone = $state<Set<string>>(new Set())

  async dismiss(piece: Piece, days?: number): Promise<void> {
    this.gone = new Set(this.gone).add(piece.id)
    const item = { kind: piece.kind, id: piece.id }
    const kept = await attempt(() => post(`${session.own}/blocks`, { item, ...(days && { days }) }))
    if (!kept) this.#back(piece.id)
    else {
      const said = days ? text.dismiss.snoozed(piece.name, days) : text.dismiss.done(piece.name)
      toasts.say(said, () => this.allow(piece))
    }
  }

  snooze(piece: Piece): Promise<void> {
    return this.dismiss(piece, WEEK)
  }

  /** Take a block back. */
  async allow(piece: Pick<Piece, 'kind' | 'id'>): Promise<void> {
    await del(`${session.own}/blocks`, { kind: piece.kind, item: piece.id })
    this.#back(piece.id)
  }

  #back(id: string): void {
    this.gone = new Set([...this.gone].filter((one) => one !== id))
  }
}

export const opinions = new Opinions()

/** Give an item a thumb: 1, -1, or 0 to take it back. */
export const thumb = (piece: Piece, value: number) =>
  post(`${session.own}/feedback`, {
    feedback: [{ sort: 'thumb', value, track: { item: { kind: piece.kind, id: piece.id } } }],
  })

