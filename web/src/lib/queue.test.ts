import { describe, expect, it } from 'vitest'
import { heardAfter, inserted, keyed, moved, steered, strips, without } from './queue'
import type { Entry, Piece } from './types'

const track = (id: string): Piece => ({ kind: 'track', id, name: id })
const queue = (ids: string): Piece[] => [...ids].map(track)
const ids = (pieces: Piece[]): string => pieces.map((piece) => piece.id).join('')

describe('what counts as heard', () => {
  it('is 30 seconds, or half of a shorter track', () => {
    expect([heardAfter(200), heardAfter(24), heardAfter(0)]).toEqual([30, 12, 30])
  })
})

describe('a signal to the station', () => {
  it('replaces what follows the track that plays', () => {
    expect(ids(steered(queue('abcd'), 1, 'b', queue('xyz'), false))).toBe('abxyz')
  })
  it('keeps what comes before a later track that has the thumb', () => {
    expect(ids(steered(queue('abcd'), 0, 'c', queue('xy'), false))).toBe('abcxy')
  })
  it('takes a disliked track out that was still to come', () => {
    expect(ids(steered(queue('abcd'), 0, 'c', queue('xy'), true))).toBe('abxy')
  })
  it('leaves the track that plays, whatever its thumb', () => {
    expect(ids(steered(queue('abcd'), 1, 'b', queue('xy'), true))).toBe('abxy')
  })
  it('does not repeat what is kept', () => {
    expect(ids(steered(queue('ab'), 0, 'b', queue('bx'), false))).toBe('abx')
  })
})

describe('the queue', () => {
  it('has a key for each time that a track is in it', () => {
    expect(keyed(queue('aba')).map(([key]) => key)).toEqual(['a 1', 'b 1', 'a 2'])
  })
  it('goes on playing the same track when one before it is removed', () => {
    const [left, at] = without(queue('abc'), 1, 0)
    expect([ids(left), at]).toEqual(['bc', 0])
  })
  it('goes on playing the same track when one is put back before it', () => {
    const [whole, at] = inserted(queue('bc'), 1, 0, track('a'))
    expect([ids(whole), at]).toEqual(['abc', 2])
  })
  it('moves a track, and goes on playing the same', () => {
    const [order, at] = moved(queue('abcd'), 0, 3, 1)
    expect([ids(order), at]).toEqual(['adbc', 0])
  })
})

describe('strips', () => {
  const entry = (id: string, reason?: string): Entry => ({ id, name: id, ...(reason && { reason: { kind: 'artist', id: reason, name: reason, text: reason } }) }) as Entry
  it('have what shares a reason; what is alone comes last', () => {
    const made = strips([entry('a', 'R'), entry('b', 'S'), entry('c', 'R'), entry('d')])
    expect(made.map((strip) => [strip.reason?.text, strip.entries.map((one) => one.id)])).toEqual([
      ['R', ['a', 'c']],
      [undefined, ['b', 'd']],
    ])
  })
})
