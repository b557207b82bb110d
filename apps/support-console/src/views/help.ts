import type { Conversation } from '../delegation.ts'
import type { HelpRequest } from '../help-desk.ts'
import { type Html, html } from '../html.ts'
import { longestReason } from '../reason.ts'
import { instant, relative } from './times.ts'

export function helpSection(requests: readonly HelpRequest[], now: number): Html {
  return html`<section class="panel" aria-labelledby="help-title">
        <h2 id="help-title">Customers who ask for help</h2>
        <p class="hint">Each gave leave to read their conversations, for minutes. You act in their name, and are named in it.</p>
        ${requests.length === 0 ? html`<p class="empty">Nobody is waiting.</p>` : html`<ul class="requests">${requests.map((request) => item(request, now))}</ul>`}
      </section>`
}

function item({ id, subject, note, askedAt, expiresAt }: HelpRequest, now: number): Html {
  return html`<li>
            <p><code class="id">${subject}</code> <span class="hint">asked ${relative(askedAt, now)}; leave ends ${relative(expiresAt, now)}</span></p>
            ${note !== '' && html`<blockquote dir="auto">${note}</blockquote>`}
            <form class="row" method="post" action="/page/help/${id}">
              <label for="help-${id}">Why</label>
              <input id="help-${id}" name="reason" type="text" maxlength="${longestReason}" autocomplete="off" placeholder="ticket 4711: chat does not load" required />
              <button type="submit">Read conversations<span class="visually-hidden"> of ${subject}</span></button>
            </form>
          </li>`
}

export interface ActedFor {
  readonly subject: string
  readonly reason: string
  readonly conversations: readonly Conversation[]
}

/** What was read in a customer's name; shown once, kept nowhere. */
export function conversationsSection({ subject, reason, conversations }: ActedFor): Html {
  return html`<section class="panel" aria-labelledby="conversations-title">
        <h2 id="conversations-title">Conversations of <code>${subject}</code></h2>
        <p class="hint">Read in their name because: <bdi>${reason}</bdi>. This is in the audit log.</p>
        ${conversations.length === 0 ? html`<p class="empty">They have no conversations.</p>` : conversations.map(one)}
      </section>`
}

const who = { user: 'Customer', agent: 'Agent' } as const

function one({ id, agent, started_at, messages }: Conversation): Html {
  return html`<article class="conversation" aria-label="Conversation ${id}">
          <h3>With ${agent}, ${instant(started_at)}</h3>
          <ol>${messages.map(({ from, text }) => html`<li data-from="${from}"><span class="hint">${who[from]}</span><p dir="auto">${text}</p></li>`)}</ol>
        </article>`
}
