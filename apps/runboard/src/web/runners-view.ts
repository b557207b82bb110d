import { byId, make } from '@countersign-apps/kit/web'
import { api } from '../convex/_generated/api.js'
import { busy, button } from './elements.ts'
import { type Item, KeyedList } from './keyed-list.ts'
import type { Board, Runner, View } from './view.ts'

type Row = Runner & { readonly _id: string }

/** Machines that run what is started here: let in by a code, and ended. */
export class RunnersView implements View {
  readonly #board: Board
  readonly #list: KeyedList<Row>
  readonly #onRows: (rows: readonly Runner[]) => void
  readonly #code = byId('code', HTMLInputElement)
  readonly #request = byId('request', HTMLElement)

  constructor(board: Board, onRows: (rows: readonly Runner[]) => void) {
    this.#board = board
    this.#onRows = onRows
    this.#list = new KeyedList(byId('runner-list', HTMLUListElement), (row) => this.#item(row))
    // A link that the runner has shown brings its code along.
    this.#code.value = new URLSearchParams(location.search).get('user_code') ?? ''
    const form = byId('pair', HTMLFormElement)
    form.addEventListener('submit', (submit) => {
      submit.preventDefault()
      void busy(form, () => this.#lookUp())
    })
    for (const [id, answer] of [
      ['allow', () => this.#allow()],
      ['refuse', () => this.#refuse()],
    ] as const) {
      const one = byId(id, HTMLButtonElement)
      one.addEventListener('click', () => void busy(one, answer))
    }
  }

  open(): void {
    const { live, workspaceId: workspace } = this.#board
    live.watch(
      'runners',
      api.runners.list,
      { workspace },
      (rows) => this.#show(rows),
      () => this.clear(),
    )
  }

  clear(): void {
    this.#show([])
    this.#request.hidden = true
  }

  #show(rows: readonly Runner[]): void {
    this.#list.show(rows.filter(({ revoked }) => !revoked).map((one) => ({ ...one, _id: one.runner })))
    this.#onRows(rows)
  }

  async #lookUp(): Promise<void> {
    const code = this.#code.value
    const found = await this.#board.calls.make((auth) => auth.mutation(api.runners.lookUp, { code }))
    this.#request.hidden = found === undefined
    if (found === undefined) return this.#code.focus()
    byId('request-title', HTMLHeadingElement).textContent = `${found.name} wants to be let in`
    byId('request-scopes', HTMLElement).textContent = found.scopes.join(', ')
    byId('request-fingerprint', HTMLElement).textContent = found.fingerprint
    byId('allow', HTMLButtonElement).focus()
  }

  async #allow(): Promise<void> {
    const args = { code: this.#code.value, workspace: this.#board.workspaceId }
    const runner = await this.#board.calls.make((auth) => auth.mutation(api.runners.approve, args), 'The runner is in.')
    if (runner !== undefined) this.#answered()
  }

  async #refuse(): Promise<void> {
    const args = { code: this.#code.value }
    const answer = await this.#board.calls.make(
      (auth) => auth.mutation(api.runners.deny, args),
      'The runner is not let in.',
    )
    if (answer !== undefined) this.#answered()
  }

  #answered(): void {
    this.#request.hidden = true
    this.#code.value = ''
    this.#code.focus()
  }

  #item({ runner, name, fingerprint, scopes }: Row): Item<Row> {
    const { calls } = this.#board
    const root = make('li', 'item head')
    const revoke = button(
      'Revoke',
      name,
      async () => void (await calls.make((auth) => auth.mutation(api.runners.revoke, { runner }), 'Revoked.')),
    )
    const about = make('span', 'hint', `${scopes.join(', ')}, key ${fingerprint}`)
    root.append(make('strong', 'task', name), about, revoke)
    return {
      element: root,
      update: () => {
        revoke.hidden = !this.#board.may('runner:write')
      },
    }
  }
}
