import { countersign } from '../countersign.ts'
import type { Fleet } from '../fleet.ts'
import { basic, bearer, get, postForm } from '../http.ts'
import { patienceMs } from '../patience.ts'
import { expectThat, type Step, Surprise } from '../walk.ts'

const pauseMs = 20

interface Traffic {
  /** The keys that the tokens in use were signed with. */
  readonly kids: ReadonlySet<string>
  /** Ends it; how many requests were made. @throws Surprise if one was refused */
  stop(): Promise<number>
}

/** Tokens old and new are used all the time; the first refusal is kept and thrown at the end. */
function startTraffic({ addresses, accounts }: Fleet): Traffic {
  const asService = basic(accounts.service.identifier, accounts.service.secret)
  const kids = new Set<string>()
  const held: string[] = []
  let requests = 0
  let running = true
  const loop = async (): Promise<void> => {
    while (running) {
      const issued = await postForm(
        `${addresses.issuer}/oauth/token`,
        { grant_type: 'client_credentials', audience: 'agent-api', scope: 'agents:read' },
        asService,
      )
      if (issued.status !== 200) throw new Surprise(`the token service answered ${issued.status}`)
      held.push(issued.body.access_token)
      kids.add(kidOf(issued.body.access_token))
      for (const token of [held.at(-1), held[0]]) {
        requests += 1
        const answer = await get(`${addresses['agent-api']}/agents`, bearer(token ?? ''))
        if (answer.status !== 200) throw new Surprise(`a valid token got ${answer.status} after ${requests} requests`)
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
  const done = loop()
  // Looked at in `stop`; without this a refusal in the meantime would end the process.
  done.catch(() => undefined)
  return {
    kids,
    async stop() {
      running = false
      await done
      return requests
    },
  }
}

function kidOf(token: string): string {
  return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
}

/** Asks until the new key signs, as an operator who repeats `keys rotate` would. */
async function rotateUntilDone(fleet: Fleet): Promise<{ readonly activeKid: string; readonly waits: number }> {
  const deadline = performance.now() + patienceMs
  let waits = 0
  while (performance.now() < deadline) {
    const outcome = await countersign(fleet.configFile, ['keys', 'rotate'])
    if (outcome.done === true) return { activeKid: String(outcome.activeKid), waits }
    waits += 1
    const ms = Number(outcome.activatesAt) * 1000 - Date.now()
    await new Promise((resolve) => setTimeout(resolve, Math.min(Math.max(ms, 50), patienceMs)))
  }
  throw new Surprise(`no new key signed within ${patienceMs / 1000} s`)
}

export const rotation: readonly Step<Fleet>[] = [
  {
    name: 'a key rotates under traffic',
    async run(fleet) {
      const traffic = startTraffic(fleet)
      let activeKid: string
      let requests: number
      try {
        ;({ activeKid } = await rotateUntilDone(fleet))
        await untilUsed(traffic, activeKid)
      } finally {
        requests = await traffic.stop()
      }
      expectThat(traffic.kids.size === 2, `tokens came from ${traffic.kids.size} keys, not from the old and the new`)
      return `${requests} requests meanwhile, 0 refused; ${activeKid.slice(0, 8)}… signs now`
    },
  },
]

/** The running service sees what the command line did; then its tokens come from the new key. */
async function untilUsed({ kids }: Traffic, kid: string): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!kids.has(kid)) {
    if (performance.now() > deadline) throw new Surprise('the running service does not sign with the new key')
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}
