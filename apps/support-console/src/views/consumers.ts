import type { Issuer } from '@countersign/issuer'
import { type Html, html } from '../html.ts'
import { relative } from './times.ts'

type Acknowledged = Awaited<ReturnType<Issuer['acknowledgements']>>

export function consumersSection(all: Acknowledged, now: number): Html {
  return html`<section class="panel" aria-labelledby="consumers-title">
        <h2 id="consumers-title">Consumers</h2>
        ${
          all.length === 0
            ? html`<p class="empty">None is heard of: a consumer tells with an account of its own.</p>`
            : html`<div class="scroll" tabindex="0" role="region" aria-label="What consumers hold"><table>
          <thead><tr><th scope="col">Consumer</th><th scope="col">Process</th><th scope="col">Feed</th><th scope="col">Keys</th><th scope="col">Heard</th></tr></thead>
          <tbody>${all.map(({ consumer, instance, position, kids, at }) => html`<tr><th scope="row">${consumer}</th><td><code class="id">${instance}</code></td><td><code>${position.epoch}.${position.seq}</code></td><td>${kids.length}</td><td>${relative(at, now)}</td></tr>`)}</tbody>
        </table></div>`
        }
      </section>`
}
