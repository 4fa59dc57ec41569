// What a listener may start from before saying anything: what they play, else what everybody plays.
import { get } from './api'
import { session } from './session.svelte'
import type { Listing, Named, TagsAnswer, TasteAnswer } from './types'
import { text } from '../strings'

const SHOWN = 12

export interface Starts {
  /** Whether they are the listener's own. */
  own: boolean
  items: (Named & { because: string })[]
  tags: string[]
}

export async function starts(): Promise<Starts> {
  const taste = await get<TasteAnswer>(`${session.own}/taste`).catch(() => undefined)
  if (taste?.roots.length) {
    const items = taste.roots.slice(0, SHOWN).map(({ item, plays }) => ({ ...item, because: text.plays(plays) }))
    return { own: true, items, tags: taste.tags.slice(0, SHOWN).map(({ tag }) => tag.name) }
  }
  const kind = session.library.lists.popular?.find((one) => one !== session.mainKind) ?? session.mainKind
  const [popular, tags] = await Promise.all([
    get<Listing>('popular', { kind, limit: SHOWN }),
    session.library.words.length ? get<TagsAnswer>('tags', { limit: SHOWN }).catch(() => undefined) : undefined,
  ])
  const items = popular.entries.map(({ id, name }) => ({ kind, id, name, because: text.kind[kind] ?? kind }))
  return { own: false, items, tags: tags?.tags.map((tag) => tag.name) ?? [] }
}
