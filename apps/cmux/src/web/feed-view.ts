import { byId, make } from '/assets/kit/elements.js'
import { type FeedEvent, outcomeOf } from './feed-events.ts'
import { quoteWord } from './split-command.ts'

interface Card {
  readonly root: HTMLElement
  readonly chip: HTMLElement
  readonly output: HTMLPreElement
  readonly stop: HTMLButtonElement
}

/** Most entries shown; the oldest go. */
const mostEntries = 500

/** The feed on the page: a card for each command with what it prints, a line for each note. */
export class FeedView {
  readonly #feed = byId('feed', HTMLDivElement)
  readonly #newest = byId('newest', HTMLButtonElement)
  readonly #cards = new Map<string, Card>()
  readonly #stop: (command: string) => void
  /** Whether new entries pull the view along: until somebody scrolls up. */
  #follows = true
  mayStop = false

  constructor(stop: (command: string) => void) {
    this.#stop = stop
    // What scrolls takes the focus, or a keyboard could not scroll it.
    this.#feed.tabIndex = 0
    this.#feed.addEventListener('scroll', () => {
      const below = this.#feed.scrollHeight - this.#feed.scrollTop - this.#feed.clientHeight
      this.#follows = below < 48
      this.#newest.hidden = this.#follows
    })
    new ResizeObserver(() => this.#scroll()).observe(this.#feed)
    this.#newest.addEventListener('click', () => {
      this.#follows = true
      this.#scroll()
      this.#feed.focus()
    })
  }

  clear(): void {
    this.#feed.replaceChildren()
    this.#cards.clear()
    this.#follows = true
    this.#newest.hidden = true
  }

  add(event: FeedEvent): void {
    if (event.type === 'note') this.#append(this.#entry(event.at, make('span', 'note', event.text)).root)
    else if (event.type === 'command.started') this.#begin(event)
    else this.#continue(event)
    this.#scroll()
  }

  #begin(event: FeedEvent & { readonly type: 'command.started' }): void {
    const line = event.argv.map(quoteWord).join(' ')
    const { root, header } = this.#entry(event.at, make('code', 'argv', line))
    const chip = make('span', 'chip', 'running')
    const output = make('pre', 'output')
    // Announced as started and ended; read out loud, thousands of lines would be noise.
    output.setAttribute('aria-live', 'off')
    output.setAttribute('aria-label', `Output of ${line}`)
    const stop = make('button', 'quiet', 'Stop')
    stop.type = 'button'
    stop.setAttribute('aria-label', `Stop ${line}`)
    stop.hidden = !this.mayStop
    stop.addEventListener('click', () => {
      // Not `disabled`: that would throw the focus away.
      if (stop.ariaDisabled === 'true') return
      stop.ariaDisabled = 'true'
      this.#stop(event.command)
    })
    header.append(chip, stop)
    root.append(output)
    this.#cards.set(event.command, { root, chip, output, stop })
    this.#append(root)
  }

  #continue(event: FeedEvent & { readonly type: 'command.output' | 'command.ended' }): void {
    // Its beginning may have left the feed's memory.
    const card = this.#cards.get(event.command)
    if (card === undefined) return
    if (event.type === 'command.output') {
      card.output.append(make('span', event.stream, event.text))
      // Long output can be scrolled by keyboard only if it takes the focus.
      card.output.tabIndex = 0
      card.output.scrollTop = card.output.scrollHeight
      return
    }
    const { text, isGood } = outcomeOf(event)
    card.chip.textContent = text
    card.chip.dataset.outcome = isGood ? 'good' : 'bad'
    const hadFocus = document.activeElement === card.stop
    card.stop.remove()
    if (hadFocus) this.#feed.focus()
    this.#cards.delete(event.command)
  }

  #entry(at: number, content: HTMLElement): { readonly root: HTMLElement; readonly header: HTMLElement } {
    const root = make('article', 'entry')
    const header = make('header', '')
    const when = new Date(at * 1000)
    const time = make('time', '', when.toLocaleTimeString(undefined, { hour12: false }))
    time.dateTime = when.toISOString()
    time.title = when.toLocaleString()
    header.append(time, content)
    root.append(header)
    return { root, header }
  }

  #append(entry: HTMLElement): void {
    this.#feed.append(entry)
    while (this.#feed.childElementCount > mostEntries) this.#feed.firstElementChild?.remove()
  }

  #scroll(): void {
    if (this.#follows) this.#feed.scrollTop = this.#feed.scrollHeight
  }
}
