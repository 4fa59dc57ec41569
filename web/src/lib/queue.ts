// What the player does to its queue, as functions of plain data.
import type { Entry, Item, Piece, TrackAnswer } from './types'
import { text } from '../strings'

/** Seconds of a track after which it counts as heard: 30, or half of a shorter one. */
export const heardAfter = (seconds: number): number => (seconds > 0 ? Math.min(30, seconds / 2) : 30)

export const fromEntry = (kind: string, entry: Entry): Piece => ({
  kind,
  id: entry.id,
  name: entry.name,
  parent: entry.parent ?? null,
  ...(entry.reason && { because: entry.reason.text }),
})

export const fromItem = (item: Item): Piece => ({
  kind: item.kind,
  id: item.id,
  name: item.name,
  parent: item.parent ?? null,
  length: Number(item.fields?.duration_ms ?? 0),
  because: text.listeners(item.listeners),
})

/** A track of a station; one that was drawn from elsewhere than its seeds is an added one. */
export const fromStation = (kind: string, track: TrackAnswer): Piece => ({
  kind,
  id: track.id,
  name: track.name,
  parent: track.parent ?? null,
  because: track.text,
  added: !track.because.some((one) => one.origin === 'seed'),
})

/**
 * The queue after a signal about `item`, whose station drew `drawn` for after it: what follows the item, or what is
 * played if that is later, is replaced. A thumb down removes the item if it still was to come.
 */
export function steered(queue: Piece[], at: number, item: string, drawn: Piece[], down: boolean): Piece[] {
  const place = queue.findLastIndex((one) => one.id === item)
  const kept = queue.slice(0, Math.max(place, at) + 1).filter((one, index) => index <= at || !down || one.id !== item)
  const present = new Set(kept.map((one) => one.id))
  return [...kept, ...drawn.filter((one) => !present.has(one.id))]
}

/** The queue without the item at `place`, and where it plays then. */
export function without(queue: Piece[], at: number, place: number): [Piece[], number] {
  return [queue.filter((_, index) => index !== place), place < at ? at - 1 : at]
}

/** The queue with an item put back to `place`, and where it plays then. */
export function inserted(queue: Piece[], at: number, place: number, piece: Piece): [Piece[], number] {
  return [queue.toSpliced(place, 0, piece), place <= at ? at + 1 : at]
}

/** The queue with the item at `from` moved to `to`, and where it plays then. */
export function moved<T>(queue: T[], at: number, from: number, to: number): [T[], number] {
  const playing = queue[at]
  const rest = queue.filter((_, index) => index !== from)
  const next = [...rest.slice(0, to), queue[from] as T, ...rest.slice(to)]
  return [next, playing === undefined ? at : next.indexOf(playing)]
}

/** The items with keys that differ also where one is there twice. */
export function keyed(queue: Piece[]): [string, Piece][] {
  const times: Record<string, number> = {}
  return queue.map((piece) => [`${piece.id} ${(times[piece.id] = (times[piece.id] ?? 0) + 1)}`, piece])
}

/** Entries in strips by their reason, the fullest reasons first as the page ranks them; single ones share the last. */
export function strips(entries: Entry[], least = 2): { reason: Entry['reason']; entries: Entry[] }[] {
  const byReason: Record<string, Entry[]> = {}
  for (const entry of entries) (byReason[entry.reason?.text ?? ''] ??= []).push(entry)
  const full = Object.values(byReason).filter((group) => group.length >= least && group[0]?.reason).sort((a, b) => b.length - a.length)
  const rest = entries.filter((entry) => !full.some((group) => group.includes(entry)))
  const made = full.map((group) => ({ reason: group[0]?.reason, entries: group }))
  return rest.length ? [...made, { reason: undefined, entries: rest }] : made
}
