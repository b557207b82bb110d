import {
  ConfigError,
  consumerEnvironment,
  environmentParts,
  readEnvironment,
  toStartOptions,
} from '@countersign-apps/kit'
import { type StartOptions, usualPort } from './start-agent-api.ts'

const { port, url } = environmentParts
const environment = {
  ...consumerEnvironment,
  PORT: port.default(usualPort),
  BILLING_URL: url.optional(),
  SUPPORT_URL: url.optional(),
}

/**
 * Reads the whole configuration from the environment; an empty variable counts as absent.
 * @throws ConfigError that names each variable and what was expected
 */
export function readConfig(variables: Readonly<Record<string, string | undefined>>): StartOptions {
  const read = readEnvironment(environment, variables)
  const options = toStartOptions(read)
  const { BILLING_URL: billing, SUPPORT_URL: console } = read
  const client = options.acknowledgeAs
  if (client === undefined) {
    if (billing === undefined && console === undefined) return options
    throw new ConfigError(['BILLING_URL, SUPPORT_URL: expected CLIENT_ID and CLIENT_SECRET with them'])
  }
  return {
    ...options,
    ...(billing === undefined ? {} : { checkout: { billing, client } }),
    ...(console === undefined ? {} : { support: { console, client } }),
  }
}
