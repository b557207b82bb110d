import { hash, timingSafeEqual } from 'node:crypto'
import { checkAssertion } from './client-assertion.ts'
import type { Context } from './context.ts'
import type { IssuerEvent } from './events.ts'
import type { ClientRecord } from './ports.ts'
import { refusal } from './refusals.ts'
import { type AttemptKey, clientKey, countFailure, originKey, refuseBlocked } from './throttle.ts'
import type { ClientCredentials, FromOutside } from './types.ts'

type Reason = Extract<IssuerEvent, { type: 'client_authentication_failed' }>['reason']

type Asserted = Extract<ClientCredentials, { readonly method: 'private_key_jwt' }>

const clientIdShape = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

/** Ids begin with `client_`, which no name may: the two never mean different clients. */
export async function findClient(context: Context, idOrName: string): Promise<ClientRecord | undefined> {
  if (!clientIdShape.test(idOrName)) return undefined
  return idOrName.startsWith('client_')
    ? context.stores.clients.byId(idOrName)
    : context.stores.clients.byName(idOrName)
}

/**
 * A right secret always gets in: it has 256 random bits, so nobody finds it by trying, and nobody can lock a client out
 * by failing in its name. Failures are counted, and past the allowance answered 429 without being looked into.
 * @throws IssuerError `invalid_client`, `rate_limited`
 */
export async function authenticateClient(context: Context, request: FromOutside): Promise<ClientRecord> {
  const client = await findClient(context, request.client.clientId)
  const shown = request.client
  const reason =
    shown.method === 'private_key_jwt'
      ? await whyNotAsserted(context, client, shown)
      : whyNot(client, shown, context.now())
  if (reason === undefined && client !== undefined) return client
  const keys: AttemptKey[] = []
  if (client !== undefined) keys.push(clientKey(client.id))
  const from = originKey('client', request.address)
  if (from !== undefined) keys.push(from)
  await refuseBlocked(context, keys)
  await countFailure(context, keys)
  context.emit({
    type: 'client_authentication_failed',
    reason: reason ?? 'unknown_client',
    ...(client === undefined ? {} : { clientId: client.id }),
    ...(from === undefined ? {} : { address: from.counted }),
  })
  throw refusal('client_failed')
}

/** For endpoints that public clients must not use (RFC 7662 section 2.1). @throws IssuerError `invalid_client` */
export async function authenticateConfidentialClient(context: Context, request: FromOutside): Promise<ClientRecord> {
  if (request.client.method === 'none') throw refusal('client_not_confidential')
  return authenticateClient(context, request)
}

async function whyNotAsserted(
  context: Context,
  client: ClientRecord | undefined,
  shown: Asserted,
): Promise<Reason | undefined> {
  if (client === undefined) return 'unknown_client'
  if (client.type !== 'confidential') return 'wrong_method'
  const checked = checkAssertion(client, shown.clientId, shown.assertion, context.issuer, context.now())
  if (typeof checked === 'string') return checked
  if (client.disabledAt !== null) return 'disabled'
  return (await context.stores.assertions.use(checked.id, checked.until)) ? undefined : 'assertion_replayed'
}

function whyNot(
  client: ClientRecord | undefined,
  shown: Exclude<ClientCredentials, Asserted>,
  now: number,
): Reason | undefined {
  if (shown.method === 'none') {
    if (client === undefined) return 'unknown_client'
    if (client.type !== 'public') return 'wrong_method'
    return client.disabledAt === null ? undefined : 'disabled'
  }
  const presented = hash('sha256', shown.secret, 'buffer')
  let matches = false
  for (const secret of client?.secrets ?? []) {
    const stored = Buffer.from(secret.hash, 'base64url')
    const equal = stored.length === presented.length && timingSafeEqual(stored, presented)
    if (equal && (secret.expiresAt === null || secret.expiresAt > now)) matches = true
  }
  if (client === undefined) return 'unknown_client'
  if (client.type !== 'confidential') return 'wrong_method'
  if (!matches) return 'wrong_secret'
  return client.disabledAt === null ? undefined : 'disabled'
}

/**
 * A browser names its origin on every request that changes something. Public clients answer to their list only; a client
 * whose refresh token travels in a cookie must be asked from a browser, and from the cookie's own site.
 * @throws IssuerError `unauthorized_client`
 */
export function checkOrigin(client: ClientRecord, asked: Pick<FromOutside, 'origin' | 'fetchSite'>): void {
  const { origin, fetchSite } = asked
  if (origin === undefined ? client.refreshDelivery === 'cookie' : !client.origins.includes(origin)) {
    throw refusal('origin_not_allowed')
  }
  if (client.refreshDelivery === 'cookie' && fetchSite !== undefined && !ownSites.has(fetchSite)) {
    throw refusal('origin_not_allowed')
  }
}

const ownSites: ReadonlySet<string> = new Set(['same-origin', 'same-site'])
