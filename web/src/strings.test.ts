import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { text } from './strings'

const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
const components = sources.filter((name) => name.endsWith('.svelte'))

describe('texts', () => {
  it('count', () => {
    expect([text.count('track', 1), text.count('track', 2000), text.player.time(65)]).toEqual(['1 track', '2,000 tracks', '1:05'])
  })
  it.each(components)('are not written in %s', (name) => {
    const markup = readFileSync(join(import.meta.dirname, name), 'utf8')
      .replace(/<script[^]*?<\/script>|<style[^]*?<\/style>|<!--[^]*?-->/g, '')
      .replace(/\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}/g, '')
      .replace(/=>/g, '')
    const words = [...markup.matchAll(/>([^<>]*[A-Za-z]{2}[^<>]*)</g)].map((found) => found[1])
    const named = [...markup.matchAll(/\s(?:aria-label|title|placeholder|alt)="([^"]*[a-z][^"]*)"/g)].map((found) => found[1])
    expect([...words, ...named]).toEqual([])
  })
})
