import { type ApiFromModules, anyApi, type FilterApi, type FunctionReference } from 'convex/server'
import type * as auth from '../auth.ts'
import type * as people from '../people.ts'
import type * as projects from '../projects.ts'
import type * as runs from '../runs.ts'

/** As `convex codegen` writes it, for the modules of these tests. */
type All = ApiFromModules<{ auth: typeof auth; people: typeof people; projects: typeof projects; runs: typeof runs }>

export const api = anyApi as unknown as FilterApi<All, FunctionReference<'query' | 'mutation' | 'action', 'public'>>
export const internal = anyApi as unknown as FilterApi<
  All,
  FunctionReference<'query' | 'mutation' | 'action', 'internal'>
>
