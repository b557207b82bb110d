import { readFile } from 'node:fs/promises'
import { call } from '@countersign-apps/kit/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { failureReasons, phases, type RunningMonitor, startMonitor } from '../src/index.ts'
import { startTestFleet, type TestFleet } from './fleet.ts'

let fleet: TestFleet
let monitor: RunningMonitor
let log = ''
beforeAll(async () => {
  fleet = await startTestFleet()
  monitor = await startMonitor({
    issuer: fleet.issuer,
    agentApis: [fleet.agentApi],
    accounts: fleet.accounts,
    timeoutMs: 60_000,
    revocationMs: 60_000,
    port: 0,
    metricsPort: 0,
    logDestination: { write: (line) => (log += line) },
  })
  await monitor.whenReady()
})
afterAll(async () => {
  await monitor.close()
  await fleet.close()
})

const metrics = async (): Promise<string> => (await fetch(monitor.metricsUrl ?? '')).text()
const sampleOf = (text: string, series: string): number =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length + 1),
  )

describe('the running monitor', () => {
  it('has every series from the start, and no more after probes of each kind', async () => {
    const seriesOf = (text: string) =>
      text
        .split('\n')
        .filter((line) => line.startsWith('countersign_probe'))
        .map((line) => line.slice(0, line.lastIndexOf(' ')))
    const before = await metrics()
    expect(sampleOf(before, 'countersign_probe_last_run_timestamp_seconds')).toBe(0)
    for (const phase of phases) {
      for (const reason of failureReasons) {
        expect(before).toContain(`countersign_probe_failures_total{phase="${phase}",reason="${reason}"} 0`)
      }
    }
    const began = Date.now() / 1000
    expect((await monitor.probe()).failure).toBeUndefined()
    const after = await metrics()
    expect(sampleOf(after, 'countersign_probe_success')).toBe(1)
    expect(sampleOf(after, 'countersign_probe_runs_total{result="ok"}')).toBe(1)
    expect(sampleOf(after, 'countersign_probe_last_success_timestamp_seconds')).toBeGreaterThan(began - 1)
    expect(sampleOf(after, 'countersign_probe_phase_duration_seconds_count{phase="closed"}')).toBe(1)
    for (const surface of ['feed', 'http', 'exchanged', 'websocket']) {
      expect(sampleOf(after, `countersign_probe_revocation_seconds_count{surface="${surface}"}`)).toBe(1)
    }
    expect(seriesOf(after)).toEqual(seriesOf(before))
  })

  it('tells what came of probes over HTTP, to those who may ask', async () => {
    const token = await fleet.ownToken('probes:read probes:run')
    const begun = await call(monitor.url, 'POST', '/probes', { token })
    expect(begun.status).toBe(202)
    await expect
      .poll(async () => (await call(monitor.url, 'GET', begun.headers.get('location') ?? '', { token })).body.state)
      .toBe('done')
    expect((await call(monitor.url, 'GET', '/probes', { token: await fleet.ownToken('probes:run') })).status).toBe(403)
  })

  it('counts and logs a failure with its phase and its reason, and goes on', async () => {
    await fleet.stopIssuer()
    const { failure } = await monitor.probe()
    expect(failure).toMatchObject({ phase: 'sign_in', reason: 'unreachable' })
    const text = await metrics()
    expect(sampleOf(text, 'countersign_probe_success')).toBe(0)
    expect(sampleOf(text, 'countersign_probe_failures_total{phase="sign_in",reason="unreachable"}')).toBe(1)
    const line = log.split('\n').find((each) => each.includes('a probe failed')) ?? '{}'
    expect(JSON.parse(line)).toMatchObject({ level: 'warn', component: 'sign_in', reason: 'unreachable' })
    await fleet.startIssuer()
    await expect.poll(async () => (await monitor.probe()).ok).toBe(true)
    for (const secret of [...fleet.secrets, 'eyJ']) expect(log + text).not.toContain(secret)
  })
})

describe('the alerts', async () => {
  const rules = await readFile(new URL('../alerts.yml', import.meta.url), 'utf8')
  const alerts = rules.split('- alert: ').slice(1)

  it('ask for metrics and labels that there are', async () => {
    const text = await metrics()
    const names = new Set(rules.match(/countersign_probe_[a-z_]+/g))
    expect(names.size).toBeGreaterThan(4)
    for (const name of names) expect(text).toContain(`\n${name}`)
    for (const [, label, value] of rules.matchAll(/\{(\w+)="(\w+)"\}/g)) expect(text).toContain(`${label}="${value}"`)
  })

  it.each(alerts.map((alert) => [alert.split('\n')[0], alert]))(
    '%s says how bad it is, what it means and what to do',
    async (_name, alert = '') => {
      expect(alert).toMatch(/severity: (critical|warning)\n/)
      expect(alert).toMatch(/summary: \S/)
      expect(alert).toMatch(/description: '\S/)
      const [, file = '', anchor = ''] = /runbook: (\S+)#(\S+)/.exec(alert) ?? []
      const page = await readFile(new URL(`../../../${file}`, import.meta.url), 'utf8')
      const anchors = [...page.matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
        title.toLowerCase().replaceAll(' ', '-'),
      )
      expect(anchors).toContain(anchor)
    },
  )
})
