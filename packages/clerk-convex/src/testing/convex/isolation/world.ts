import type {
  DataModelFromSchemaDefinition,
  GenericDataModel,
  GenericSchema,
  SchemaDefinition,
  UserIdentity,
} from 'convex/server'
import type { TestConvexForDataModel } from 'convex-test'

/** The same as `import.meta.glob('./convex/**\/*.ts')`. */
export type ConvexModules = Readonly<Record<string, () => Promise<unknown>>>

export type AnyCaller = TestConvexForDataModel<GenericDataModel>

/** Callers, each held to what it may do with the arguments of the rightful one. */
export const isolationPersonas = ['nobody', 'foreignOrganization', 'foreignWorkspace', 'missingRole'] as const
export type IsolationPersona = (typeof isolationPersonas)[number]

/** A request of the rightful caller to a route of `convex/http.ts`. */
export interface IsolationRequest {
  /** Needed for a route by prefix. @default that of the route */
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface IsolationWorld<Seeded, Schema extends GenericSchema = GenericSchema> {
  readonly schema: SchemaDefinition<Schema, true>
  /** Makes two organisations with rows of both, and hands on what `args` need. Called anew for each call. */
  readonly seed: (
    t: TestConvexForDataModel<DataModelFromSchemaDefinition<SchemaDefinition<Schema, true>>>,
  ) => Promise<Seeded>
  /** May call everything, in the first organisation. */
  readonly rightful: Partial<UserIdentity>
  readonly personas: Readonly<Record<Exclude<IsolationPersona, 'nobody'>, Partial<UserIdentity>>>
  /** Whether a row is none of this caller's business: it must neither come back, nor change, nor change an answer. */
  readonly hidden: (
    persona: 'foreignOrganization' | 'foreignWorkspace',
    row: Readonly<Record<string, unknown>>,
    table: string,
  ) => boolean
  /** The arguments of the rightful caller, by `module:function`; a function that is missing fails. */
  readonly args: Readonly<Record<string, (seeded: Seeded) => Record<string, unknown>>>
  /** The requests of the rightful caller, by `GET /path` or `GET /prefix/*`; a route that is missing fails. */
  readonly requests?: Readonly<Record<string, (seeded: Seeded) => IsolationRequest>>
  /** Functions and routes that anybody may call, `publicQuery` or not made by `defineAuth` at all: each is said out loud. */
  readonly open?: readonly string[]
  /** Functions whose answer may depend on hidden rows, such as a total of all workspaces: each is said out loud. */
  readonly telling?: readonly string[]
  /** Tables that calls may write to whoever calls. @default ['authAudit'] */
  readonly ignoredTables?: readonly string[]
}

export interface IsolationFailure {
  /** `module:function`, `GET /path`, or `world` where nothing could be shown at all. */
  readonly function: string
  readonly persona: IsolationPersona | 'rightful' | 'definition'
  readonly fault: string
}

export interface IsolationReport {
  /** Public functions that were found, and routes. */
  readonly functions: readonly string[]
  /** Calls that were made. */
  readonly calls: number
  readonly failures: readonly IsolationFailure[]
}
