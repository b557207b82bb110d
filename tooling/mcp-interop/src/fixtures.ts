import type { Guard } from '@countersign/guard'
import type { McpEvent } from '@countersign/mcp'

export const scopes = {
  'fixtures:read': { description: 'Use what only answers.' },
  'fixtures:write': { sideEffects: true, description: 'Use what would change something.' },
}
export type FixtureScope = keyof typeof scopes

export interface FixtureOptions {
  readonly guard: Guard<FixtureScope>
  readonly onEvent?: (event: McpEvent) => void
}

export const read: readonly ['fixtures:read'] = ['fixtures:read']
export const write: readonly ['fixtures:write'] = ['fixtures:write']
export const both: readonly ['fixtures:read', 'fixtures:write'] = ['fixtures:read', 'fixtures:write']

/** One red pixel. */
export const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=='
/** No sound. */
const wav = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA='

export const words = (text: string) => ({ type: 'text' as const, text })
export const says = (text: string) => ({ content: [words(text)] })
const image = { type: 'image' as const, data: png, mimeType: 'image/png' }
const embedded = (uri: string, mimeType: string, text: string) => ({
  type: 'resource' as const,
  resource: { uri, mimeType, text },
})

/** Tools of the conformance suite that answer with what is in here, by their names. */
export const answers = {
  test_simple_text: says('This is a simple text response for testing.'),
  test_image_content: { content: [image] },
  test_audio_content: { content: [{ type: 'audio' as const, data: wav, mimeType: 'audio/wav' }] },
  test_embedded_resource: {
    content: [embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')],
  },
  test_multiple_content_types: {
    content: [
      words('Multiple content types test:'),
      image,
      embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
    ],
  },
  test_error_handling: { ...says('This tool intentionally returns an error for testing'), isError: true },
}

const user = 'user' as const
const message = (content: ReturnType<typeof words> | typeof image | ReturnType<typeof embedded>) => ({
  role: user,
  content,
})

/** The suite's prompts. */
export const prompts = {
  simple: { messages: [message(words('This is a simple prompt for testing.'))] },
  withArguments: (arg1: string, arg2: string) => ({
    messages: [message(words(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
  }),
  withResource: (uri: string) => ({
    messages: [
      message(embedded(uri, 'text/plain', 'Embedded resource content for testing.')),
      message(words('Please process the embedded resource above.')),
    ],
  }),
  withImage: { messages: [message(image), message(words('Please analyze the image above.'))] },
}

export const resources = {
  text: {
    contents: [
      {
        uri: 'test://static-text',
        mimeType: 'text/plain',
        text: 'This is the content of the static text resource.',
      },
    ],
  },
  binary: { contents: [{ uri: 'test://static-binary', mimeType: 'image/png', blob: png }] },
  ofTemplate: (uri: string, id: string) => ({
    contents: [
      {
        uri,
        mimeType: 'application/json',
        text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
      },
    ],
  }),
}

export const cities = ['paris', 'park', 'party']

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
