import type {
  DataModelFromSchemaDefinition,
  GenericDataModel,
  GenericSchema,
  SchemaDefinition,
  TableNamesInDataModel,
} from 'convex/server'
import { AuthError } from '../auth-error.ts'
import type { AuthEvent } from './events.ts'
import { runnerTableNames } from './runner/tables.ts'

/** How the rows of one table fall to tenants. */
export interface TenantRule<Index extends string = string, Field extends string = string> {
  /** An index that begins with `field`, and then with `workspace` if there is one. */
  readonly index: Index
  /** Holds the id of the organisation, or of the user with `owner: 'user'`. */
  readonly field: Field
  /** @default 'organization' */
  readonly owner?: 'organization' | 'user'
  /** Holds the id of the workspace that a row belongs to: it is seen by those only who see that workspace. */
  readonly workspace?: Field
}

/** Table by table; one that is not listed cannot be reached by `ctx.db`. */
export type TenantRules<DataModel extends GenericDataModel> = {
  readonly [Table in TableNamesInDataModel<DataModel>]?: TenantRule<
    keyof DataModel[Table]['indexes'] & string,
    keyof DataModel[Table]['document'] & string
  >
}

/** Which permissions each role has, without Clerk's `org:` before the role. */
export type Roles = Readonly<Record<string, readonly string[]>>

export interface IdentityOptions {
  /** Clerk's `iss`: the subject of its tokens is the user's id. Subjects of other issuers need a row in `authIdentities`. */
  readonly clerkIssuer: string
}

export interface StepUpOptions {
  /**
   * Which factor must be recent. `second` asks for the second where the user has one and for the first where not, as
   * Clerk does; `both` asks for both.
   *
   * @default 'second'
   */
  readonly factor?: 'first' | 'second' | 'both'
}

export interface RetentionOptions {
  /** Days that a row of `authAudit` is kept for, 30 to 3,650; `sweep` deletes older ones. @default rows are kept */
  readonly auditDays?: number
}

export interface AuthOptions<
  Schema extends GenericSchema,
  Rules extends TenantRules<DataModelFromSchemaDefinition<SchemaDefinition<Schema, true>>>,
  RoleTable extends Roles,
> {
  /** With {@link authTables} among its tables. */
  readonly schema: SchemaDefinition<Schema, true>
  readonly tenants: Rules
  readonly roles: RoleTable
  readonly identities: IdentityOptions
  readonly stepUp?: StepUpOptions
  /** The file in `convex/` that exports {@link Auth.functions}, which actions and routes call. @default 'auth' */
  readonly module?: string
  readonly retention?: RetentionOptions
  /** What cannot be written to the database: denied queries, failed tokens, rolled back denials. @default a JSON line by `console.warn` */
  readonly onEvent?: (event: AuthEvent) => void
  /** Seconds since the Unix epoch. @default the system's clock */
  readonly now?: () => number
}

/** What of the options matters when functions run. */
export interface Setting {
  readonly rules: ReadonlyMap<string, TenantRule>
  readonly indexes: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>
  readonly roles: ReadonlyMap<string, ReadonlySet<string>>
  readonly clerkIssuer: string
  readonly stepUpFactor: 'first' | 'second' | 'both'
  readonly module: string
  /** Undefined to keep everything. */
  readonly auditDays: number | undefined
  /** Whether the schema has `runnerTables`. */
  readonly hasRunners: boolean
  readonly emit: (event: AuthEvent) => void
  readonly now: () => number
}

interface RawOptions {
  readonly schema: {
    readonly tables: Readonly<Record<string, { ' indexes'(): { indexDescriptor: string; fields: string[] }[] }>>
  }
  readonly tenants: Readonly<Record<string, TenantRule | undefined>>
  readonly roles: Roles
  readonly identities: IdentityOptions
  readonly stepUp?: StepUpOptions
  readonly retention?: RetentionOptions
  readonly module?: string
  readonly onEvent?: (event: AuthEvent) => void
  readonly now?: () => number
}

/** @throws AuthError `bad_option`, when the module is loaded and so before anything is deployed */
export function readOptions(options: RawOptions): Setting {
  const {
    schema,
    tenants,
    roles,
    identities,
    stepUp,
    retention,
    module = 'auth',
    onEvent,
    now = () => Date.now() / 1_000,
  } = options
  for (const table of authTableNames) {
    if (!Object.hasOwn(schema.tables, table)) refuse(`schema: ${table} is missing; spread \`authTables\` into it.`)
  }
  const indexes = new Map<string, ReadonlyMap<string, readonly string[]>>()
  const rules = new Map<string, TenantRule>()
  for (const [table, rule] of Object.entries(tenants)) {
    if (rule === undefined) continue
    const definition = Object.hasOwn(schema.tables, table) ? schema.tables[table] : undefined
    if (definition === undefined) return refuse(`tenants.${table}: the schema has no such table.`)
    if (authTableNames.includes(table) || runnerTableNames.includes(table))
      refuse(`tenants.${table}: the tables of authorisation are out of reach.`)
    const own = new Map(definition[' indexes']().map(({ indexDescriptor, fields }) => [indexDescriptor, fields]))
    const prefix = prefixOf(rule)
    if (!startsWith(own.get(rule.index), prefix)) {
      refuse(`tenants.${table}.index: ${rule.index} must begin with ${prefix.join(', ')}.`)
    }
    if (rule.owner === 'user' && rule.workspace !== undefined)
      refuse(`tenants.${table}: a user's rows have no workspace.`)
    indexes.set(table, own)
    rules.set(table, Object.freeze({ ...rule }))
  }
  if (!URL.canParse(identities.clerkIssuer)) refuse('identities.clerkIssuer must be a URL.')
  checkModule(module, refuse)
  const auditDays = retention?.auditDays
  if (auditDays !== undefined && !(Number.isInteger(auditDays) && auditDays >= 30 && auditDays <= 3_650)) {
    refuse('retention.auditDays must be 30 to 3650 whole days.')
  }
  return Object.freeze({
    rules,
    indexes,
    roles: new Map(Object.entries(roles).map(([role, granted]) => [role.replace(/^org:/, ''), new Set(granted)])),
    clerkIssuer: identities.clerkIssuer,
    stepUpFactor: stepUp?.factor ?? 'second',
    module,
    auditDays,
    hasRunners: runnerTableNames.every((table) => Object.hasOwn(schema.tables, table)),
    emit: onEvent ?? ((event) => console.warn(JSON.stringify({ countersign: event }))),
    now,
  })
}

export function checkModule(module: string, refuse: (message: string) => never): void {
  if (!/^\w+(\/\w+)*$/.test(module)) refuse('module must be the path of a file in convex/, without its extension.')
}

/** The fields that an index has to begin with for a range of it to hold one tenant's rows only. */
export function prefixOf(rule: TenantRule): readonly string[] {
  return rule.workspace === undefined ? [rule.field] : [rule.field, rule.workspace]
}

export function startsWith(fields: readonly string[] | undefined, prefix: readonly string[]): boolean {
  return fields !== undefined && prefix.every((field, at) => fields[at] === field)
}

const authTableNames = [
  'authIdentities',
  'authUsers',
  'authOrganizations',
  'authMemberships',
  'authWorkspaces',
  'authWorkspaceMembers',
  'authWebhooks',
  'authAudit',
]

function refuse(message: string): never {
  throw new AuthError('bad_option', `defineAuth: ${message}`)
}
