import { byId, make } from '@countersign-apps/kit/web'
import type { FunctionReturnType } from 'convex/server'
import { api } from '../convex/_generated/api.js'
import { type Item, KeyedList } from './keyed-list.ts'
import type { Board, View } from './view.ts'

type Row = FunctionReturnType<typeof api.audit.list>[number]

/** Who did what in the organisation, and who was turned away; for admins. */
export class AuditView implements View {
  readonly #board: Board
  readonly #list: KeyedList<Row>

  constructor(board: Board) {
    this.#board = board
    // What scrolls takes the focus, or a keyboard could not scroll it.
    byId('audit-scroll', HTMLElement).tabIndex = 0
    this.#list = new KeyedList(byId('audit-rows', HTMLTableSectionElement), (row) => this.#item(row))
  }

  open(): void {
    const { live, may } = this.#board
    if (!may('audit:read')) {
      this.clear()
      return
    }
    live.watch(
      'audit',
      api.audit.list,
      {},
      (rows) => this.#list.show(rows),
      () => this.clear(),
    )
  }

  clear(): void {
    this.#board.live.stop('audit')
    this.#list.show([])
  }

  #item({ at, action, outcome, reason, user }: Row): Item<Row> {
    const root = make('tr', '')
    const when = new Date(at)
    const time = make('time', '', when.toLocaleTimeString(undefined, { hour12: false }))
    time.dateTime = when.toISOString()
    const chip = make('span', 'chip', reason === null ? outcome : `${outcome}: ${reason.replaceAll('_', ' ')}`)
    chip.dataset.state = outcome === 'allowed' ? 'succeeded' : 'failed'
    const who = user === this.#board.me?.user ? 'you' : (user ?? 'nobody')
    for (const content of [time, make('code', '', action), chip, make('span', 'id', who)]) {
      const cell = make('td', '')
      cell.append(content)
      root.append(cell)
    }
    return { element: root, update: () => {} }
  }
}
