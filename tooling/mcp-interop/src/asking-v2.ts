import { randomBytes } from 'node:crypto'
import type { GuardedMcp } from '@countersign/mcp/v2'
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  createRequestStateCodec,
  type InputRequest,
  inputRequired,
  type ServerContext,
} from '@modelcontextprotocol/server'
import { z } from 'zod'
import { type FixtureScope, read, says, words } from './fixtures.ts'
import { asksFor, asksModel } from './questions.ts'

/** What a tool remembers between two rounds goes through the client: signed, and good for the one that got it. */
export const stateCodec = createRequestStateCodec<{ readonly round: number }>({
  key: randomBytes(32),
  bind: ({ mcpReq, http }) => `${mcpReq.method} ${http?.authInfo?.clientId}`,
})

const elicit = (message: string, field: string): InputRequest =>
  inputRequired.elicit({ message, requestedSchema: asksFor(field) })

const everything: Readonly<Record<string, InputRequest>> = {
  user_name: elicit('What is your name?', 'name'),
  greeting: inputRequired.createMessage(asksModel('Generate a greeting', 50)),
  client_roots: inputRequired.listRoots(),
}

/** Which capability of a client each of them takes. */
const capabilities = { user_name: 'elicitation', greeting: 'sampling', client_roots: 'roots' } as const

const allHave = (mcp: ServerContext, keys: readonly string[]): boolean =>
  keys.every((key) => mcp.mcpReq.inputResponses?.[key] !== undefined)

/** Tools and a prompt of 2026-07-28 that answer with questions, and are called again with what the client answered. */
export function addAskingTools(guarded: GuardedMcp<FixtureScope>): void {
  const declaration = { scopes: read, description: 'Asks before it answers.' }

  for (const name of ['test_input_required_result_elicitation', 'test_streaming_elicitation']) {
    guarded.tool(name, declaration, (_, { mcp }) => {
      const content = acceptedContent(mcp.mcpReq.inputResponses, 'user_name', z.object({ name: z.string() }))
      if (content !== undefined) return says(`Hello, ${content.name}!`)
      return inputRequired({ inputRequests: { user_name: elicit('What is your name?', 'name') } })
    })
  }
  const single: Readonly<Record<string, Readonly<Record<string, InputRequest>>>> = {
    test_input_required_result_sampling: {
      capital_question: inputRequired.createMessage(asksModel('What is the capital of France?')),
    },
    test_input_required_result_list_roots: { client_roots: inputRequired.listRoots() },
    test_missing_capability: { thought: inputRequired.createMessage(asksModel('Think')) },
  }
  for (const [name, inputRequests] of Object.entries(single)) {
    guarded.tool(name, declaration, (_, { mcp }) => {
      if (allHave(mcp, Object.keys(inputRequests))) return says(JSON.stringify(mcp.mcpReq.inputResponses))
      return inputRequired({ inputRequests })
    })
  }
  guarded.tool('test_input_required_result_capabilities', declaration, (_, { mcp }) => {
    // The SDK's type has it only under the name that its own bundle gives the key.
    const envelope: Readonly<Record<string, unknown>> = mcp.mcpReq.envelope ?? {}
    const declared = Object(envelope[CLIENT_CAPABILITIES_META_KEY])
    const inputRequests = Object.fromEntries(
      Object.entries(everything).filter(([key]) => capabilities[key as keyof typeof capabilities] in declared),
    )
    return Object.keys(inputRequests).length === 0 ? says('nothing to ask') : inputRequired({ inputRequests })
  })
  addRememberingTools(guarded)
  guarded.prompt('test_input_required_result_prompt', declaration, (_, { mcp }) => {
    const content = acceptedContent(mcp.mcpReq.inputResponses, 'user_context', z.object({ context: z.string() }))
    if (content !== undefined) return { messages: [{ role: 'user', content: words(content.context) }] }
    return inputRequired({ inputRequests: { user_context: elicit('What context should the prompt use?', 'context') } })
  })
}

function addRememberingTools(guarded: GuardedMcp<FixtureScope>): void {
  const rounds: Readonly<Record<string, readonly Readonly<Record<string, InputRequest>>[]>> = {
    test_input_required_result_request_state: [{ confirm: elicit('Please confirm', 'ok') }],
    test_input_required_result_tampered_state: [{ confirm: elicit('Please confirm', 'ok') }],
    test_input_required_result_multiple_inputs: [everything],
    test_input_required_result_multi_round: [
      { step1: elicit('Step 1: What is your name?', 'name') },
      { step2: elicit('Step 2: What is your favorite color?', 'color') },
    ],
  }
  for (const [name, questions] of Object.entries(rounds)) {
    guarded.tool(name, { scopes: read, description: 'Asks, and remembers what.' }, async (_, { mcp }) => {
      const asked = mcp.mcpReq.requestState<{ round: number }>()?.round ?? 0
      const last = questions[asked - 1]
      const round = last === undefined || allHave(mcp, Object.keys(last)) ? asked + 1 : asked
      const inputRequests = questions[round - 1]
      if (inputRequests === undefined) return says('state-ok')
      return inputRequired({ inputRequests, requestState: await stateCodec.mint({ round }, mcp) })
    })
  }
}
