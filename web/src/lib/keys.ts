// Keyboard shortcuts of the whole page.
import { push } from 'svelte-spa-router'
import { player } from './player.svelte'

/** Move the focus to another row of a list; from outside of any, to the first. */
function step(by: 1 | -1): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')]
  const here = rows.indexOf(document.activeElement?.closest<HTMLElement>('[data-row]') as HTMLElement)
  const row = rows[here < 0 ? 0 : here + by]
  row?.querySelector<HTMLElement>('[data-open]')?.focus()
  row?.scrollIntoView({ block: 'nearest' })
  return row !== undefined
}

function playRow(): boolean {
  const button = document.activeElement?.closest('[data-row]')?.querySelector<HTMLElement>('[data-play]')
  button?.click()
  return button != null
}

const inRow = (): boolean => document.activeElement?.closest('[data-row]') != null

/** Handle a key; `help` shows the list of shortcuts. */
export function pressed(event: KeyboardEvent, help: () => void): void {
  const target = event.target as HTMLElement
  const typing = target.closest('input:not([type=range], [type=checkbox]), textarea, select, [contenteditable]')
  if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return
  const moves = event.key === ' ' || event.key.startsWith('Arrow')
  if (target.closest('canvas') || (moves && target.closest('input'))) return
  const current = player.current
  const keys: Record<string, () => unknown> = {
    ' ': () => !target.closest('button, a, summary') && player.toggle(),
    '/': () => push('/search').then(() => document.querySelector<HTMLElement>('[data-search]')?.focus()),
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => inRow() && step(1),
    ArrowUp: () => inRow() && step(-1),
    p: playRow,
    n: () => player.next(),
    u: () => current && player.mark(current, 'up'),
    d: () => current && player.mark(current, 'down'),
    '?': help,
  }
  const handled = Object.hasOwn(keys, event.key) && keys[event.key]?.() !== false
  if (handled) event.preventDefault()
}
