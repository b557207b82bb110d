import type { GuardedMcp } from '@countersign/mcp/v1'
import { CreateMessageResultSchema, ElicitResultSchema } from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'
import { type FixtureScope, read, says } from './fixtures.ts'
import { asksModel, forms } from './questions.ts'

/** Tools that ask the client while they run: a server of 2025-11-25 with sessions may. */
export function addAskingTools(guarded: GuardedMcp<FixtureScope>): void {
  guarded.tool(
    'test_sampling',
    { scopes: read, description: "Asks the client's model.", inputSchema: { prompt: z.string() } },
    async ({ prompt }, { mcp }) => {
      const request = { method: 'sampling/createMessage' as const, params: asksModel(prompt) }
      const { content } = await mcp.sendRequest(request, CreateMessageResultSchema)
      return says(`LLM response: ${content.type === 'text' ? content.text : content.type}`)
    },
  )
  for (const [name, requestedSchema] of Object.entries(forms)) {
    guarded.tool(
      name,
      { scopes: read, description: 'Asks the user.', inputSchema: { message: z.string().default('Please answer') } },
      async ({ message }, { mcp }) => {
        const params = { message, requestedSchema }
        const answer = await mcp.sendRequest({ method: 'elicitation/create', params }, ElicitResultSchema)
        return says(`User response: ${JSON.stringify(answer)}`)
      },
    )
  }
}
