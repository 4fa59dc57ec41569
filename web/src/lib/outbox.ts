// What must reach the server, also if it cannot be reached just now.
import { Refused } from './api'

const PAUSE = 30_000 // milliseconds until what could not be sent is sent again

/** Sends things in their order; those that could not be sent wait, and go with the next one, or after a pause. */
export class Outbox<T> {
  #waiting: T[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #turn: Promise<unknown> = Promise.resolve()

  constructor(readonly post: (all: T[]) => Promise<unknown>) {}

  /** Send one more. Throws what the server says where it would refuse the same again. */
  send(one: T): Promise<void> {
    this.#waiting.push(one)
    return this.#flush()
  }

  #flush(): Promise<void> {
    const turn = this.#turn.catch(() => undefined).then(() => this.#sent())
    this.#turn = turn
    return turn
  }

  async #sent(): Promise<void> {
    clearTimeout(this.#timer)
    const all = this.#waiting.splice(0)
    if (!all.length) return
    try {
      await this.post(all)
    } catch (error) {
      const later = error instanceof Refused && (error.status === 0 || error.status === 429 || error.status >= 500)
      if (!later) throw error
      this.#waiting.unshift(...all)
      this.#timer = setTimeout(() => void this.#flush().catch(() => undefined), PAUSE)
    }
  }
}
