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

export const preferences = new Preferences()
