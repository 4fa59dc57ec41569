// What tabs of this page tell each other.
type Said = 'playing' | 'session'

const channel = new BroadcastChannel('crossfade')

export const tell = (said: Said): void => channel.postMessage(said)
/** Do something when another tab says so. */
export const hear = (said: Said, handle: () => void): void =>
  channel.addEventListener('message', (event) => event.data === said && handle())
