import { randomBytes } from 'node:crypto'
import type { Clock } from '@countersign/tokens'
import { newId } from './records.ts'
import type { SigningKey } from './signing-key.ts'
import { ApiFault, type ApiKeyJson, type FakeMachine, type M2MTokenJson } from './types.ts'

/** The class of an M2M JWT in its header. */
const machineCategory = 'cl_B7d4PD333AAA'

type Claims = Record<string, unknown>

/** Machines, their M2M tokens and API keys. */
export interface MachineTokens {
  machine(name: string): FakeMachine
  machineOf(secretKey: string): FakeMachine | undefined
  createM2M(machine: FakeMachine, body: Claims): M2MTokenJson
  verifyM2M(token: unknown): M2MTokenJson
  revokeM2M(id: string): M2MTokenJson
  createApiKey(body: Claims): ApiKeyJson
  verifyApiKey(secret: unknown): ApiKeyJson
  revokeApiKey(id: string): ApiKeyJson
}

export function machineTokens(clock: Clock, issuer: () => string, key: () => SigningKey): MachineTokens {
  const machines = new Map<string, FakeMachine>()
  const tokens = new Map<string, M2MTokenJson>()
  const keys = new Map<string, ApiKeyJson>()
  const nowMs = (): number => Math.floor(clock.now() * 1000)
  const expirationOf = ({ seconds_until_expiration: seconds }: Claims): number | null =>
    typeof seconds === 'number' ? nowMs() + seconds * 1000 : null
  const claimsOf = ({ claims }: Claims): Claims | null =>
    typeof claims === 'object' && claims !== null ? { ...claims } : null
  const common = (body: Claims) => ({
    claims: claimsOf(body),
    revoked: false,
    revocation_reason: null,
    expired: false,
    expiration: expirationOf(body),
    created_at: nowMs(),
    updated_at: nowMs(),
  })
  const current = <Json extends M2MTokenJson | ApiKeyJson>(json: Json | undefined): Json => {
    if (json === undefined) throw new ApiFault(404, 'resource_not_found')
    return { ...json, expired: json.expiration !== null && nowMs() >= json.expiration }
  }
  const find = <Json extends { id: string }>(map: Map<string, Json>, id: string): [string, Json] => {
    const found = [...map].find(([, json]) => json.id === id)
    if (found === undefined) throw new ApiFault(404, 'resource_not_found')
    return found
  }

  return {
    machine(name) {
      const machine = { id: newId('mch'), name, secretKey: newId('ak') }
      machines.set(machine.secretKey, machine)
      return machine
    },
    machineOf: (secretKey) => machines.get(secretKey),
    createM2M(machine, body) {
      const json: M2MTokenJson = {
        object: 'machine_to_machine_token',
        id: newId('mt'),
        subject: machine.id,
        scopes: [],
        ...common(body),
      }
      if (body.token_format === 'jwt') {
        const iat = Math.floor(clock.now())
        const exp = json.expiration === null ? iat + 3_600 : Math.floor(json.expiration / 1000)
        const payload = { iss: issuer(), sub: machine.id, iat, nbf: iat, exp, jti: json.id, ...json.claims }
        return { ...json, token: key().sign(payload, { cat: machineCategory }) }
      }
      const token = `mt_${randomBytes(16).toString('hex')}`
      tokens.set(token, json)
      return { ...json, token }
    },
    verifyM2M: (token) => current(typeof token === 'string' ? tokens.get(token) : undefined),
    revokeM2M(id) {
      const [token, json] = find(tokens, id)
      const revoked = { ...json, revoked: true, updated_at: nowMs() }
      tokens.set(token, revoked)
      return revoked
    },
    createApiKey(body) {
      const { name, subject, scopes } = body
      if (typeof name !== 'string' || typeof subject !== 'string') throw new ApiFault(422, 'form_param_missing')
      const secret = `ak_${randomBytes(16).toString('hex')}`
      const json: ApiKeyJson = {
        object: 'api_key',
        id: newId('ak'),
        type: 'api_key',
        name,
        subject,
        scopes: Array.isArray(scopes) ? scopes.filter((scope) => typeof scope === 'string') : [],
        created_by: null,
        description: null,
        last_used_at: null,
        ...common(body),
      }
      keys.set(secret, json)
      return { ...json, secret }
    },
    verifyApiKey: (secret) => current(typeof secret === 'string' ? keys.get(secret) : undefined),
    revokeApiKey(id) {
      const [secret, json] = find(keys, id)
      const revoked = { ...json, revoked: true, updated_at: nowMs() }
      keys.set(secret, revoked)
      return revoked
    },
  }
}
