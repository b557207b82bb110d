// Real rotations: issuer, consumers and command line as they come, each in processes of their own, under libfaketime.
// usage: node fake-time-rotations.ts [--rotations 20] [--milliseconds 150]

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { createFakeTime, startProcess } from './rig/fake-time.ts'
import { deliver, resultOf } from './rig/report.ts'
import { makeCertificate, startTlsFront } from './rig/tls-front.ts'
import { configFile, makeConfig } from './rig/token-service.ts'
import { Traffic } from './rig/traffic.ts'
import { verifierNames } from './rig/verifiers.ts'

const { values } = parseArgs({
  options: { rotations: { type: 'string', default: '20' }, milliseconds: { type: 'string', default: '150' } },
})
const rotations = Number(values.rotations)
/** How long requests flow between two steps of the time. */
const flowMs = Number(values.milliseconds)
const wholeRun = 20
const propagationSeconds = 3750
const rotateAfterSeconds = 27 * 86_400
const cli = new URL('dist/main.js', import.meta.resolve('@countersign/cli/package.json')).pathname

const startedMs = performance.now()
const directory = await mkdtemp(join(tmpdir(), 'countersign-rig-'))
const time = await createFakeTime(join(directory, 'time'))
const certificate = await makeCertificate(directory)
const config = (await makeConfig()) as { issuer: string }
await writeFile(configFile(directory), JSON.stringify(config))
const issuer = await startProcess(
  new URL('children/issuer.ts', import.meta.url),
  [directory, JSON.stringify(config)],
  time.env,
)
const front = await startTlsFront(directory, config.issuer)
const consumers = await startProcess(
  new URL('children/verifiers.ts', import.meta.url),
  [config.issuer, front.origin],
  // How Node learns of a private authority; the verifiers know nothing of it.
  { ...time.env, NODE_EXTRA_CA_CERTS: certificate },
)
const traffic = new Traffic({
  issuer: config.issuer,
  verifiersUrl: consumers.said.url ?? '',
  credentials: { id: issuer.said.id ?? '', secret: issuer.said.secret ?? '' },
  now: time.now,
  propagationSeconds,
})

/** A command of the operator, in the same time. */
async function countersign(...words: string[]): Promise<{ readonly done?: boolean; readonly activatesAt?: number }> {
  const args = [cli, ...words, '--json', '--config', configFile(directory)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, ...time.env } })
  return JSON.parse(stdout)
}

/**
 * Time moves on. Nothing is under way then: a request that had been sent a second ago would seem to have lasted hours.
 * Then everything looks at its clock first, as it would have in time that flows.
 */
async function pass(seconds: number): Promise<void> {
  await time.pass(seconds)
  traffic.reconnect()
  for (let attempt = 0; ; attempt += 1) {
    try {
      await traffic.look()
      return
    } catch (error) {
      // After hours without a look at its store the service says 503 until it has looked.
      if (attempt === 3_000) throw error
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

/** Requests flow: fresh tokens and held ones to every consumer at once. */
async function flow(ms = flowMs): Promise<void> {
  const until = performance.now() + ms
  do {
    await traffic.look()
    const fresh = await traffic.issue()
    const held = traffic.held(Math.random())
    await Promise.all(
      verifierNames.map(async (_, index) => {
        if (Math.random() < 0.02) await traffic.stray(index, fresh)
        await traffic.verify(index, fresh)
        if (held !== undefined) await traffic.verify(index, held)
      }),
    )
  } while (performance.now() < until)
}

const isNew = async (before: ReadonlySet<string>): Promise<boolean> => !before.has((await traffic.issue()).kid)

try {
  await flow()
  for (let rotation = 1; rotation <= rotations; rotation += 1) {
    const before = new Set(traffic.tally.kids)
    // The service has published the next key by itself, or does so within ten seconds.
    for (const seconds of [11, 31, 300, 601]) {
      await pass(seconds)
      await flow()
    }
    const byCommand = rotation % 2 === 1
    if (byCommand) {
      const early = await countersign('keys', 'rotate')
      if (early.done !== false) throw new Error('rotated before its time')
      for (const seconds of [1200, 1200, 400]) {
        await pass(seconds)
        await flow()
      }
      // Until the last second that the command is refused, and then over it.
      const rest = Number(early.activatesAt) - time.now()
      if (rest > 3) await pass(rest - 2)
      await flow()
      await pass(3)
      const done = await countersign('keys', 'rotate')
      if (done.done !== true) throw new Error(`not rotated: ${JSON.stringify(done)}`)
    } else {
      for (const seconds of [4 * 86_400, 22 * 86_400, 86_400 - 4000 - 943 - 30]) {
        await pass(seconds)
        await flow()
      }
      // Some ten minutes before day 27, and on until it signs.
      for (let step = 0; !(await isNew(before)); step += 1) {
        if (step === 300) throw new Error('the scheduler did not rotate')
        await pass(step < 6 ? 600 : 30)
        await flow(flowMs / 4)
      }
    }
    await flow()
    for (const seconds of [2, 9, 20, 35, 300, 250, 1200, 700]) {
      await pass(seconds)
      await flow()
    }
    const { refusals, verified } = traffic.tally
    process.stderr.write(`rotation ${rotation}: ${verified} verifications, ${refusals} refused\n`)
  }
} finally {
  traffic.close()
  await consumers.close()
  await front.close()
  await issuer.close()
  await rm(directory, { recursive: true })
}

const settings = { flowMs, rotateAfterSeconds, propagationSeconds, time: 'libfaketime' }
const seconds = (performance.now() - startedMs) / 1000
const result = resultOf({ name: 'fake-time-rotations', settings, rotations, seconds, tally: traffic.tally })
deliver(result, rotations >= wholeRun)
