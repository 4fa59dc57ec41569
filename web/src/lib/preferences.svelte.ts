// What this browser remembers of how the page looks.
type Theme = 'dark' | 'light'

const system = matchMedia('(prefers-color-scheme: light)')

class Preferences {
  chosen = $state<Theme | null>(localStorage.getItem('theme') as Theme | null)
  #system = $state<Theme>(system.matches ? 'light' : 'dark')
  theme = $derived<Theme>(this.chosen ?? this.#system)

  constructor() {
    system.addEventListener('change', () => (this.#system = system.matches ? 'light' : 'dark'))
  }

  switchTheme(): void {
    this.chosen = this.theme === 'dark' ? 'light' : 'dark'
    localStorage.setItem('theme', this.chosen)
  }
}

const MOST_SEARCHES = 8

/** What was searched for in this browser by a user, latest first. */
class Searches {
  #key = ''
  words = $state<string[]>([])

  of(user: string): void {
    this.#key = `searches ${user}`
    this.words = JSON.parse(localStorage.getItem(this.#key) ?? '[]') as string[]
  }

  add(words: string): void {
    this.#keep([words, ...this.words.filter((one) => one !== words)].slice(0, MOST_SEARCHES))
  }

  forget(): void {
    this.#keep([])
  }

  #keep(words: string[]): void {
    this.words = words
    if (words.length) localStorage.setItem(this.#key, JSON.stringify(words))
    else localStorage.removeItem(this.#key)
  }
}

export const searches = new Searches()
export const preferences = new Preferences()
