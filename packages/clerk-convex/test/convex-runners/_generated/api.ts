import { type ApiFromModules, anyApi, type FilterApi, type FunctionReference } from 'convex/server'
import type * as auth from '../auth.ts'
import type * as jobs from '../jobs.ts'
import type * as runners from '../runners.ts'

/** As `convex codegen` writes it, for the modules of these tests. */
type All = ApiFromModules<{ auth: typeof auth; jobs: typeof jobs; runners: typeof runners }>

export const api = anyApi as unknown as FilterApi<All, FunctionReference<'query' | 'mutation' | 'action', 'public'>>
export const internal = anyApi as unknown as FilterApi<
  All,
  FunctionReference<'query' | 'mutation' | 'action', 'internal'>
>
