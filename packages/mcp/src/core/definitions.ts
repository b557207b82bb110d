import type { EntryKind } from '../access.ts'
import { McpGuardError } from '../errors.ts'
import type { Definition, Definitions } from './lists.ts'
import type { Registry } from './registry.ts'

/** How each kind is listed by the protocol: the method, its result's field, and what is an entry's name in it. */
const listings: Readonly<Record<EntryKind, readonly [method: string, field: string, name: string]>> = {
  tool: ['tools/list', 'tools', 'name'],
  prompt: ['prompts/list', 'prompts', 'name'],
  resource: ['resources/list', 'resources', 'uri'],
  'resource-template': ['resources/templates/list', 'resourceTemplates', 'uriTemplate'],
}

/**
 * Has the SDK list a server on which all was registered, as it would for a client: its words are ours then, and what was
 * never declared shows.
 *
 * @param list sends one request; `undefined` when the server does not know the method
 * @throws McpGuardError `round_the_wrapper`
 */
export async function collectDefinitions(
  registry: Registry,
  list: (method: string) => Promise<Readonly<Record<string, unknown>> | undefined>,
): Promise<Definitions> {
  const collect = async (kind: EntryKind): Promise<ReadonlyMap<string, Definition>> => {
    const [method, field, nameField] = listings[kind]
    const listed = (await list(method))?.[field] ?? []
    const found = new Map<string, Definition>()
    for (const definition of Array.isArray(listed) ? listed : []) {
      const name = String(definition[nameField])
      if (registry.get(kind, name) === undefined) {
        throw new McpGuardError(
          'round_the_wrapper',
          `The ${kind} ${JSON.stringify(name)} was registered round the guard.`,
        )
      }
      found.set(name, Object.freeze(definition))
    }
    return found
  }
  return {
    tool: await collect('tool'),
    prompt: await collect('prompt'),
    resource: await collect('resource'),
    'resource-template': await collect('resource-template'),
  }
}
