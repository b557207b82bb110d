import { type FunctionCard, readCard } from '../../../convex/function-card.ts'
import type { ConvexModules } from './world.ts'

export type FunctionKind = 'query' | 'mutation' | 'action'

/** Something that a client can call. */
export interface Found {
  /** `module:function`, or `GET /path`. */
  readonly name: string
  readonly kind: FunctionKind | 'route'
  readonly card: FunctionCard | undefined
}

const kindMarks = { query: 'isQuery', mutation: 'isMutation', action: 'isAction' } as const

/** Everything public of an app, in the order of its files. */
export async function findPublic(modules: ConvexModules): Promise<readonly Found[]> {
  const found: Found[] = []
  const { root, paths } = filesOf(modules)
  for (const path of [...paths].sort()) {
    const module: unknown = await modules[path]?.()
    if (typeof module !== 'object' || module === null) continue
    const file = nameOf(root, path)
    for (const [name, value] of Object.entries(module)) {
      const kind = member(value, 'isPublic') === true ? kindOf(value) : undefined
      if (kind !== undefined) found.push({ name: `${file}:${name}`, kind, card: readCard(value) })
    }
    if (file === 'http') found.push(...routesOf(member(module, 'default')))
  }
  return found
}

/** The kind of any function, an internal one too: by it scheduled work is run. */
export async function findKind(modules: ConvexModules, name: string): Promise<FunctionKind | undefined> {
  const [file = '', exported = 'default'] = name.replace(/\.js(?=:|$)/, '').split(':')
  const { root, paths } = filesOf(modules)
  const path = paths.find((one) => nameOf(root, one) === file)
  return path === undefined ? undefined : kindOf(member(await modules[path]?.(), exported))
}

function filesOf(modules: ConvexModules): { readonly root: string; readonly paths: readonly string[] } {
  const all = Object.keys(modules)
  const roots = all.flatMap((path) => /^(.*?)(?<![^/])_generated\//.exec(path)?.[1] ?? [])
  const root = roots.sort((a, b) => a.length - b.length)[0] ?? ''
  // Only there: a folder that is called nearly so, or so further down, may hold functions.
  const paths = all.filter((path) => !path.startsWith(`${root}_generated/`) && !/\.d\.ts$|\.map$/.test(path))
  return { root, paths }
}

function nameOf(root: string, path: string): string {
  return path.slice(root.length).replace(/\.[cm]?[jt]sx?$/, '')
}

function kindOf(value: unknown): FunctionKind | undefined {
  return (['query', 'mutation', 'action'] as const).find((one) => member(value, kindMarks[one]) === true)
}

function routesOf(router: unknown): readonly Found[] {
  const list: unknown = member(router, 'isRouter') === true ? member(router, 'getRoutes') : undefined
  const routes: unknown = typeof list === 'function' ? Reflect.apply(list, router, []) : []
  if (!Array.isArray(routes)) return []
  return routes.map((route: unknown) => {
    const [path, method] = Array.isArray(route) ? route : []
    return { name: `${String(method)} ${String(path)}`, kind: 'route', card: undefined }
  })
}

export function member(value: unknown, name: string): unknown {
  return typeof value === 'function' || (typeof value === 'object' && value !== null)
    ? Reflect.get(value, name)
    : undefined
}
