import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { type Ended, runProgram } from './run-program.ts'

export interface InspectorTask {
  readonly what: string
  readonly endpoint: string
  readonly token: string | undefined
  readonly args: readonly string[]
  readonly isRight: (ended: Ended) => boolean
}

const listed = z.object({ tools: z.array(z.object({ name: z.string() })) })

export const listing: readonly string[] = ['--method', 'tools/list']
export const calling = (tool: string): readonly string[] => ['--method', 'tools/call', '--tool-name', tool]

/** Whether it printed a list with these tools in it, and without those. */
export const lists =
  (present: readonly string[], absent: readonly string[]) =>
  ({ code, stdout }: Ended): boolean => {
    if (code !== 0) return false
    const names = new Set(listed.parse(JSON.parse(stdout)).tools.map(({ name }) => name))
    return present.every((name) => names.has(name)) && !absent.some((name) => names.has(name))
  }

/** Whether it printed an answer with this text. */
export const prints =
  (text: string) =>
  ({ code, stdout }: Ended): boolean =>
    code === 0 && stdout.includes(text)

/** Whether it gave up, and neither printed an answer nor was killed. */
export const isTurnedAway = ({ code, stdout }: Ended): boolean =>
  code !== undefined && code !== 0 && !stdout.includes('"content"') && !stdout.includes('"tools"')

/** The Inspector on the command line, with a home of its own: it writes into it. */
export async function runInspector(main: string, task: InspectorTask): Promise<Ended> {
  const home = await mkdtemp(join(tmpdir(), 'countersign-inspector-'))
  try {
    const header = task.token === undefined ? [] : ['--header', `Authorization: Bearer ${task.token}`]
    const args = [main, '--cli', task.endpoint, '--transport', 'http', ...task.args, ...header]
    const env = { ...process.env, HOME: home, MCP_CATALOG_PATH: join(home, 'mcp.json') }
    return await runProgram(process.execPath, args, { env, timeoutMs: 180_000 })
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}
