import type { SessionInfo } from '@countersign/issuer'
import { type Child, type Html, html } from '../html.ts'
import { longestReason } from '../reason.ts'
import { instant, relative } from './times.ts'

export interface SessionsView {
  readonly wanted: string
  /** Undefined: nobody was looked for. */
  readonly found: readonly SessionInfo[] | undefined
  readonly problem: string | undefined
  readonly mayRevoke: boolean
  readonly now: number
}

export function sessionsSection({ wanted, found, problem, mayRevoke, now }: SessionsView): Html {
  return html`<section class="panel" aria-labelledby="find-title">
        <h2 id="find-title">Sessions</h2>
        <form class="find" method="get" action="/" role="search">
          <label for="q">User, or the id of a session</label>
          <div class="row">
            <input id="q" name="q" type="search" value="${wanted}" autocomplete="off" autocapitalize="off" spellcheck="false" maxlength="254" required ${problem !== undefined && html`aria-invalid="true" aria-describedby="find-problem"`} />
            <button type="submit">Find</button>
          </div>
          <p class="hint">The name that they sign in with; or the <code>sid</code> of a token.</p>
          ${problem !== undefined && html`<p id="find-problem" class="error" role="alert">${problem}</p>`}
        </form>
        ${found !== undefined && table(found, { wanted, mayRevoke, now })}
      </section>`
}

type Shown = Pick<SessionsView, 'wanted' | 'mayRevoke' | 'now'>

function table(found: readonly SessionInfo[], shown: Shown): Html {
  if (found.length === 0) return html`<p class="empty">They have no sessions.</p>`
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Sessions that were found">
        <table>
          <caption class="visually-hidden">The newest sessions of ${shown.wanted}</caption>
          <thead><tr><th scope="col">Session</th><th scope="col">For</th><th scope="col">Signed in</th><th scope="col">State</th>${shown.mayRevoke && html`<th scope="col"><span class="visually-hidden">End it</span></th>`}</tr></thead>
          <tbody>${found.map((session) => row(session, shown))}</tbody>
        </table>
      </div>`
}

function row(session: SessionInfo, { wanted, mayRevoke, now }: Shown): Html {
  const isOpen = session.endedAt === null && session.expiresAt > now
  return html`<tr>
            <td><code class="id">${session.id}</code><div class="hint">of <code>${session.userId}</code></div></td>
            <td>${session.audience}<div class="hint">${session.scope === '' ? 'no scopes' : session.scope}</div></td>
            <td>${instant(session.createdAt)}<div class="hint">${relative(session.createdAt, now)}</div></td>
            <td>${stateOf(session, now)}</td>
            ${mayRevoke && html`<td class="action">${isOpen && endForm(session, wanted)}</td>`}
          </tr>`
}

const endReasons: Readonly<Record<NonNullable<SessionInfo['endReason']>, string>> = {
  signed_out: 'signed out',
  revoked: 'revoked',
  refresh_reused: 'a spent refresh token came again',
  user_disabled: 'the user was disabled',
  client_disabled: 'the app was disabled',
  password_changed: 'the password was changed',
  permissions_changed: 'the scopes were changed',
}

function stateOf({ endedAt, endReason, expiresAt }: SessionInfo, now: number): Child {
  if (endedAt !== null) {
    const why = endReason === null ? '' : endReasons[endReason]
    return html`<span class="chip">Ended</span><div class="hint">${why}, ${instant(endedAt)}</div>`
  }
  if (expiresAt <= now) return html`<span class="chip">Expired</span>`
  return html`<span class="chip" data-tone="good">Open</span><div class="hint">ends ${relative(expiresAt, now)}</div>`
}

/** Folded, so that nothing is ended by a slip; the browser opens it without a script. */
function endForm({ id }: SessionInfo, wanted: string): Html {
  return html`<details>
              <summary>End<span class="visually-hidden"> session ${id}</span></summary>
              <form method="post" action="/page/revoke">
                <input type="hidden" name="session" value="${id}" />
                <input type="hidden" name="q" value="${wanted}" />
                <label for="why-${id}">Why</label>
                <input id="why-${id}" name="reason" type="text" maxlength="${longestReason}" autocomplete="off" required />
                <p class="hint">Goes into the audit log, with your name.</p>
                <button class="danger" type="submit">End this session</button>
              </form>
            </details>`
}
