import { type GuardedMcp, guardMcp } from '@countersign/mcp/v2'
import { completable, fromJsonSchema, McpServer, type ServerNotifier } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { addAskingTools, stateCodec } from './asking-v2.ts'
import {
  answers,
  both,
  cities,
  type FixtureOptions,
  type FixtureScope,
  pause,
  prompts,
  read,
  resources,
  says,
  write,
} from './fixtures.ts'

/** The fixtures behind the guard, by the SDK's second generation. */
export function buildV2(
  options: FixtureOptions & {
    /** Tells subscribers what changed, once it is served. */
    readonly notifier: () => ServerNotifier | undefined
  },
): GuardedMcp<FixtureScope> {
  const guarded = guardMcp<FixtureScope>(
    () =>
      new McpServer(
        { name: 'fixtures', version: '1.0.0' },
        { capabilities: { logging: {} }, requestState: { verify: stateCodec.verify } },
      ),
    options,
  )
  for (const [name, answer] of Object.entries(answers)) {
    guarded.tool(name, { scopes: read, description: `Answers as ${name} does.` }, () => answer)
  }
  addAskingTools(guarded)
  return guarded
    .tool('json_schema_2020_12_tool', { scopes: read, description: 'Has a schema.', inputSchema }, () => says('fits'))
    .tool(
      'test_custom_header',
      {
        scopes: read,
        description: 'Takes an argument that comes in a header, too.',
        inputSchema: z.object({ region: z.string().meta({ 'x-mcp-header': 'Region' }) }),
      },
      ({ region }) => says(region),
    )
    .tool('test_logging_tool', { scopes: read, description: 'Logs.' }, async (_, { mcp: { mcpReq } }) => {
      await mcpReq.log('info', 'logged')
      return says('done')
    })
    .tool('test_trigger_tool_change', { scopes: write, description: 'Says that tools changed.' }, () => {
      options.notifier()?.toolsChanged()
      return says('told')
    })
    .tool('test_trigger_prompt_change', { scopes: write, description: 'Says that prompts changed.' }, () => {
      options.notifier()?.promptsChanged()
      return says('told')
    })
    .tool('whoami', { scopes: 'token', description: 'Says whom it is called for.' }, (_, { principal }) =>
      says(`${principal.clientId}`),
    )
    .tool('write', { scopes: write, description: 'Would write.' }, () => says('written'))
    .tool('copy', { scopes: both, description: 'Would read and write.' }, () => says('copied'))
    .tool('version', { scopes: 'public', description: 'Says its version.' }, () => says('1.0.0'))
    .tool(
      'test_tool_with_progress',
      { scopes: read, description: 'Tells how far it is.' },
      async (_, { mcp: { mcpReq } }) => {
        const progressToken = mcpReq._meta?.progressToken
        for (const progress of [0, 50, 100]) {
          if (progressToken !== undefined) {
            const params = { progressToken, progress, total: 100 }
            await mcpReq.notify({ method: 'notifications/progress', params })
          }
          await pause(20)
        }
        return says('done')
      },
    )
    .tool(
      'test_tool_with_logging',
      { scopes: read, description: 'Logs what it does.' },
      async (_, { mcp: { mcpReq } }) => {
        for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
          await mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data } })
          await pause(20)
        }
        return says('done')
      },
    )
    .resource(
      'test://static-text',
      { scopes: read, name: 'text', description: 'Some text.', mimeType: 'text/plain' },
      () => resources.text,
    )
    .resource(
      'test://static-binary',
      { scopes: read, name: 'binary', description: 'A pixel.', mimeType: 'image/png' },
      () => resources.binary,
    )
    .resourceTemplate(
      'test://template/{id}/data',
      { scopes: read, name: 'template', description: 'Data of an id.', mimeType: 'application/json' },
      (uri, { id }) => resources.ofTemplate(uri.href, String(id)),
    )
    .prompt('test_simple_prompt', { scopes: read, description: 'Simple.' }, () => prompts.simple)
    .prompt(
      'test_prompt_with_arguments',
      {
        scopes: read,
        description: 'With arguments.',
        argsSchema: z.object({
          arg1: completable(z.string(), (start) => cities.filter((city) => city.startsWith(start))),
          arg2: z.string(),
        }),
      },
      ({ arg1, arg2 }) => prompts.withArguments(arg1, arg2),
    )
    .prompt(
      'test_prompt_with_embedded_resource',
      { scopes: read, description: 'With a resource.', argsSchema: z.object({ resourceUri: z.string() }) },
      ({ resourceUri }) => prompts.withResource(resourceUri),
    )
    .prompt('test_prompt_with_image', { scopes: read, description: 'With an image.' }, () => prompts.withImage)
}

/** Every keyword that the suite looks for. */
const inputSchema = fromJsonSchema<Record<string, unknown>>({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: {
      $anchor: 'addressDef',
      type: 'object',
      properties: { street: { type: 'string' }, city: { type: 'string' } },
    },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
})
