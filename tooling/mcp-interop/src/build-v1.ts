import { type GuardedMcp, guardMcp } from '@countersign/mcp/v1'
import { completable } from '@modelcontextprotocol/sdk/server/completable.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'
import { addAskingTools } from './asking-v1.ts'
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

/** The fixtures behind the guard, by the SDK's first generation. */
export function buildV1(options: FixtureOptions): GuardedMcp<FixtureScope> {
  const guarded = guardMcp<FixtureScope>(
    () => new McpServer({ name: 'fixtures', version: '1.0.0' }, { capabilities: { logging: {} } }),
    options,
  )
  for (const [name, answer] of Object.entries(answers)) {
    guarded.tool(name, { scopes: read, description: `Answers as ${name} does.` }, () => answer)
  }
  addAskingTools(guarded)
  return guarded
    .tool('whoami', { scopes: 'token', description: 'Says whom it is called for.' }, (_, { principal }) =>
      says(`${principal.clientId}`),
    )
    .tool('write', { scopes: write, description: 'Would write.' }, () => says('written'))
    .tool('copy', { scopes: both, description: 'Would read and write.' }, () => says('copied'))
    .tool('version', { scopes: 'public', description: 'Says its version.' }, () => says('1.0.0'))
    .tool(
      'test_tool_with_progress',
      { scopes: read, description: 'Tells how far it is.' },
      async (_, { mcp: { _meta, sendNotification } }) => {
        const progressToken = _meta?.progressToken
        for (const progress of [0, 50, 100]) {
          if (progressToken !== undefined) {
            const params = { progressToken, progress, total: 100 }
            await sendNotification({ method: 'notifications/progress', params })
          }
          await pause(20)
        }
        return says('done')
      },
    )
    .tool(
      'test_tool_with_logging',
      { scopes: read, description: 'Logs what it does.' },
      async (_, { mcp: { sendNotification } }) => {
        for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
          await sendNotification({ method: 'notifications/message', params: { level: 'info', data } })
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
        argsSchema: {
          arg1: completable(z.string(), (start) => cities.filter((city) => city.startsWith(start))),
          arg2: z.string(),
        },
      },
      ({ arg1, arg2 }) => prompts.withArguments(arg1, arg2),
    )
    .prompt(
      'test_prompt_with_embedded_resource',
      { scopes: read, description: 'With a resource.', argsSchema: { resourceUri: z.string() } },
      ({ resourceUri }) => prompts.withResource(resourceUri),
    )
    .prompt('test_prompt_with_image', { scopes: read, description: 'With an image.' }, () => prompts.withImage)
}
