import { type Answer, bearer, errorOf, expectStatus, hostOf, memberOf } from '../ask.ts'
import { ProbeFailure } from '../failure.ts'
import { changeScope } from '../scopes.ts'
import type { World } from './world.ts'

/** Every instance lets the token in, and nobody without one. */
export async function callAll(world: World, token: string, signal: AbortSignal): Promise<void> {
  for (const url of world.agentApis) {
    const who = `agent-api at ${hostOf(url)}`
    const stranger = await world.ask(`${url}/agents`, { signal })
    if (stranger.status >= 200 && stranger.status < 300) {
      throw new ProbeFailure('accepted', `${who} answered ${stranger.status} to a request without a token`)
    }
    if (stranger.status !== 401) expectStatus(stranger, 401, who)
    const answer = await look(world, url, token, signal)
    expectStatus(answer, 200, who)
    if (!Array.isArray(memberOf(answer.body, 'agents'))) {
      throw new ProbeFailure('wrong_answer', `${who} answered 200 without agents`)
    }
  }
}

export function look({ ask }: World, url: string, token: string, signal: AbortSignal): Promise<Answer> {
  return ask(`${url}/agents`, { authorization: bearer(token), signal })
}

/**
 * Every instance refuses what would have an effect. What is sent would be refused for its form as well: also a
 * broken consumer changes nothing for a probe.
 */
export async function refuseSideEffects(world: World, token: string, signal: AbortSignal): Promise<void> {
  for (const url of world.agentApis) {
    const who = `agent-api at ${hostOf(url)}`
    const answer = await world.ask(`${url}/chat`, { authorization: bearer(token), json: {}, signal })
    if (answer.status === 403) {
      if (answer.challenge.includes('insufficient_scope')) continue
      throw new ProbeFailure('wrong_answer', `${who} answered 403 without a challenge for a scope`)
    }
    if (answer.status === 401 || answer.status === 429 || answer.status >= 500) expectStatus(answer, 403, who)
    throw new ProbeFailure(
      'accepted',
      `${who} let a synthetic token in for ${changeScope}: ${answer.status} ${errorOf(answer)}`,
    )
  }
}
