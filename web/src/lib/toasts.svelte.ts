// Short messages at the foot of the page, some with a button that undoes what they tell.
import { Refused } from './api'
import { text } from '../strings'

interface Toast {
  id: number
  message: string
  bad: boolean
  undo: (() => void) | undefined
}

const SECONDS = 8 // long enough to read a line and to reach the button

class Toasts {
  shown = $state<Toast[]>([])
  #made = 0

  say(message: string, undo?: () => unknown, bad = false): void {
    const id = ++this.#made
    const done = () => (this.shown = this.shown.filter((one) => one.id !== id))
    const undone = undo && (() => (done(), void attempt(undo)))
    this.shown = [...this.shown.slice(-2), { id, message, bad, undo: undone }]
    setTimeout(done, SECONDS * 1000)
  }
}

export const toasts = new Toasts()

/** Do something; what goes wrong is shown. Returns whether it went well. */
export async function attempt(action: () => unknown): Promise<boolean> {
  try {
    await action()
    return true
  } catch (error) {
    if (!(error instanceof Refused)) console.error(error)
    toasts.say(error instanceof Refused ? error.message : text.errors.unexpected, undefined, true)
    return false
  }
}
