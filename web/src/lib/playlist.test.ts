import { describe, expect, it } from 'vitest'
import { undone, type Track } from './playlist'

const [a, b, c, d] = [...'abcd'].map((title) => ({ title }) as Track) as [Track, Track, Track, Track]

describe('a change of a playlist that is undone', () => {
  it('leaves what was changed since', () => {
    expect(undone([b, c, d], [a, b, c], [b, c])).toEqual([a, b, c, d])
    expect(undone([a, d], [a, b], [a, b, d])).toEqual([a])
    expect(undone([b, d], [a, b], [a, b, c])).toEqual([b, d])
  })
  it('moves a track back', () => {
    expect(undone([c, a, b, d], [a, b, c], [c, a, b])).toEqual([a, b, c, d])
  })
})
