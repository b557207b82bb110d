// Rotations in simulated time: the issuer as served, over HTTP, and verifiers whose caches live by the same clock.
// usage: node simulate.ts [--rotations 1000] [--seed 1] [--without-wait]
// --without-wait: each new key signs as soon as it is published, as elsewhere; the rig must notice.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootCertificates, setDefaultCACertificates } from 'node:tls'
import { parseArgs } from 'node:util'
import { randomFrom } from './rig/random.ts'
import { deliver, resultOf } from './rig/report.ts'
import { makeCertificate, startTlsFront } from './rig/tls-front.ts'
import { makeConfig, startRigService } from './rig/token-service.ts'
import { Traffic } from './rig/traffic.ts'
import { startVerifiers, verifierNames } from './rig/verifiers.ts'
import { installVirtualTime } from './rig/virtual-time.ts'

const { values } = parseArgs({
  options: {
    rotations: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    'without-wait': { type: 'boolean', default: false },
  },
})
const rotations = Number(values.rotations)
const seed = Number(values.seed)
const waits = !values['without-wait']
const wholeRun = 1000
const propagationSeconds = 3750
const rotateAfterSeconds = 27 * 86_400
const realNow = performance.now.bind(performance)
const startedMs = realNow()

const directory = await mkdtemp(join(tmpdir(), 'countersign-rig-'))
const time = installVirtualTime(1_800_000_000)
const random = randomFrom(seed)
setDefaultCACertificates([...rootCertificates, await readFile(await makeCertificate(directory), 'utf8')])
const { service, config, credentials } = await startRigService(directory, await makeConfig(), time.clock)
const front = await startTlsFront(directory, config.issuer)
const verifiers = await startVerifiers({
  issuer: config.issuer,
  audience: 'agent-api',
  httpsOrigin: front.origin,
  clock: time.clock,
})
const now = (): number => time.clock.now()
const traffic = new Traffic({
  issuer: config.issuer,
  verifiersUrl: verifiers.url,
  credentials,
  now,
  propagationSeconds,
})
const [ring] = service.rings
if (ring === undefined) throw new Error('no ring')

/** Time passes; the service has looked at its store before anybody asks, as it does every 10 s. */
async function pass(seconds: number): Promise<void> {
  await time.pass(seconds)
  await ring?.refresh()
  await ring?.resume()
}

/** A fresh token and one of the past to some of the consumers, and now and then a stray one. */
async function exchange(share: number): Promise<void> {
  await traffic.look()
  const fresh = await traffic.issue()
  const held = traffic.held(random())
  const asked = verifierNames.map((_, index) => index).filter(() => random() < share)
  await Promise.all(
    asked.map(async (index) => {
      if (random() < 0.1) await traffic.stray(index, fresh)
      await traffic.verify(index, fresh)
      if (held !== undefined) await traffic.verify(index, held)
    }),
  )
}

/** What the ring refuses unless forced: a key made and used while verifiers hold what they read a moment ago. */
async function signTooEarly(): Promise<void> {
  const standby = ring?.status().keys.find(({ state }) => state === 'published')?.kid
  if (ring === undefined || standby === undefined) throw new Error('no standby')
  await ring.activate(standby, { force: 'to see the rig notice' })
  await exchange(1)
  await ring.rotate()
  const next = ring.status().keys.findLast(({ state }) => state === 'published')?.kid ?? ''
  await ring.activate(next, { force: 'to see the rig notice' })
  await exchange(1)
}

const activatedAt = (): number => ring.status().keys.find(({ state }) => state === 'active')?.activatedAt ?? 0

await exchange(1)
for (let rotation = 1; rotation <= rotations; rotation += 1) {
  const before = ring.status().activeKid
  for (const name of verifierNames) if (random() < 0.05) verifiers.restart(name)
  // Through the publication of the next key, in steps such as the caches' own limits.
  for (const seconds of [10, 25, 30, 5, 300 * random(), 600, 3600 * random()]) {
    await pass(seconds)
    await exchange(0.4)
  }
  // Some days at any time, then close to the activation, with caches of every age.
  await pass((rotateAfterSeconds - 4000) * (0.2 + 0.7 * random()))
  await exchange(0.5)
  const left = activatedAt() + rotateAfterSeconds - now()
  await pass(left - 3600 * random())
  if (!waits) await signTooEarly()
  for (const at of [900, 62, 31, 11, 1]) {
    const seconds = activatedAt() + rotateAfterSeconds - now() - at * (0.5 + random() / 2)
    if (seconds > 0) await pass(seconds)
    await exchange(0.5)
  }
  await pass(activatedAt() + rotateAfterSeconds - now() + 10 * random())
  if (waits && ring.status().activeKid === before) throw new Error('the key was not replaced when it was due')
  // From the first token of the new key to the withdrawal of the old one.
  await exchange(1)
  for (const seconds of [1, 9, 20 * random(), 60, 300 * random(), 200, 30, 1800, 30]) {
    await pass(seconds)
    await exchange(0.6)
  }
  if (rotation % 100 === 0) {
    process.stderr.write(
      `${rotation} rotations, ${traffic.tally.verified} verifications, ${traffic.tally.refusals} refused\n`,
    )
  }
}

const settings = { seed, rotateAfterSeconds, propagationSeconds, time: 'simulated' }
const seconds = (realNow() - startedMs) / 1000
deliver(
  resultOf({ name: 'simulated-rotations', settings, rotations, seconds, tally: traffic.tally }),
  waits && rotations >= wholeRun,
)
traffic.close()
await verifiers.close()
await front.close()
await service.close()
await rm(directory, { recursive: true })
process.exit()
