// The tracks of a playlist: as what is shown and played, and as they are sent back.
import type { Piece, PlaylistAnswer } from './types'
import { text } from '../strings'

export type Track = PlaylistAnswer['tracks'][number] & { item?: [string, string] | null }

export const tracksOf = (playlist: PlaylistAnswer): Track[] => playlist.tracks as Track[]

/** A track at its place as an item; one that the library does not have says so. `kind` is for those. */
export function fromTrack(track: Track, place: number, kind: string, reasons: Record<string, string> = {}): Piece {
  const id = track.item?.[1] ?? `${place} ${track.title}`
  return {
    kind: track.item?.[0] ?? kind,
    id,
    name: track.title ?? track.artist ?? id,
    because: [track.item?.[0] === 'artist' ? undefined : track.artist, reasons[id] ?? (track.item ? undefined : text.playlists.unknown)].filter(Boolean).join(' · '),
    length: track.duration_ms ?? 0,
  }
}

/** Those of a playlist that the library has. */
export const known = (tracks: Track[], kind: string, reasons?: Record<string, string>): Piece[] =>
  tracks.flatMap((track, place) => (track.item ? [fromTrack(track, place, kind, reasons)] : []))

export const sentTrack = ({ item, title, artist, album, mbid, duration_ms }: Track) => ({
  ...(item && { item: { kind: item[0], id: item[1] } }), title, artist, album, mbid, duration_ms,
})

/** The tracks `now`, without the change that made `after` of `before`; what was changed since stays. */
export function undone(now: Track[], before: Track[], after: Track[]): Track[] {
  const left = now.filter((one) => before.includes(one) || !after.includes(one))
  for (const [place, one] of before.entries()) if (!after.includes(one)) left.splice(place, 0, one)
  const order = (one: Track) => (before.includes(one) ? before.indexOf(one) : before.length)
  const wasMoved = before.length === after.length
  return wasMoved ? left.toSorted((one, other) => order(one) - order(other)) : left
}
