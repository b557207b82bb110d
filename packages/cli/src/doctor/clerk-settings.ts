import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import type { ClerkEnvironment } from '@countersign/clerk-convex/environment'
import { CliError } from '../failure.ts'
import type { CliIo } from '../io.ts'

type Setting = Exclude<keyof ClerkEnvironment, 'stage'>
type Variables = Readonly<Record<string, string | undefined>>

/** By which names each is known, in the order in which they are looked for: ours first, then those of Clerk's frameworks. */
const variables: Readonly<Record<Setting, readonly string[]>> = {
  publishableKey: ['CLERK_PUBLISHABLE_KEY', 'NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY', 'VITE_CLERK_PUBLISHABLE_KEY'],
  secretKey: ['CLERK_SECRET_KEY'],
  issuer: ['CLERK_ISSUER', 'CLERK_FRONTEND_API_URL', 'CLERK_JWT_ISSUER_DOMAIN'],
  webhookSecret: ['CLERK_WEBHOOK_SIGNING_SECRET', 'CLERK_WEBHOOK_SECRET'],
  authorizedParties: ['CLERK_AUTHORIZED_PARTIES'],
}

/** What is no secret may be an option as well. */
export interface ClerkFlags {
  readonly stage?: string
  readonly publishableKey?: string
  readonly issuer?: string
  readonly authorizedParty?: readonly string[]
  readonly envFile?: string
}

export interface ClerkSettings {
  readonly environment: ClerkEnvironment
  /** Where each was found, or the name that it is looked for by. */
  readonly placeOf: (setting: keyof ClerkEnvironment) => string
  /** The Backend API. */
  readonly apiUrl: string
}

/** @throws CliError `wrong_usage` without a stage, `not_found` for a file that is none */
export async function readClerkSettings(flags: ClerkFlags, io: Pick<CliIo, 'env' | 'cwd'>): Promise<ClerkSettings> {
  const given: Variables =
    flags.envFile === undefined ? io.env : { ...io.env, ...(await readEnvFile(flags.envFile, io)) }
  const source = flags.envFile === undefined ? '' : ` (${flags.envFile})`
  const stage = flags.stage ?? given.CLERK_STAGE
  if (stage === undefined) {
    throw new CliError('wrong_usage', 'Which deployment? Give --stage dev, staging or prod (or CLERK_STAGE).')
  }
  const places: Partial<Record<keyof ClerkEnvironment, string>> = { stage: flags.stage ? '--stage' : 'CLERK_STAGE' }
  const find = (setting: Setting, flag: string | undefined, name: string): string | undefined => {
    const known = variables[setting]
    if (flag !== undefined) {
      places[setting] = name
      return flag
    }
    const found = known.find((one) => given[one] !== undefined && given[one] !== '') ?? known[0] ?? ''
    places[setting] = found + source
    return given[found]
  }
  const publishableKey = find('publishableKey', flags.publishableKey, '--publishable-key')
  const issuer = find('issuer', flags.issuer, '--issuer')
  const parties = find('authorizedParties', flags.authorizedParty?.join(','), '--authorized-party')
  const secretKey = find('secretKey', undefined, '')
  const webhookSecret = find('webhookSecret', undefined, '')
  return {
    environment: {
      // What is none of them is for the check to say.
      stage: stage as ClerkEnvironment['stage'],
      ...(publishableKey === undefined ? {} : { publishableKey }),
      ...(secretKey === undefined ? {} : { secretKey }),
      ...(issuer === undefined ? {} : { issuer }),
      ...(webhookSecret === undefined ? {} : { webhookSecret }),
      authorizedParties: (parties ?? '').split(/[\s,]+/u).filter((one) => one !== ''),
    },
    placeOf: (setting) => places[setting] ?? setting,
    apiUrl: given.CLERK_API_URL ?? 'https://api.clerk.com',
  }
}

async function readEnvFile(file: string, { cwd }: Pick<CliIo, 'cwd'>): Promise<Variables> {
  try {
    return parseEnv(await readFile(resolve(cwd, file), 'utf8'))
  } catch (cause) {
    // Not why: the message of a parser may hold the line that it stumbled over.
    throw new CliError('not_found', `The file ${file} cannot be read.`, { cause, remedy: 'Check the path.' })
  }
}
