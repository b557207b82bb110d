import { byId } from '/assets/kit/elements.js'
import { type ClientSocket, connect } from '/assets/websocket/client/index.js'
import { asEvent, asPage } from './feed-events.ts'
import { FeedView } from './feed-view.ts'
import { forgetSession, keptSession, type Session, SignInError, signIn, signOut } from './session.ts'
import { CommandLineError, splitCommand } from './split-command.ts'

const page = {
  state: byId('state', HTMLParagraphElement),
  signOut: byId('sign-out', HTMLButtonElement),
  signIn: byId('sign-in', HTMLFormElement),
  why: byId('sign-in-why', HTMLParagraphElement),
  password: byId('password', HTMLInputElement),
  passwordError: byId('password-error', HTMLParagraphElement),
  mayRun: byId('may-run', HTMLInputElement),
  signInButton: byId('sign-in-button', HTMLButtonElement),
  workspace: byId('workspace', HTMLElement),
  feed: byId('feed', HTMLDivElement),
  run: byId('run', HTMLFormElement),
  command: byId('command', HTMLInputElement),
  commandError: byId('command-error', HTMLParagraphElement),
  runButton: byId('run-button', HTMLButtonElement),
  noAdmin: byId('no-admin', HTMLParagraphElement),
}

const stateWords = { connecting: 'Connecting…', ready: 'Live', waiting: 'Reconnecting…', stopped: 'Not connected' }
const ended = 'Your sign-in has ended. Sign in again to go on.'

let session: Session | undefined
let socket: ClientSocket | undefined
/** The feed as far as it is shown: a new connection takes it up from there. */
let shown: { epoch: string; id: number } | undefined
/** False while parts of it are still to come, which hold every event that comes meanwhile. */
let isCaughtUp = false

const view = new FeedView((command) => {
  socket?.request('command.stop', { command }).catch(() => undefined)
})

function showSignIn(why: string): void {
  socket?.logout()
  socket = undefined
  session = undefined
  shown = undefined
  forgetSession()
  view.clear()
  page.workspace.hidden = true
  page.state.hidden = true
  page.signOut.hidden = true
  page.why.textContent = why
  page.signIn.hidden = false
  page.password.value = ''
  page.password.focus()
}

function showWorkspace(current: Session): void {
  session = current
  page.signIn.hidden = true
  page.workspace.hidden = false
  page.state.hidden = false
  page.signOut.hidden = false
  view.mayStop = current.scopes.includes('admin')
  page.run.hidden = !view.mayStop
  page.noAdmin.hidden = view.mayStop
  ;(view.mayStop ? page.command : page.feed).focus()
  socket = open(current)
}

function open(current: Session): ClientSocket {
  const opened = connect('/ws', {
    // There is no second token: 7 days, then the password again.
    getToken: async ({ reason }) => (reason === 'connect' ? current.token : undefined),
  })
  opened.on('feed.event', (data) => {
    const event = asEvent(data)
    if (isCaughtUp && shown !== undefined && event.id > shown.id) {
      shown.id = event.id
      view.add(event)
    }
  })
  opened.onState((state) => {
    page.state.textContent = stateWords[state]
    page.state.dataset.state = state
    isCaughtUp = false
    if (state === 'ready') void readFeed(opened)
    // The token was refused, or has ended; nothing else stops a client that nobody stopped.
    if (state === 'stopped' && session === current) showSignIn(ended)
  })
  return opened
}

async function readFeed(opened: ClientSocket): Promise<void> {
  try {
    while (!isCaughtUp) {
      const from = shown === undefined ? {} : { after: shown.id, epoch: shown.epoch }
      const { epoch, events, more } = asPage(await opened.request('feed.read', from))
      if (opened !== socket) return
      if (shown?.epoch !== epoch) {
        view.clear()
        shown = { epoch, id: 0 }
      }
      for (const event of events) {
        if (event.id <= shown.id) continue
        shown.id = event.id
        view.add(event)
      }
      isCaughtUp = !more
    }
  } catch {
    // The connection went meanwhile: the next one asks again.
  }
}

function complain(input: HTMLInputElement, place: HTMLElement, text: string): void {
  place.textContent = text
  if (text === '') input.removeAttribute('aria-invalid')
  else input.setAttribute('aria-invalid', 'true')
}

page.signIn.addEventListener('submit', async (submit) => {
  submit.preventDefault()
  const password = page.password.value
  if (password === '') {
    complain(page.password, page.passwordError, 'Enter the password.')
    page.password.focus()
    return
  }
  complain(page.password, page.passwordError, '')
  page.signInButton.disabled = true
  try {
    showWorkspace(await signIn(password, page.mayRun.checked ? 'admin service' : 'service'))
    page.password.value = ''
  } catch (error) {
    if (!(error instanceof SignInError)) throw error
    complain(page.password, page.passwordError, error.message)
    page.password.select()
    page.password.focus()
  } finally {
    page.signInButton.disabled = false
  }
})

page.signOut.addEventListener('click', () => {
  const current = session
  showSignIn('You are signed out.')
  if (current !== undefined) void signOut(current)
})

/** Lines that were run, newest last; the arrow keys go through them. */
const history: string[] = []
let place = 0

page.command.addEventListener('keydown', (key) => {
  if (key.key !== 'ArrowUp' && key.key !== 'ArrowDown') return
  key.preventDefault()
  place = Math.min(Math.max(place + (key.key === 'ArrowUp' ? -1 : 1), 0), history.length)
  page.command.value = history[place] ?? ''
})

page.run.addEventListener('submit', async (submit) => {
  submit.preventDefault()
  const line = page.command.value
  page.runButton.disabled = true
  try {
    const argv = splitCommand(line)
    if (argv.length === 0) throw new CommandLineError('Enter a command.')
    await socket?.request('command.run', { argv }, { ttlMs: 5_000, timeoutMs: 10_000 })
    history.push(line)
    place = history.length
    page.command.value = ''
    complain(page.command, page.commandError, '')
  } catch (error) {
    complain(page.command, page.commandError, sayFailure(error))
  } finally {
    page.runButton.disabled = false
    if (!page.workspace.hidden) page.command.focus()
  }
})

function sayFailure(error: unknown): string {
  if (error instanceof CommandLineError) return error.message
  const refusal: unknown = error instanceof Error && 'refusal' in error ? error.refusal : undefined
  const code = typeof refusal === 'object' && refusal !== null && 'code' in refusal ? refusal.code : undefined
  if (code === 'limit_reached') return 'Too many commands are running. Stop one, or wait.'
  if (code === 'invalid_request') return 'That cannot be run.'
  return 'cmux did not answer. Whether the command ran is in the feed.'
}

const kept = keptSession()
if (kept === undefined) showSignIn('')
else showWorkspace(kept)
