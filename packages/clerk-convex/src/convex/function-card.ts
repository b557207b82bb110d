import { AuthError } from '../auth-error.ts'

/** What a function asks of its callers, kept on it for `proveIsolation` to read. */
export interface FunctionCard {
  readonly caller: 'org' | 'user' | 'public'
  readonly permission?: string
  /** The argument that holds the workspace. */
  readonly workspace?: string
  readonly stepUpSeconds?: number
}

/** The same for every copy of this package: functions and their proof may be loaded by different ones. */
const cardKey: unique symbol = Symbol.for('countersign.convex.function')

export function withCard<Registered extends object>(registered: Registered, card: FunctionCard): Registered {
  Object.defineProperty(registered, cardKey, { value: Object.freeze(card) })
  return registered
}

/** Undefined for a function that was not made by `defineAuth`. */
export function readCard(registered: unknown): FunctionCard | undefined {
  const isFunction = typeof registered === 'function' || (typeof registered === 'object' && registered !== null)
  const card: unknown = isFunction ? Reflect.get(registered, cardKey) : undefined
  return isCard(card) ? card : undefined
}

function isCard(value: unknown): value is FunctionCard {
  return typeof value === 'object' && value !== null && 'caller' in value
}

/** What of a definition says whom to let in. */
export interface Gate {
  readonly permission?: string | undefined
  readonly workspace?: string | undefined
  readonly stepUpSeconds?: number | undefined
  readonly audit?: string | undefined
}

/** @throws AuthError `bad_option` */
export function readGate(definition: Gate & { readonly args: object }, caller: FunctionCard['caller']): FunctionCard {
  const { permission, workspace, stepUpSeconds, args } = definition
  if (workspace !== undefined && !Object.hasOwn(args, workspace))
    refuse(`workspace: there is no argument ${workspace}.`)
  if (Object.hasOwn(args, 'principal'))
    refuse('args.principal is taken: it is how internal functions are told who calls.')
  if (stepUpSeconds !== undefined && !(stepUpSeconds >= 60 && stepUpSeconds <= 86_400)) {
    refuse('stepUpSeconds must be 60 to 86400: Clerk tells ages in whole minutes.')
  }
  return {
    caller,
    ...(permission === undefined ? {} : { permission }),
    ...(workspace === undefined ? {} : { workspace }),
    ...(stepUpSeconds === undefined ? {} : { stepUpSeconds }),
  }
}

function refuse(message: string): never {
  throw new AuthError('bad_option', message)
}
