import type { Caller } from './caller.ts'
import type { Core } from './core.ts'
import type { Definition, Lists } from './lists.ts'

/**
 * The resources that a caller may read: those with a URI of their own, then those that templates list for it. Where the
 * URI that a template lists is really another entry's, that one's access counts.
 */
export async function resourceList(
  { registry, door }: Core,
  lists: Lists,
  caller: Caller,
  call: unknown,
): Promise<readonly Definition[]> {
  const found = [...lists.list('resource', caller)]
  for (const { declared } of lists.entries('resource-template', caller)) {
    const { list, complete, cacheHint, name, ...shared } = declared
    if (typeof list !== 'function') continue
    const listed: unknown = await list(call)
    for (const resource of Array.isArray(listed) ? listed : []) {
      const entry = typeof resource?.uri === 'string' ? registry.resourceAt(resource.uri) : undefined
      if (entry !== undefined && door.mayUse(caller, entry)) found.push({ ...shared, ...resource })
    }
  }
  return found
}
