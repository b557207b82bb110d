import type { KeyRingStatus, KeyStatus } from '@countersign/keys'
import type { ShownRing } from '../desk.ts'
import { type Html, html } from '../html.ts'
import { instant, relative } from './times.ts'

const tones: Readonly<Record<KeyStatus['state'], string>> = {
  pending: '',
  published: 'busy',
  active: 'good',
  retiring: 'busy',
  retired: '',
  revoked: 'bad',
}

export function keysSection(rings: readonly ShownRing[], statuses: readonly KeyRingStatus[], now: number): Html {
  return html`<section class="panel" aria-labelledby="keys-title">
        <h2 id="keys-title">Signing keys</h2>
        <p class="hint legend" aria-hidden="true"><span class="published">published</span><span class="active">signs</span><span class="retiring">verifies only</span><span class="planned">to come</span><span class="now">now</span></p>
        ${statuses.map((status, index) => ringBlock(status, rings[index]?.policy, now))}
      </section>`
}

type Policy = ShownRing['policy'] | undefined

function ringBlock(status: KeyRingStatus, policy: Policy, now: number): Html {
  const { name, algorithm, keys } = status
  const shown = [...keys].sort((one, other) => other.createdAt - one.createdAt).slice(0, 8)
  return html`<div class="ring">
          <h3>${name} <span class="hint">${algorithm}</span></h3>
          ${timeline(shown, policy, now)}
          <div class="scroll" tabindex="0" role="region" aria-label="Keys of ${name}">
            <table>
              <thead><tr><th scope="col">Key</th><th scope="col">State</th><th scope="col">Published</th><th scope="col">Signs since</th><th scope="col">Next</th></tr></thead>
              <tbody>${shown.map((key) => keyRow(key, policy, now))}</tbody>
            </table>
          </div>
        </div>`
}

function keyRow(key: KeyStatus, policy: Policy, now: number): Html {
  const { kid, state, publishedAt, activatedAt } = key
  return html`<tr><td><code class="id">${kid}</code></td><td><span class="chip" data-tone="${tones[state]}">${state}</span></td><td>${publishedAt !== null && instant(publishedAt)}</td><td>${activatedAt !== null && instant(activatedAt)}</td><td>${nextStep(key, policy, now)}</td></tr>`
}

/** What the running service does with it next, by its policy: this process turns no keys. */
function nextStep(key: KeyStatus, policy: Policy, now: number): string {
  const { state, activatableAt, activatedAt, retiringAt } = key
  if (state === 'published' || state === 'pending') {
    const others = (key.next?.waitingFor ?? []).filter((one) => one !== 'propagation')
    const waits = others.length === 0 ? '' : `; waits for ${others.join(', ')}`
    if (activatableAt === null) return 'published when it is stored'
    return `${activatableAt <= now ? 'may sign now' : `may sign ${relative(activatableAt, now)}`}${waits}`
  }
  if (policy === undefined) return ''
  if (state === 'active' && activatedAt !== null) {
    return `replaced ${relative(activatedAt + policy.rotateAfterSeconds, now)} at the latest`
  }
  if (state === 'retiring' && retiringAt !== null) {
    return `withdrawn ${relative(key.next?.at ?? retiringAt + policy.overlapSeconds, now)}`
  }
  return ''
}

interface Span {
  readonly from: number
  readonly to: number
  readonly className: 'published' | 'active' | 'retiring'
  /** To come. */
  readonly isPlanned: boolean
}

const width = 1_000
const rowHeight = 22
const labelWidth = 110

/** A picture of the table beside it, so it is hidden from who cannot see it. Attributes only: the policy allows no styles. */
function timeline(keys: readonly KeyStatus[], policy: Policy, now: number): Html {
  const rows = keys.map((key) => spansOf(key, policy, now))
  const all = rows.flat()
  if (all.length === 0) return html``
  const first = Math.min(now, ...all.map(({ from }) => from))
  const last = Math.max(now, ...all.map(({ to }) => to))
  const scale = (width - labelWidth) / Math.max(1, last - first)
  const x = (at: number): string => (labelWidth + (at - first) * scale).toFixed(1)
  const height = rows.length * rowHeight + 4
  return html`<svg class="timeline" viewBox="0 0 ${width} ${height}" aria-hidden="true" focusable="false">
            ${rows.map((spans, index) => {
              const top = index * rowHeight + 4
              const label = html`<text x="0" y="${top + 13}">${keys[index]?.kid.slice(0, 10) ?? ''}…</text>`
              const bars = spans.map(({ from, to, className, isPlanned }) => {
                const w = Math.max(3, (to - from) * scale).toFixed(1)
                return html`<rect class="${className}${isPlanned && ' planned'}" x="${x(from)}" y="${top}" width="${w}" height="16" rx="3" />`
              })
              return html`${label}${bars}`
            })}
            <line class="now" x1="${x(now)}" y1="0" x2="${x(now)}" y2="${height}" />
          </svg>`
}

/** What a key was and, as far as its policy says, will be. */
function spansOf(key: KeyStatus, policy: Policy, now: number): readonly Span[] {
  const { publishedAt, activatedAt, retiringAt, retiredAt, revokedAt } = key
  const end = revokedAt ?? retiredAt
  const spans: Span[] = []
  const add = (className: Span['className'], from: number | null, until: number | null, planned?: number): void => {
    if (from === null) return
    const to = until ?? end ?? now
    if (to > from) spans.push({ from, to, className, isPlanned: false })
    if (until === null && end === null && planned !== undefined && planned > now) {
      spans.push({ from: now, to: planned, className, isPlanned: true })
    }
  }
  add('published', publishedAt, activatedAt, key.activatableAt ?? undefined)
  add(
    'active',
    activatedAt,
    retiringAt,
    activatedAt === null ? undefined : activatedAt + (policy?.rotateAfterSeconds ?? 0),
  )
  const withdrawn = retiringAt === null ? undefined : retiringAt + (policy?.overlapSeconds ?? 0)
  add('retiring', retiringAt, retiredAt, key.next?.at ?? withdrawn)
  return spans
}
