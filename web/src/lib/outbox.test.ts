import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Refused } from './api'
import { Outbox } from './outbox'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A server that answers with these statuses, then takes everything. */
function server(...statuses: number[]) {
  const taken: string[][] = []
  const post = async (all: string[]) => {
    const status = statuses.shift()
    if (status !== undefined) throw new Refused(status, 'no')
    taken.push(all)
  }
  return { taken, outbox: new Outbox(post) }
}

describe('what is sent', () => {
  it('waits while the server cannot be reached, and goes with the next in order', async () => {
    const { taken, outbox } = server(0, 503)
    await outbox.send('a')
    await outbox.send('b')
    await outbox.send('c')
    expect(taken).toEqual([['a', 'b', 'c']])
  })
  it('is sent again after a pause', async () => {
    const { taken, outbox } = server(0, 429)
    await outbox.send('a')
    await vi.advanceTimersByTimeAsync(29_000)
    expect(taken).toEqual([])
    await vi.advanceTimersByTimeAsync(40_000)
    expect(taken).toEqual([['a']])
  })
  it('is told of and dropped where the server refuses it', async () => {
    const { taken, outbox } = server(401)
    await expect(outbox.send('a')).rejects.toThrow('no')
    await outbox.send('b')
    expect(taken).toEqual([['b']])
  })
  it('is sent once, however soon the next one follows', async () => {
    const { taken, outbox } = server()
    await Promise.all([outbox.send('a'), outbox.send('b')])
    expect(taken.flat()).toEqual(['a', 'b'])
  })
})
