import { type Html, html } from '../html.ts'
import type { ConsumerView, RevocationView } from '../revocation-board.ts'
import { instant } from './times.ts'

const states: Readonly<Record<ConsumerView['state'], { readonly words: string; readonly tone: string }>> = {
  acknowledged: { words: 'Acknowledged', tone: 'good' },
  waiting: { words: 'Waiting', tone: 'busy' },
  silent: { words: 'Not heard of', tone: '' },
}

/** A row of the table in words, for the page and for what comes to it live. */
export interface ConsumerWords {
  readonly consumer: string
  readonly state: string
  readonly tone: string
  readonly after: string
  readonly instances: string
}

export function consumerWords({ consumer, state, afterMs, instances }: ConsumerView): ConsumerWords {
  const { words, tone } = states[state]
  const after = afterMs === null ? '' : `${(afterMs / 1000).toFixed(1)} s`
  const processes = instances === 0 ? '' : `${instances} ${instances === 1 ? 'process' : 'processes'}`
  return { consumer, state: words, tone, after, instances: processes }
}

export function summaryWords({ consumers }: RevocationView): string {
  const heard = consumers.filter(({ state }) => state !== 'silent')
  if (heard.length === 0) return 'No consumer is heard of: none acknowledges, or none runs.'
  const done = heard.filter(({ state }) => state === 'acknowledged').length
  if (done === heard.length) return `All ${heard.length} consumers that are heard of refuse this session now.`
  return `${done} of ${heard.length} consumers that are heard of have acknowledged.`
}

export function revocationSection(revocation: RevocationView): Html {
  const { id, session, user, operator, reason, at, position } = revocation
  const silent = revocation.consumers.some(({ state }) => state === 'silent')
  return html`<section id="revocation" class="panel" aria-labelledby="revocation-title" data-live="/page/revocations/${id}/events">
        <h2 id="revocation-title">A session was ended</h2>
        <dl class="facts">
          <div><dt>Session</dt><dd><code>${session}</code></dd></div>
          <div><dt>Of</dt><dd><code>${user}</code></dd></div>
          <div><dt>By</dt><dd><code>${operator}</code>, ${instant(at)}</dd></div>
          <div><dt>Why</dt><dd><bdi>${reason}</bdi></dd></div>
          <div><dt>In the feed</dt><dd><code>${position.epoch}.${position.seq}</code></dd></div>
        </dl>
        <p id="revocation-summary" class="summary" role="status">${summaryWords(revocation)}</p>
        <div class="scroll" tabindex="0" role="region" aria-label="Who has acknowledged"><table class="consumers">
          <thead><tr><th scope="col">Consumer</th><th scope="col">State</th><th scope="col">After</th><th scope="col">Heard of</th></tr></thead>
          <tbody>${revocation.consumers.map(consumerWords).map(row)}</tbody>
        </table></div>
        ${silent && html`<p class="hint">Not heard of: does not run, or does not acknowledge. Whoever follows the revocation feed refuses all the same; whoever does not takes the session’s last access tokens until they expire.</p>`}
        <p class="hint"><a href="/?revocation=${id}">Look again</a></p>
      </section>`
}

function row({ consumer, state, tone, after, instances }: ConsumerWords): Html {
  return html`<tr data-consumer="${consumer}"><th scope="row">${consumer}</th><td><span class="chip" data-tone="${tone}">${state}</span></td><td class="after">${after}</td><td class="instances">${instances}</td></tr>`
}
