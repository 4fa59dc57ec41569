import { expect, it } from 'vitest'
import { lit } from './tags'
import type { TagsAnswer, TasteAnswer } from './types'

const tag = (name: string) => ({ name, items: 4, weight: 1, x: 0, y: 0 })

it("lights a tag against the user's strongest, whatever its share of all plays", () => {
  const all = { tags: [tag('dub'), tag('jazz')] } as TagsAnswer
  const taste = { tags: [{ tag: tag('acid'), share: 0.08 }, { tag: tag('dub'), share: 0.02 }] } as TasteAnswer
  expect(lit(all, taste).map(({ name, glow }) => [name, glow])).toEqual([['dub', 0.5], ['jazz', 0], ['acid', 1]])
})
