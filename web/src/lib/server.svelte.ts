// Whether the server answers. Once it does not, it is asked again until it does.
const PAUSE = 1500 // milliseconds between questions

const answers = (): Promise<boolean> =>
  fetch('health', { cache: 'no-store' }).then(
    (answer) => answer.ok,
    () => false,
  )

class Server {
  gone = $state(false)
  /** How often it came back: what shows its answers asks anew. */
  returns = $state(0)
  #back = Promise.resolve()

  /** Take note that a request got no answer. */
  lost(): void {
    if (this.gone) return
    this.gone = true
    this.#back = (async () => {
      do await new Promise((done) => setTimeout(done, PAUSE))
      while (!(await answers()))
      this.gone = false
      this.returns += 1
    })()
  }

  /** Whether it answers now; if not, `back` is awaited for its return. */
  async answers(): Promise<boolean> {
    const there = await answers()
    if (!there) this.lost()
    return there
  }

  back(): Promise<void> {
    return this.#back
  }
}

export const server = new Server()
