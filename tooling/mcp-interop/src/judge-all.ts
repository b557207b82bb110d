import { join } from 'node:path'
import { createTokenSource } from '@countersign/token-source'
import { runConformance } from './conformance.ts'
import { exceptions } from './exceptions.ts'
import { calling, type InspectorTask, isTurnedAway, listing, lists, prints, runInspector } from './inspector.ts'
import type { Referees } from './referees.ts'
import { openDoor, type Rig, type Sdk } from './rig.ts'
import { serverRuns } from './runs.ts'
import { tokenProxy } from './token-proxy.ts'
import { judge, type Row, unusedExcuses } from './verdict.ts'

const driver = join(import.meta.dirname, 'conformance-client.ts')

/** Says what it does, and how long that took. */
export type Step = <T>(what: string, work: () => Promise<T>) => Promise<T>

/** Every judgement there is, one after the other. */
export async function judgeAll(rig: Rig, referees: Referees, step: Step): Promise<readonly Row[]> {
  return [
    ...(await judgeWithInspector(rig, referees, step)),
    ...(await judgeServers(rig, referees, step)),
    ...(await judgeTokenSource(referees, step)),
    ...(await judgeIssuer(rig, referees, step)),
  ]
}

async function judgeWithInspector(rig: Rig, { inspector }: Referees, step: Step): Promise<Row[]> {
  const full = await rig.addClient('inspector')
  const reader = await rig.addClient('inspector-reading', { scopes: ['fixtures:read'] })
  const tokenOf = async ({ name }: { name: string }, server: Sdk): Promise<string> =>
    (await rig.service.issueToken(name, { audience: rig.servers[server].audience })).accessToken
  const rows: Row[] = []
  for (const server of ['v1', 'v2'] as const) {
    const other = server === 'v1' ? 'v2' : 'v1'
    const { endpoint } = rig.servers[server]
    const [all, some, foreign] = [
      await tokenOf(full, server),
      await tokenOf(reader, server),
      await tokenOf(full, other),
    ]
    const text = 'This is a simple text response for testing.'
    const tasks: Omit<InspectorTask, 'endpoint'>[] = [
      { what: 'lists the tools', token: all, args: listing, isRight: lists(['test_simple_text', 'write'], []) },
      { what: 'calls a tool', token: all, args: calling('test_simple_text'), isRight: prints(text) },
      {
        what: 'lists less for fewer scopes',
        token: some,
        args: listing,
        isRight: lists(['version'], ['write', 'copy']),
      },
      { what: 'cannot call a tool without its scope', token: some, args: calling('write'), isRight: isTurnedAway },
      { what: 'is turned away without a token', token: undefined, args: listing, isRight: isTurnedAway },
      { what: "is turned away with another server's token", token: foreign, args: listing, isRight: isTurnedAway },
    ]
    for (const task of tasks) {
      rows.push(
        await step(`Inspector at ${server}: ${task.what}`, async () => {
          const ended = await runInspector(inspector.main, { ...task, endpoint })
          const isRight = task.isRight(ended)
          const details = isRight ? [] : [`exit status ${ended.code}`, ended.stdout, ended.stderr]
          const note = isRight ? '' : 'see above'
          const verdict = isRight ? ('passed' as const) : ('failed' as const)
          return { run: `Inspector, SDK ${server}`, scenario: task.what, verdict, note, details }
        }),
      )
    }
  }
  return rows
}

async function judgeServers(rig: Rig, { conformance }: Referees, step: Step): Promise<Row[]> {
  const client = await rig.addClient('conformance')
  const rows: Row[] = []
  for (const { id, line, server, protocol } of serverRuns) {
    const { version, main } = conformance[line]
    const { endpoint } = rig.servers[server]
    // The suite cannot be given a token.
    const grant = { type: 'client_credentials' as const, resource: endpoint }
    const source = createTokenSource({ issuer: rig.issuer, client, grant })
    const door = await openDoor()
    door.serve(tokenProxy(endpoint, () => source.getToken()))
    try {
      const url = `${door.origin}/mcp`
      const args = ['server', '--url', url, '--suite', 'all', '--spec-version', protocol]
      const outcomes = await step(`conformance ${version} at the server by SDK ${server}, protocol ${protocol}`, () =>
        runConformance(main, args),
      )
      const excuses = exceptions[id]
      rows.push(...outcomes.map((outcome) => judge(id, outcome, excuses[outcome.scenario])))
      rows.push(...unusedExcuses(id, outcomes, excuses))
    } finally {
      await door.close()
      source.close()
    }
  }
  return rows
}

async function judgeTokenSource({ conformance }: Referees, step: Step): Promise<Row[]> {
  const rows: Row[] = []
  for (const line of ['stable', 'next'] as const) {
    const { version, main } = conformance[line]
    for (const scenario of ['auth/client-credentials-jwt', 'auth/client-credentials-basic']) {
      const command = `${process.execPath} ${driver}`
      const outcomes = await step(`conformance ${version}: ${scenario} by the token source`, () =>
        runConformance(main, ['client', '--command', command, '--scenario', scenario]),
      )
      rows.push(...outcomes.map((outcome) => judge(`${line}-client`, outcome, undefined)))
    }
  }
  return rows
}

const noCodeFlow = 'the issuer has no code flow, and its metadata say so'

async function judgeIssuer(rig: Rig, { conformance }: Referees, step: Step): Promise<Row[]> {
  const { version, main } = conformance.next
  const scenario = 'authorization-server-metadata-endpoint'
  const outcomes = await step(`conformance ${version}: ${scenario} of the issuer`, () =>
    runConformance(main, ['authorization', '--url', rig.issuer, '--scenario', scenario]),
  )
  return outcomes.map((outcome) => judge('next-issuer', { ...outcome, scenario }, noCodeFlow))
}
