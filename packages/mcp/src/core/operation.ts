import type { Entry, Registry } from './registry.ts'

/** What one JSON-RPC message wants. */
export interface Operation {
  /** Of the protocol, or `other`: what a caller made up goes no further. */
  readonly method: string
  /** A notification or an answer has none. */
  readonly id: string | number | undefined
  readonly isRequest: boolean
  /** What it is about; all of them are needed. Empty for what opens a connection and for lists. */
  readonly entries: readonly Entry[]
  /** It names something that nobody declared, or a method that the protocol does not have. */
  readonly undeclared?: 'name' | 'method'
  /** With a method that the protocol does not have: as it was called. */
  readonly called?: string
  /** The trace id of `_meta`, where there is one. */
  readonly traceparent?: string
}

/** What opens, keeps and closes a connection, and the lists: nothing of the server's own. */
const open = new Set([
  'initialize',
  'ping',
  'server/discover',
  'logging/setLevel',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
])

/** Every member of a body: one message, or the batch of an old protocol. */
export function readOperations(body: unknown, registry: Registry): readonly Operation[] {
  return (Array.isArray(body) ? body : [body]).map((message) => readOperation(message, registry))
}

export function readOperation(message: unknown, registry: Registry): Operation {
  const { method, id, params } = fieldsOf(message)
  const isRequest = typeof id === 'string' || typeof id === 'number'
  const basis = { id: isRequest ? id : undefined, isRequest, ...traceparentOf(params) }
  // An answer to the server's own request, or nothing that the SDK takes.
  if (typeof method !== 'string') return { ...basis, method: 'other', isRequest: false, entries: [] }
  if (open.has(method)) return { ...basis, method, entries: [] }
  // Of notifications the SDKs know a handful, and drop the rest.
  if (method.startsWith('notifications/')) return { ...basis, method: 'notification', entries: [] }
  const find = finders[method]
  if (find === undefined || !Object.hasOwn(finders, method)) {
    return { ...basis, method: 'other', entries: [], undeclared: 'method', called: method }
  }
  const entries = find(fieldsOf(params), registry)
  if (entries.includes(undefined)) return { ...basis, method, entries: [], undeclared: 'name' }
  return { ...basis, method, entries: entries as readonly Entry[] }
}

type Fields = Readonly<Record<string, unknown>>
type Find = (params: Fields, registry: Registry) => readonly (Entry | undefined)[]

const byUri: Find = ({ uri }, registry) => [typeof uri === 'string' ? registry.resourceAt(uri) : undefined]

/** Which entries each method is about; an `undefined` among them denies. */
const finders: Readonly<Record<string, Find>> = {
  'tools/call': ({ name }, registry) => [typeof name === 'string' ? registry.get('tool', name) : undefined],
  'prompts/get': ({ name }, registry) => [typeof name === 'string' ? registry.get('prompt', name) : undefined],
  'resources/read': byUri,
  'resources/subscribe': byUri,
  'resources/unsubscribe': byUri,
  'completion/complete': ({ ref }, registry) => {
    const { type, name, uri } = fieldsOf(ref)
    if (type === 'ref/prompt' && typeof name === 'string') return [registry.get('prompt', name)]
    if (type === 'ref/resource' && typeof uri === 'string') {
      return [registry.get('resource-template', uri) ?? registry.resourceAt(uri)]
    }
    return [undefined]
  },
  'subscriptions/listen': ({ notifications }, registry) => {
    const { resourceSubscriptions = [] } = fieldsOf(notifications)
    if (!Array.isArray(resourceSubscriptions)) return [undefined]
    return resourceSubscriptions.map((uri) => (typeof uri === 'string' ? registry.resourceAt(uri) : undefined))
  },
}

/** The fields that a message has itself; none of anything but an object. */
function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

function traceparentOf(params: unknown): { readonly traceparent?: string } {
  const { traceparent } = fieldsOf(fieldsOf(params)._meta)
  return typeof traceparent === 'string' ? { traceparent } : {}
}
