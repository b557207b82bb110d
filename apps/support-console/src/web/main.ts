// The only thing that a page without a script does not do: acknowledgements show as they arrive.

interface ConsumerWords {
  readonly consumer: string
  readonly state: string
  readonly tone: string
  readonly after: string
  readonly instances: string
}

interface State {
  readonly summary: string
  readonly consumers: readonly ConsumerWords[]
}

const section = document.querySelector<HTMLElement>('[data-live]')
const url = section?.dataset.live
if (section !== null && url !== undefined) follow(section, url)

function follow(within: HTMLElement, from: string): void {
  const source = new EventSource(from)
  const summary = within.querySelector('[role="status"]')
  const say = (words: string): void => {
    // A screen reader says what changes.
    if (summary !== null && summary.textContent !== words) summary.textContent = words
  }
  source.addEventListener('state', ({ data }) => {
    const state: State = JSON.parse(data)
    for (const words of state.consumers) show(within, words)
    say(state.summary)
  })
  source.addEventListener('done', () => source.close())
  source.addEventListener('over', () => {
    source.close()
    say('Your sign-in has ended: what comes now is not shown any more.')
  })
}

function show(within: HTMLElement, { consumer, state, tone, after, instances }: ConsumerWords): void {
  const row = within.querySelector(`[data-consumer="${CSS.escape(consumer)}"]`)
  const chip = row?.querySelector<HTMLElement>('.chip')
  if (row === null || chip === null || chip === undefined) return
  chip.textContent = state
  chip.dataset.tone = tone
  for (const [name, words] of [
    ['after', after],
    ['instances', instances],
  ] as const) {
    const cell = row.querySelector(`.${name}`)
    if (cell !== null) cell.textContent = words
  }
}
