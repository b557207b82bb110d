import { type GenericDataModel, makeFunctionReference } from 'convex/server'
import { ConvexError, convexToJson, type JSONValue, jsonToConvex, type Value } from 'convex/values'
import type { TestConvexForDataModel } from 'convex-test'
import type { ConvexModules } from './isolation/world.ts'

export type AnyCaller = TestConvexForDataModel<GenericDataModel>
export type FunctionKind = 'query' | 'mutation' | 'action'

export type FunctionResult =
  | { readonly value: JSONValue }
  | { readonly errorMessage: string; readonly errorData?: JSONValue }

/** Runs the public functions of an app, as a deployment does for its clients. */
export interface Functions {
  run(caller: AnyCaller, kind: FunctionKind, path: string, args: unknown): Promise<FunctionResult>
}

const marks = { query: 'isQuery', mutation: 'isMutation', action: 'isAction' } as const

export function publicFunctions(modules: ConvexModules): Functions {
  const files = new Map(Object.entries(modules).map(([path, load]) => [path.replace(/\.[cm]?[jt]sx?$/, ''), load]))
  const anchor = [...files.keys()].find((path) => path.includes('_generated/')) ?? ''
  const root = anchor.slice(0, anchor.indexOf('_generated/'))

  /** convex-test runs internal functions for anybody; a deployment does not say that they are there. */
  const isPublic = async (file: string, name: string, kind: FunctionKind): Promise<boolean> => {
    const found = member(await files.get(root + file)?.(), name)
    return member(found, 'isPublic') === true && member(found, marks[kind]) === true
  }

  return {
    async run(caller, kind, path, args) {
      const [file = '', name = 'default'] = path.replace(/\.js(?=:|$)/, '').split(':')
      if (!(await isPublic(file, name, kind))) {
        return { errorMessage: `Could not find public function for '${file}:${name}'.` }
      }
      try {
        const given = Array.isArray(args) ? args[0] : args
        const read = jsonToConvex((given ?? {}) as JSONValue) as Record<string, Value>
        return { value: convexToJson(await invoke(caller, kind, `${file}:${name}`, read)) }
      } catch (error) {
        const errorMessage = error instanceof Error ? `Uncaught ${error.name}: ${error.message}` : 'Uncaught error'
        return error instanceof ConvexError ? { errorMessage, errorData: convexToJson(error.data) } : { errorMessage }
      }
    },
  }
}

async function invoke(
  caller: AnyCaller,
  kind: FunctionKind,
  name: string,
  args: Record<string, Value>,
): Promise<Value> {
  const result: unknown =
    kind === 'query'
      ? await caller.query(makeFunctionReference<'query'>(name), args)
      : kind === 'mutation'
        ? await caller.mutation(makeFunctionReference<'mutation'>(name), args)
        : await caller.action(makeFunctionReference<'action'>(name), args)
  // convex-test has held it against Convex's values on its way out.
  return (result ?? null) as Value
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'function' || (typeof value === 'object' && value !== null)
    ? Reflect.get(value, name)
    : undefined
}
