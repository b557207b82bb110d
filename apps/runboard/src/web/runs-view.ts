import { byId, make } from '@countersign-apps/kit/web'
import { api } from '../convex/_generated/api.js'
import { busy, button, choices } from './elements.ts'
import { type Item, KeyedList } from './keyed-list.ts'
import type { Approval, Board, Repository, Run, Runner, View } from './view.ts'

const words: Readonly<Record<Run['state'], string>> = {
  waiting: 'waits for an approval',
  queued: 'waits for a runner',
  running: 'running',
  succeeded: 'done',
  failed: 'failed',
  stopped: 'stopped',
  rejected: 'rejected',
}

/** The runs of a workspace, live: started, approved and stopped here, with what they print. */
export class RunsView implements View {
  readonly #board: Board
  readonly #list: KeyedList<Run>
  readonly #task = byId('task', HTMLInputElement)
  readonly #repository = byId('start-repository', HTMLSelectElement)
  #runs: readonly Run[] = []
  #approvals: readonly Approval[] = []
  #runners: readonly Runner[] = []

  constructor(board: Board) {
    this.#board = board
    this.#list = new KeyedList(byId('run-list', HTMLUListElement), (run) => this.#item(run))
    const form = byId('start', HTMLFormElement)
    form.addEventListener('submit', (submit) => {
      submit.preventDefault()
      void busy(form, () => this.#start())
    })
  }

  open(): void {
    const { live, workspaceId } = this.#board
    const refused = (): void => this.clear()
    const showRuns = (rows: readonly Run[]): void => {
      this.#runs = rows
      this.#list.show(rows)
    }
    const showApprovals = (rows: readonly Approval[]): void => {
      this.#approvals = rows
      this.#list.show(this.#runs)
    }
    live.watch('runs', api.runs.list, { workspaceId }, showRuns, refused)
    live.watch('approvals', api.approvals.list, { workspaceId }, showApprovals, refused)
  }

  clear(): void {
    this.#runs = []
    this.#approvals = []
    this.#list.show([])
    choices(this.#repository, [])
  }

  /** What there is to start in. */
  offer(repositories: readonly Repository[]): void {
    choices(
      this.#repository,
      repositories.map(({ _id, name }) => ({ value: _id, text: name })),
    )
  }

  /** Whose names runs are shown with. */
  name(runners: readonly Runner[]): void {
    this.#runners = runners
    this.#list.show(this.#runs)
  }

  async #start(): Promise<void> {
    const { calls, workspaceId } = this.#board
    const task = this.#task.value.trim()
    const repository = this.#repository.value as Repository['_id']
    if (task === '' || repository === '') return calls.say('Choose a repository, and say what to do in it.', 'bad')
    const args = { workspaceId, repository, task }
    const run = await calls.make((auth) => auth.mutation(api.runs.start, args), 'Started.')
    if (run !== undefined) this.#task.value = ''
  }

  #item({ _id: id, task }: Run): Item<Run> {
    const { calls, live } = this.#board
    const root = make('li', 'item')
    const chip = make('span', 'chip')
    const where = make('span', 'hint')
    const act = (text: string, done: string, send: Parameters<typeof calls.make>[0]) =>
      button(text, task, async () => void (await calls.make(send, done)))
    const decide =
      (decision: 'approve' | 'reject') => async (auth: Parameters<Parameters<typeof calls.make>[0]>[0]) => {
        const pending = this.#pending(id)
        if (pending !== undefined) await auth.mutation(api.approvals[decision], { id: pending._id })
      }
    const approve = act('Approve', 'Approved.', decide('approve'))
    const reject = act('Reject', 'Rejected.', decide('reject'))
    const stop = act('Stop', 'Stopped.', (auth) => auth.mutation(api.runs.stop, { id }))
    const head = make('div', 'head')
    head.append(chip, make('strong', 'task', task), where, approve, reject, stop)
    const output = this.#output(id, task)
    root.append(head, output)
    return {
      element: root,
      update: ({ state, repository, runner }) => {
        chip.textContent = words[state]
        chip.dataset.state = state
        const name = this.#runners.find((one) => one.runner === runner)?.name
        where.textContent = name === undefined ? repository : `${repository}, on ${name}`
        const isOpen = state === 'waiting' && this.#pending(id) !== undefined && this.#board.may('run:approve')
        approve.hidden = !isOpen
        reject.hidden = !isOpen
        stop.hidden = !['waiting', 'queued', 'running'].includes(state) || !this.#board.may('run:stop')
      },
      remove: () => live.stop(`lines of ${id}`),
    }
  }

  #pending(run: Run['_id']): Approval | undefined {
    return this.#approvals.find((one) => one.run === run && one.state === 'pending')
  }

  #output(run: Run['_id'], task: string): HTMLElement {
    const { live } = this.#board
    const details = make('details', '')
    const text = make('pre', 'output')
    text.tabIndex = 0
    text.setAttribute('aria-label', `Output of ${task}`)
    details.append(make('summary', '', 'Output'), text)
    details.addEventListener('toggle', () => {
      if (!details.open) return live.stop(`lines of ${run}`)
      const { workspaceId } = this.#board
      const show = (lines: readonly { readonly text: string }[]): void => {
        text.textContent = lines.map((line) => line.text).join('\n') || 'Nothing so far.'
        text.scrollTop = text.scrollHeight
      }
      live.watch(`lines of ${run}`, api.runs.lines, { workspaceId, run }, show, () => show([]))
    })
    return details
  }
}
