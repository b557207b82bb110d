import { runProgram } from '@countersign-apps/kit/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { phases } from '../src/failure.ts'
import { startTestFleet, type TestFleet } from './fleet.ts'

const main = new URL('../src/main.ts', import.meta.url)

let fleet: TestFleet
beforeAll(async () => {
  fleet = await startTestFleet()
})
afterAll(() => fleet.close())

async function run(args: readonly string[], variables: Record<string, string> = {}, until?: string) {
  const { code, stdout, stderr } = await runProgram(main, { args, variables, until })
  for (const secret of [...fleet.secrets, 'eyJ']) expect(stdout + stderr).not.toContain(secret)
  return { code, stdout, stderr }
}

const variables = (change: Record<string, string> = {}): Record<string, string> => ({
  COUNTERSIGN_ISSUER: fleet.issuer,
  AGENT_API: fleet.agentApi,
  PROBE_USER: fleet.accounts.person.identifier,
  PROBE_PASSWORD: fleet.accounts.person.secret,
  PROBE_APP: fleet.accounts.app,
  CLIENT_SECRET: fleet.accounts.client.secret,
  PROBE_TIMEOUT_MS: '20000',
  REVOCATION_BOUND_MS: '20000',
  ...change,
})

describe('one probe from the command line', () => {
  it('tells each phase as it goes, and ends with 0', async () => {
    const { code, stdout, stderr } = await run(['--once'], variables())
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const lines = stdout.split('\n')
    expect(lines.slice(0, phases.length).map((line) => line.trim().split(/\s+/).slice(0, 2))).toEqual(
      phases.map((phase) => ['ok', phase]),
    )
    expect(stdout).toMatch(/the probe succeeded in \d+ ms\nrefused after the revocation: feed \d+ ms, http \d+ ms/)
    expect(await fleet.sessions()).toBe(0)
  })

  it('prints one object for machines', async () => {
    const { code, stdout } = await run(['--once', '--json'], variables())
    expect(code).toBe(0)
    expect(stdout.trim().split('\n')).toHaveLength(1)
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, trigger: 'command', cleaned_up: true })
  })

  it('ends with 1 when it fails, and says where, why and what to do', async () => {
    const { code, stdout } = await run(['--once'], variables({ AGENT_API: 'http://127.0.0.1:9' }))
    expect(code).toBe(1)
    expect(stdout).toMatch(/ FAIL {2}call /)
    expect(stdout).toMatch(/^call: unreachable: 127\.0\.0\.1:9 could not be reached/m)
    expect(stdout).toContain('Look whether the service runs')
    const json = await run(['--once', '--json'], variables({ PROBE_PASSWORD: 'another one' }))
    expect([json.code, JSON.parse(json.stdout).failure.reason]).toEqual([1, 'refused'])
  })
})

describe('the program', () => {
  it('names what is wrong with its variables, never their values, and ends with 2', async () => {
    const { code, stderr } = await run(['--once'], { AGENT_API: 'needle', PROBE_INTERVAL_SECONDS: '1' })
    expect(code).toBe(2)
    for (const name of ['AGENT_API', 'PROBE_USER', 'CLIENT_SECRET', 'PROBE_INTERVAL_SECONDS']) {
      expect(stderr).toMatch(new RegExp(`^${name}`, 'm'))
    }
    expect(stderr).not.toContain('needle')
  })

  it('says how it is called, with 2 where it was called wrongly', async () => {
    const wrong = await Promise.all([run(['--twice']), run(['--json']), run(['now'])])
    for (const { code, stderr } of wrong) {
      expect([code, stderr]).toEqual([2, expect.stringContaining('synthetic-monitor --once')])
    }
    expect(await run(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('--once --json') })
  })

  it('probes as a service until it is told to end', async () => {
    const { code, stdout } = await run(
      [],
      variables({ PORT: '0', METRICS_PORT: '0', PROBE_INTERVAL_SECONDS: '5' }),
      'a probe succeeded',
    )
    expect(code).toBe(0)
    expect(stdout).not.toContain('a probe failed')
    expect(await fleet.sessions()).toBe(0)
  })
})
