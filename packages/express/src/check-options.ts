import type { Guard } from '@countersign/guard'
import { ExpressAuthError } from './errors.ts'
import type { RouteOptions } from './express-auth.ts'

const availabilities: readonly unknown[] = ['token-life', 'introspect', undefined]

function refuse(message: string): never {
  throw new ExpressAuthError('bad_option', message)
}

function checkNames(options: object, names: readonly string[], what: string): void {
  const other = Object.keys(options).find((name) => !names.includes(name))
  if (other !== undefined)
    refuse(`${what}: \`${other}\` is not the name of an option; there is \`${names.join('`, `')}\`.`)
}

/** @throws ExpressAuthError `bad_option`: a verifier for a guard would else fail at every request */
export function checkAuthOptions(guard: Guard, options: object): void {
  if (typeof guard?.admit !== 'function') refuse('expressAuth: it takes a guard, as `createGuard` makes it.')
  checkNames(options, ['realm'], 'expressAuth')
}

/** @throws ExpressAuthError `bad_option`: a misspelt one would else leave the route with the default */
export function checkRouteOptions(options: RouteOptions): void {
  checkNames(options, ['availability'], 'The route')
  if (availabilities.includes(options.availability)) return
  refuse("The route: `availability` is 'token-life' or 'introspect'.")
}
