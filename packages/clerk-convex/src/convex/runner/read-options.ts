import { AuthError } from '../../auth-error.ts'
import { checkModule, type Setting } from '../options.ts'
import type { RunnerDeployment, RunnerLimits, RunnerRouteOptions, SessionVerifier } from './options.ts'

/** What of the options matters when requests come. */
export interface ReadOptions {
  readonly deployment: () => RunnerDeployment
  readonly scopes: ReadonlySet<string>
  readonly permissions: { readonly pair: string; readonly end: string }
  readonly stepUpSeconds: number | undefined
  readonly sessions: (() => SessionVerifier) | undefined
  readonly path: string
  readonly module: string
  readonly limits: Required<RunnerLimits>
}

const bounds: Readonly<Record<keyof RunnerLimits, readonly [least: number, most: number, usual: number]>> = {
  lifeSeconds: [60, 900, 600],
  deviceCodeLifeSeconds: [60, 1_800, 600],
  intervalSeconds: [1, 60, 5],
  pairingsPerAddress: [1, 1_000, 20],
  pairings: [10, 5_000, 500],
}

/** @throws AuthError `bad_option`, when the module is loaded */
export function readOptions(setting: Setting, options: RunnerRouteOptions<string>): ReadOptions {
  const { deployment, scopes, permissions, stepUpSeconds, sessions, path = '/runner', module = 'runners' } = options
  if (!setting.hasRunners) refuse('schema: spread `runnerTables` into it.')
  const known = new Set([...setting.roles.values()].flatMap((granted) => [...granted]))
  for (const scope of scopes) {
    if (!known.has(scope)) refuse(`scopes: no role has ${scope}.`)
    if (!/^[!#-[\]-~]{1,64}$/.test(scope)) refuse('scopes: the permission is no OAuth scope (RFC 6749 section 3.3).')
  }
  if (scopes.length === 0 || scopes.length > 32) refuse('scopes must be 1 to 32.')
  for (const one of [permissions.pair, permissions.end]) {
    if (!known.has(one)) refuse(`permissions: no role has ${one}.`)
  }
  if (!/^(\/[\w.-]+)+$/.test(path)) refuse('path must begin with a slash and not end with one.')
  checkModule(module, refuse)
  const limits = { ...defaults(), ...options.limits }
  for (const [name, [least, most]] of Object.entries(bounds)) {
    const value: unknown = Reflect.get(limits, name)
    const isWithin = Number.isInteger(value) && Number(value) >= least && Number(value) <= most
    if (!isWithin) refuse(`limits.${name} must be ${least} to ${most}.`)
  }
  return { deployment, scopes: new Set(scopes), permissions, stepUpSeconds, sessions, path, module, limits }
}

function defaults(): Required<RunnerLimits> {
  const { lifeSeconds, deviceCodeLifeSeconds, intervalSeconds, pairingsPerAddress, pairings } = bounds
  return {
    lifeSeconds: lifeSeconds[2],
    deviceCodeLifeSeconds: deviceCodeLifeSeconds[2],
    intervalSeconds: intervalSeconds[2],
    pairingsPerAddress: pairingsPerAddress[2],
    pairings: pairings[2],
  }
}

export function refuse(message: string): never {
  throw new AuthError('bad_option', `runnerRoute: ${message}`)
}
