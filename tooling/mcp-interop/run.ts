// Other people's tools at our servers, our token source at other people's: `pnpm interop:mcp [--write]`.
// Exit status: 0 as it should be, 1 something failed or the page is stale, 2 it could not run.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { judgeAll, type Step } from './src/judge-all.ts'
import { pageOf } from './src/page.ts'
import { installReferees, readReferees } from './src/referees.ts'
import { startRig } from './src/rig.ts'

const page = join(import.meta.dirname, '..', '..', 'docs', 'reference', 'mcp-interop.md')

const step: Step = async (what, work) => {
  const started = performance.now()
  const done = await work()
  console.error(`${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s  ${what}`)
  return done
}

async function main(): Promise<number> {
  const { write } = parseArgs({ options: { write: { type: 'boolean', default: false } } }).values
  if (Number(process.versions.node.split('.')[0]) < 22) {
    console.error(`This needs Node 22 or newer, and this is ${process.version}: call it by pnpm or npm run.`)
    return 2
  }
  await step('the referees, from their lockfile', installReferees)
  const referees = await readReferees()
  const rig = await step('a token service and two guarded servers', () => startRig())
  const rows = await judgeAll(rig, referees, step).finally(() => rig.close())
  const failed = rows.filter(({ verdict }) => verdict === 'failed')
  for (const { run, scenario, note, details } of failed) {
    console.error(`\nfailed: ${run}: ${scenario} (${note})`)
    for (const detail of details) console.error(`  ${detail}`)
  }
  const text = pageOf(rows, referees)
  if (write) await writeFile(page, text)
  else console.log(text)
  const isStale = text !== (await readFile(page, 'utf8').catch(() => ''))
  if (isStale) console.error('\ndocs/reference/mcp-interop.md says something else: run this with --write.')
  const count = (verdict: string): number => rows.filter((row) => row.verdict === verdict).length
  console.log(`${count('passed')} passed, ${count('not applicable')} not applicable, ${failed.length} failed`)
  return failed.length === 0 && !isStale ? 0 : 1
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error)
  return 2
})
