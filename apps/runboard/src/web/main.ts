import { type ClientAuthStatus, keepAuthenticated } from '@countersign/clerk-convex/client'
import { byId } from '@countersign-apps/kit/web'
import { ConvexClient } from 'convex/browser'
import { api } from '../convex/_generated/api.js'
import { AuditView } from './audit-view.ts'
import { Calls } from './calls.ts'
import { standInClerk } from './clerk.ts'
import { choices } from './elements.ts'
import { Live } from './live.ts'
import { RepositoriesView } from './repositories-view.ts'
import { RunnersView } from './runners-view.ts'
import { RunsView } from './runs-view.ts'
import { standControls } from './stand.ts'
import type { Board, View } from './view.ts'

const page = {
  state: byId('state', HTMLParagraphElement),
  banner: byId('banner', HTMLParagraphElement),
  account: byId('account', HTMLDivElement),
  organization: byId('organization', HTMLSelectElement),
  person: byId('person', HTMLSpanElement),
  signOut: byId('sign-out', HTMLButtonElement),
  welcome: byId('welcome', HTMLElement),
  signIn: byId('sign-in', HTMLAnchorElement),
  board: byId('board', HTMLDivElement),
  workspace: byId('workspace', HTMLSelectElement),
}

const config: { convexUrl: string; clerkUrl: string } = await (await fetch('/config.json')).json()
const clerk = standInClerk(config.clerkUrl)
const client = new ConvexClient(config.convexUrl, { skipConvexDeploymentUrlCheck: true })
const auth = keepAuthenticated(client, { source: clerk.source })
const calls = new Calls(auth, clerk)
const board: Board = {
  live: new Live(client),
  calls,
  me: undefined,
  workspaceId: '',
  may: (permission) => board.me?.permissions.includes(permission) === true,
}
const runs = new RunsView(board)
const views: readonly View[] = [
  runs,
  new RepositoriesView(board, (rows) => runs.offer(rows)),
  new RunnersView(board, (rows) => runs.name(rows)),
  new AuditView(board),
]
standControls(calls, () => auth.getSnapshot().session)

/** Whose board is shown: another session or organisation begins with nothing. */
let shown = ''
/** Our tables say that they are no member, whatever Clerk has chosen. */
let isShutOut = false

function follow(status: ClientAuthStatus): void {
  const { state, session = '', org = '' } = status
  const isKnown = state === 'signed-in' || state === 'degraded'
  page.state.textContent = stateWords(status)
  page.state.dataset.state = status.isRenewalFailing && state === 'signed-in' ? 'failing' : state
  page.banner.textContent = bannerWords(status)
  page.banner.hidden = page.banner.textContent === ''
  page.account.hidden = !isKnown
  page.board.hidden = !isKnown || org === ''
  page.welcome.hidden = state !== 'signed-out'
  page.signIn.href = clerk.signInUrl()
  choices(
    page.organization,
    clerk.organizations.map(({ id, name }) => ({ value: id, text: name })),
  )
  page.organization.value = org
  page.person.textContent = clerk.person
  const whose = isKnown && org !== '' ? `${session} ${org}` : ''
  if (whose === shown) return
  shown = whose
  forget()
  if (whose !== '') begin()
}

function stateWords({ state, isRenewalFailing }: ClientAuthStatus): string {
  if (state === 'signed-in' && !client.connectionState().isWebSocketConnected) return 'Reconnecting…'
  if (state === 'signed-in') return isRenewalFailing ? 'Live; Clerk does not answer' : 'Live'
  return { loading: 'Connecting…', degraded: 'Out of touch', unavailable: 'Out of touch', 'signed-out': '' }[state]
}

function bannerWords({ state, org }: ClientAuthStatus): string {
  if (state === 'degraded') {
    return 'Clerk does not answer, so nobody can say that you are still you. This is what was last known; nothing can be changed until Clerk is back.'
  }
  if (state === 'unavailable')
    return 'Clerk does not answer. You are not signed out: this page goes on when it is back.'
  if (state === 'signed-in' && org === undefined) return 'Choose an organisation.'
  return state === 'signed-in' && isShutOut ? 'You are not a member of this organisation.' : ''
}

function forget(): void {
  isShutOut = false
  board.live.stopAll()
  empty()
}

function empty(): void {
  board.me = undefined
  board.workspaceId = ''
  choices(page.workspace, [])
  for (const view of views) view.clear()
}

function begin(): void {
  board.live.watch('me', api.people.me, {}, showMe, shutOut)
  board.live.watch('workspaces', api.workspaces.list, {}, showWorkspaces, () => showWorkspaces([]))
}

/** Until the live query says otherwise. */
function shutOut(): void {
  isShutOut = true
  empty()
  look()
}

function showMe(me: NonNullable<Board['me']>): void {
  board.me = me
  if (isShutOut) {
    isShutOut = false
    look()
  }
  for (const one of document.querySelectorAll<HTMLElement>('[data-permission]')) {
    one.hidden = !board.may(one.dataset.permission ?? '')
  }
  if (board.workspaceId !== '') openViews()
}

function showWorkspaces(workspaces: readonly { workspaceId: string; name: string; isPrivate: boolean }[]): void {
  choices(
    page.workspace,
    workspaces.map(({ workspaceId, name, isPrivate }) => ({
      value: workspaceId,
      text: isPrivate ? `${name} (private)` : name,
    })),
  )
  if (page.workspace.value !== board.workspaceId) openWorkspace()
}

function openWorkspace(): void {
  board.workspaceId = page.workspace.value
  for (const view of views) view.clear()
  if (board.workspaceId !== '') openViews()
}

function openViews(): void {
  for (const view of views) view.open()
}

/** The view that the address names. */
function turnTo(): void {
  const links = [...document.querySelectorAll<HTMLAnchorElement>('.views a')]
  const current = links.find(({ hash }) => hash === location.hash) ?? links[0]
  for (const link of links) {
    link.ariaCurrent = link === current ? 'page' : null
    byId(link.hash.slice(1), HTMLElement).hidden = link !== current
  }
}

page.workspace.addEventListener('change', openWorkspace)
page.organization.addEventListener('change', () => {
  clerk.chooseOrganization(page.organization.value).catch(() => {
    page.organization.value = auth.getSnapshot().org ?? ''
    calls.say('Clerk did not answer: the organisation is the same.', 'bad')
  })
})
page.signOut.addEventListener('click', () => {
  clerk.signOut().catch(() => calls.say('Clerk did not answer: you are not signed out.', 'bad'))
})
addEventListener('hashchange', turnTo)
turnTo()

const look = (): void => follow(auth.getSnapshot())
auth.subscribe(look)
client.subscribeToConnectionState(look)
look()
