import { byId, make } from '@countersign-apps/kit/web'
import { api } from '../convex/_generated/api.js'
import { busy, button } from './elements.ts'
import { type Item, KeyedList } from './keyed-list.ts'
import type { Board, Repository, View } from './view.ts'

/** What a workspace has to run in, connected and disconnected by admins. */
export class RepositoriesView implements View {
  readonly #board: Board
  readonly #list: KeyedList<Repository>
  readonly #onRows: (rows: readonly Repository[]) => void
  readonly #name = byId('repository', HTMLInputElement)
  readonly #protect = byId('protect', HTMLInputElement)

  constructor(board: Board, onRows: (rows: readonly Repository[]) => void) {
    this.#board = board
    this.#onRows = onRows
    this.#list = new KeyedList(byId('repository-list', HTMLUListElement), (row) => this.#item(row))
    const form = byId('connect', HTMLFormElement)
    form.addEventListener('submit', (submit) => {
      submit.preventDefault()
      void busy(form, () => this.#connect())
    })
  }

  open(): void {
    const { live, workspaceId } = this.#board
    live.watch(
      'repositories',
      api.repositories.list,
      { workspaceId },
      (rows) => this.#show(rows),
      () => this.clear(),
    )
  }

  clear(): void {
    this.#show([])
  }

  #show(rows: readonly Repository[]): void {
    this.#list.show(rows)
    this.#onRows(rows)
  }

  async #connect(): Promise<void> {
    const { calls, workspaceId } = this.#board
    const args = { workspaceId, name: this.#name.value.trim(), isProtected: this.#protect.checked }
    if (args.name === '') return calls.say('Say which repository.', 'bad')
    const id = await calls.make((auth) => auth.mutation(api.repositories.connect, args), 'Connected.')
    if (id !== undefined) this.#name.value = ''
  }

  #item({ _id: id, name }: Repository): Item<Repository> {
    const { calls } = this.#board
    const root = make('li', 'item head')
    const chip = make('span', 'chip', 'needs an approval')
    chip.dataset.state = 'waiting'
    const disconnect = button(
      'Disconnect',
      name,
      async () =>
        void (await calls.make((auth) => auth.mutation(api.repositories.disconnect, { id }), 'Disconnected.')),
    )
    root.append(make('strong', 'task', name), chip, disconnect)
    return {
      element: root,
      update: ({ isProtected }) => {
        chip.hidden = !isProtected
        disconnect.hidden = !this.#board.may('repository:write')
      },
    }
  }
}
