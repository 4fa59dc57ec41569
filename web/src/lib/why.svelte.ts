// The question "why this?", which one dialog of the page answers.
import type { Piece } from './types'

export const asked = $state<{ about: Piece | null }>({ about: null })

export function explain(piece: Piece): void {
  asked.about = piece
}
