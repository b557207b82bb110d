import { html } from '../html.ts'
import { layout } from './layout.ts'

export interface SignInPage {
  readonly problem?: string
  /** What was typed before. */
  readonly name?: string
}

export function signInPage({ problem, name = '' }: SignInPage): string {
  const wrong = problem !== undefined
  return layout({
    title: 'Support console',
    content: html`<form class="card" method="post" action="/sign-in">
        <h2>Sign in</h2>
        <p class="hint">For operators. Everything that is done here is recorded with who did it, and why.</p>
        ${wrong && html`<p id="problem" class="error" role="alert">${problem}</p>`}
        <label for="name">Name</label>
        <input id="name" name="name" type="text" value="${name}" autocomplete="username" autocapitalize="off" spellcheck="false" maxlength="254" required ${autofocus(!wrong)} />
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" maxlength="4096" required ${autofocus(wrong)} ${wrong && html`aria-invalid="true" aria-describedby="problem"`} />
        <button type="submit">Sign in</button>
      </form>`,
  })
}

const autofocus = (here: boolean) => here && html`autofocus`
