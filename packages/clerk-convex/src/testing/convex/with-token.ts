import type { GenericDataModel, UserIdentity } from 'convex/server'
import type { TestConvexForDataModel } from 'convex-test'
import type { DeploymentKey } from './deployment-key.ts'

/** Who calls: a token, and the identity that Convex made of it. */
export interface TokenBearer {
  readonly token: string
  readonly identity: UserIdentity
}

/** By the `ctx.auth` of convex-test, of which each caller has one. */
const tokens = new WeakMap<object, string>()
const keys = new WeakMap<object, DeploymentKey>()
const shimmed = new WeakSet<object>()

/**
 * `t` as called with a token: `ctx.meta.getRequestMetadata().authToken` is that token, where convex-test would make up
 * one of its own.
 */
export async function withToken<DataModel extends GenericDataModel>(
  t: TestConvexForDataModel<DataModel>,
  { token, identity }: TokenBearer,
): Promise<TestConvexForDataModel<DataModel>> {
  const caller = t.withIdentity(identity)
  await caller.run(async ({ auth }) => {
    shim(auth)
    tokens.set(auth, token)
  })
  return caller
}

/** Gives the mutations of `t`, which convex-test leaves without, `ctx.auth.signJwt`. */
export async function withSignJwt<DataModel extends GenericDataModel>(
  t: TestConvexForDataModel<DataModel>,
  key: DeploymentKey,
): Promise<TestConvexForDataModel<DataModel>> {
  await t.run(async ({ auth }) => {
    shim(auth)
    keys.set(auth, key)
  })
  return t
}

/** convex-test does not export the class of `ctx.auth`; any `ctx.auth` leads to it. */
function shim(auth: object): void {
  const prototype: object = Object.getPrototypeOf(auth)
  if (shimmed.has(prototype)) return
  shimmed.add(prototype)
  const made = Object.getOwnPropertyDescriptor(prototype, 'token')?.get
  Object.defineProperty(prototype, 'token', {
    configurable: true,
    get(this: object) {
      return tokens.get(this) ?? made?.call(this)
    },
  })
  Object.defineProperty(prototype, 'signJwt', {
    configurable: true,
    async value(this: object, options: Parameters<DeploymentKey['signJwt']>[0]) {
      await assertMutation()
      const key = keys.get(this)
      if (key === undefined) throw new Error('No key to sign with: give one with `withSignJwt`.')
      return key.signJwt(options)
    },
  })
}

/** Queries have no request, and actions no transaction: what has both is a mutation. */
async function assertMutation(): Promise<void> {
  const convex: { asyncSyscall?: (name: string, args: string) => Promise<string> } = Reflect.get(globalThis, 'Convex')
  try {
    await convex.asyncSyscall?.('1.0/getRequestMetadata', '{}')
    await convex.asyncSyscall?.('1.0/getTransactionMetrics', '{}')
  } catch (cause) {
    throw new Error('signJwt() can only be called from a mutation.', { cause })
  }
}
