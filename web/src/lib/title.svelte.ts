// What the page that is open is about, for the title of the document while nothing plays.
class Title {
  name = $state('')

  /** Name the page; returns how to take the name back. */
  of(name: string): () => void {
    this.name = name
    return () => {
      if (this.name === name) this.name = ''
    }
  }
}

export const title = new Title()
