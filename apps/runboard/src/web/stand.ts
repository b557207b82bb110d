import { byId } from '@countersign-apps/kit/web'
import type { Calls } from './calls.ts'
import { busy } from './elements.ts'

/** What can be done to stand-ins only. */
export function standControls(calls: Calls, session: () => string | undefined): void {
  const tell = async (what: object, done: string): Promise<boolean> => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch('/stand', { method: 'POST', headers, body: JSON.stringify(what) })
    calls.say(response.ok ? done : 'The stand did not do that.', response.ok ? 'good' : 'bad')
    return response.ok
  }
  const breaking = byId('break', HTMLButtonElement)
  breaking.addEventListener('click', () =>
    busy(breaking, async () => {
      const isDown = breaking.ariaPressed !== 'true'
      const done = isDown ? 'Clerk is down now.' : 'Clerk is up again.'
      if (!(await tell({ clerk: isDown ? 'down' : 'up' }, done))) return
      breaking.ariaPressed = String(isDown)
      breaking.textContent = isDown ? 'Mend Clerk' : 'Break Clerk'
    }),
  )
  const age = byId('age', HTMLButtonElement)
  age.addEventListener('click', () =>
    busy(age, async () => {
      const done = 'Your next tokens say that you proved who you are half an hour ago.'
      await tell({ session: session() ?? '', provedMinutesAgo: 30 }, done)
    }),
  )
}
