import type { Referees } from './referees.ts'
import { serverRuns } from './runs.ts'
import type { Row, Verdict } from './verdict.ts'

const marks: Readonly<Record<Verdict, string>> = { passed: '✓', 'not applicable': '–', failed: '✗ failed' }

/** The page of docs/reference: what ran, and what came of it. */
export function pageOf(rows: readonly Row[], referees: Referees): string {
  const { stable, next } = referees.conformance
  const servers = serverRuns.map(({ id, line, server, protocol }) => ({
    id,
    title: `${referees.conformance[line].version}, SDK ${server === 'v1' ? '1.x' : '2.x'}, ${protocol}`,
  }))
  const inspector = ['v1', 'v2'].map((server) => ({
    id: `Inspector, SDK ${server}`,
    title: `server by SDK ${server === 'v1' ? '1.x' : '2.x'}`,
  }))
  const clients = [
    { id: 'stable-client', title: stable.version },
    { id: 'next-client', title: next.version },
  ]
  const reasons = new Reasons()
  const parts = [
    head(referees),
    '## MCP Inspector',
    '',
    `The Inspector ${referees.inspector.version} on the command line, with a token in a header.`,
    '',
    ...table('it', inspector, rows, reasons),
    '',
    '## The conformance suite: servers',
    '',
    "Every server scenario that the suite has for the protocol, through a proxy that puts a token on each request: the suite cannot be given one. The server has the suite's own fixtures behind the guard. ✓ with the number of checks that passed, which is all of them; – does not apply, for the reason below; empty: the suite does not ask it of this protocol. The protocol's extensions (tasks, skills) are not among them: the guard serves neither.",
    '',
    ...table('scenario', servers, rows, reasons),
    '',
    '## The conformance suite: client credentials',
    '',
    'A client whose tokens come from `@countersign/token-source`, at the authorization server that the suite brings along.',
    '',
    ...table('scenario', clients, rows, reasons),
    '',
    '## The conformance suite: authorization server',
    '',
    ...table('scenario', [{ id: 'next-issuer', title: next.version }], rows, reasons),
    '',
    ...reasons.list(),
    '',
  ]
  return parts.join('\n')
}

const head = ({ conformance, inspector }: Referees): string => `# MCP interop

What other people's tools say of guarded MCP servers, of the token service behind them, and of the token source. Written by \`pnpm interop:mcp --write\`, which installs MCP Inspector ${inspector.version} and the MCP conformance suite ${conformance.stable.version} and ${conformance.next.version} apart from the workspace, starts a token service and the same guarded server by both SDKs, and lets them loose. The unmodified clients of both SDKs run with the ordinary tests: [tooling/mcp-interop](../../tooling/mcp-interop/README.md).
`

interface Column {
  readonly id: string
  readonly title: string
}

function table(first: string, columns: readonly Column[], rows: readonly Row[], reasons: Reasons): string[] {
  const ids = new Set(columns.map(({ id }) => id))
  const scenarios = [...new Set(rows.filter(({ run }) => ids.has(run)).map(({ scenario }) => scenario))]
  return [
    `| ${[first, ...columns.map(({ title }) => title)].join(' | ')} |`,
    `| ${['---', ...columns.map(() => '---')].join(' | ')} |`,
    ...scenarios.map((scenario) => {
      const cells = columns.map(({ id }) => {
        const row = rows.find((one) => one.run === id && one.scenario === scenario)
        return row === undefined ? '' : cellOf(row, reasons)
      })
      return `| ${[scenario.includes(' ') ? scenario : `\`${scenario}\``, ...cells].join(' | ')} |`
    }),
  ]
}

function cellOf({ verdict, note }: Row, reasons: Reasons): string {
  if (verdict === 'not applicable') return `${marks[verdict]} (${reasons.numberOf(note)})`
  return note === '' ? marks[verdict] : `${marks[verdict]} ${note}`
}

/** Numbered in the order in which they are first needed. */
class Reasons {
  readonly #reasons: string[] = []

  numberOf(reason: string): number {
    if (!this.#reasons.includes(reason)) this.#reasons.push(reason)
    return this.#reasons.indexOf(reason) + 1
  }

  list(): string[] {
    if (this.#reasons.length === 0) return []
    return ['Why some do not apply:', '', ...this.#reasons.map((reason, index) => `${index + 1}. ${reason}`)]
  }
}
