import { expect, it } from 'vitest'
import { createLogger, createMetrics, observeWebSockets, type WebSocketEventLike } from '../src/index.ts'

async function count(events: WebSocketEventLike[]) {
  const metrics = createMetrics({ process: false, webSockets: true })
  const lines: string[] = []
  const logger = createLogger({ level: 'debug', destination: { write: (line) => lines.push(line) } })
  const observe = observeWebSockets({ metrics, logger })
  for (const event of events) observe(event)
  const text = await metrics.registry.metrics()
  const value = (series: string): number => Number(text.split(`\ncountersign_${series} `)[1]?.split('\n')[0])
  return { value, lines, text }
}

it('counts sockets by state, and what becomes of them', async () => {
  const { value, lines } = await count([
    { type: 'state', to: 'pending' },
    { type: 'state', to: 'pending' },
    { type: 'state', from: 'pending', to: 'verifying' },
    { type: 'auth', result: 'ok', durationMs: 1 },
    { type: 'state', from: 'verifying', to: 'ready' },
    { type: 'auth', result: 'denied', reason: 'expired', durationMs: 1 },
    { type: 'auth', result: 'error', reason: 'fault', durationMs: 1, cause: new Error('disk') },
    { type: 'reauth', result: 'ok' },
    { type: 'reauth', result: 'denied', reason: 'not_later' },
    { type: 'state', from: 'ready', to: 'draining' },
    { type: 'state', from: 'draining', to: 'closed' },
    { type: 'dropped', cause: 'revoked', frames: 7 },
    { type: 'closed', code: 4431, by: 'server' },
    { type: 'closed', code: 3999, by: 'client' },
    { type: 'upgrade_refused', reason: 'origin', status: 403 },
    { type: 'evicted' },
    { type: 'fault', message: 'chat.send', cause: new Error('disk') },
  ])
  expect(value('ws_sockets{state="pending"}')).toBe(1)
  expect(value('ws_sockets{state="ready"}')).toBe(0)
  expect(value('ws_sockets{state="draining"}')).toBe(0)
  expect(value('ws_auth_total{result="ok",reason="none"}')).toBe(1)
  expect(value('ws_auth_total{result="denied",reason="expired"}')).toBe(1)
  expect(value('ws_auth_total{result="error",reason="fault"}')).toBe(1)
  expect(value('ws_auth_duration_seconds_count')).toBe(3)
  expect(value('ws_reauth_total{result="denied"}')).toBe(1)
  expect(value('ws_frames_dropped_total{cause="revoked"}')).toBe(7)
  expect(value('ws_close_total{code="4431"}')).toBe(1)
  expect(value('ws_close_total{code="other"}')).toBe(1)
  expect(value('ws_upgrade_rejected_total{reason="origin"}')).toBe(1)
  expect(value('ws_evicted_total')).toBe(1)
  expect(lines.map((line) => JSON.parse(line).event)).toEqual([
    ...['socket_auth', 'socket_auth', 'socket_auth', 'socket_reauth', 'socket_closed', 'socket_closed'],
    ...['upgrade_refused', 'socket_evicted', 'socket_fault'],
  ])
})

it('has no series of sockets where there are none, and the same ones whatever comes', async () => {
  expect(await createMetrics({ process: false }).registry.metrics()).not.toContain('ws_')
  const names = (text: string): number => text.split('\n').length
  const { text } = await count([])
  const after = await count([
    { type: 'auth', result: 'denied', reason: 'x'.repeat(100), durationMs: Number.NaN },
    { type: 'closed', code: 12_345, by: 'client' },
    { type: 'dropped', cause: '"}', frames: -1 },
    { type: 'upgrade_refused', reason: '\n', status: 0 },
  ])
  expect(names(after.text)).toBe(names(text))
})
