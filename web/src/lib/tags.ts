// The map of tags, with the user's taste lit on it.
import type { Node } from './map'
import type { TagsAnswer, TasteAnswer } from './types'

const EDGE = 0.92 // leaves room for names at the edges

/** Tags at their places, lit against the user's strongest; the square root lets weaker tastes be seen too. */
export function lit(all: TagsAnswer, taste: TasteAnswer): Node[] {
  const shares = new Map(taste.tags.map(({ tag, share }) => [tag.name, share]))
  const known = new Set(all.tags.map((tag) => tag.name))
  const tags = [...all.tags, ...taste.tags.map(({ tag }) => tag).filter((tag) => !known.has(tag.name))]
  const strongest = Math.max(1e-9, ...shares.values())
  const most = Math.max(1, ...tags.map((tag) => tag.items))
  return tags.map((tag) => ({ id: tag.name, name: tag.name, weight: tag.items / most, glow: Math.sqrt((shares.get(tag.name) ?? 0) / strongest), place: { x: tag.x * EDGE, y: tag.y * EDGE } }))
}
