// The answers of the API by the names that the page uses.
import type { components } from './schema'

type Schemas = components['schemas']
export type Named = Schemas['Named']
export type Entry = Schemas['Entry']
export type Item = Schemas['Item']
export type Listing = Schemas['Listing']
export type Found = Schemas['Found']
export type Why = Schemas['Why']
export type WhyTrack = Schemas['WhyTrackAnswer']
export type TrackAnswer = Schemas['TrackAnswer']
export type StationAnswer = Schemas['StationAnswer']
export type PlaylistAnswer = Schemas['PlaylistAnswer']
export type PlaylistRow = Schemas['PlaylistRow']
export type Listen = Schemas['ListenAnswer']
export type Playing = Schemas['PlayingAnswer']
export type ReleaseAnswer = Schemas['ActiveReleaseAnswer']

/** What a list shows and the player plays: an item, and why it is there. */
export interface Piece {
  kind: string
  id: string
  name: string
  parent?: Named | null
  /** Why it is there, in a sentence. */
  because?: string
  /** Its length in milliseconds. */
  length?: number
  /** Whether it was added by itself, so that it looks different from what was chosen. */
  added?: boolean
}

export type MapAnswer = Schemas['MapAnswer']
export type PathAnswer = Schemas['PathAnswer']
export type ChildrenAnswer = Schemas['ChildrenAnswer']
export type AlbumsAnswer = Schemas['AlbumsAnswer']
export type AlbumAnswer = Schemas['AlbumAnswer']
export type TagsAnswer = Schemas['TagsAnswer']
export type TagAnswer = Schemas['TagAnswer']
export type TasteAnswer = Schemas['TasteAnswer']
export type Imported = Schemas['Imported']
export type ImportedPlays = Schemas['ImportedPlaysAnswer']
export type Job = Schemas['JobDescribed']
export type ModelsAnswer = Schemas['ModelsAnswer']
export type EvaluationAnswer = Schemas['EvaluationAnswer']
export type Block = Schemas['BlockAnswer']
export type Exclusion = Schemas['ExclusionBody']
export type Token = Schemas['TokenAnswer']
