import type { ClientRecord, IssuerStores } from '@countersign/issuer'
import { memoryIssuerStores } from '@countersign/issuer/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { rememberClients } from '../src/remembered-clients.ts'

const client: ClientRecord = {
  id: 'client_1',
  name: 'etl',
  type: 'confidential',
  firstParty: false,
  grants: ['client_credentials'],
  audiences: ['agent-api'],
  scopes: null,
  origins: [],
  refreshDelivery: 'body',
  secrets: [],
  keys: [],
  synthetic: false,
  generation: 0,
  createdAt: 1,
  disabledAt: null,
}

let nowMs: number
let reads: number
let under: IssuerStores
let changed: () => void
let stores: IssuerStores

beforeEach(async () => {
  nowMs = 0
  reads = 0
  const memory = memoryIssuerStores()
  await memory.clients.add(client)
  const counted = <T>(read: Promise<T>): Promise<T> => {
    reads += 1
    return read
  }
  under = {
    ...memory,
    clients: {
      ...memory.clients,
      byId: (id) => counted(memory.clients.byId(id)),
      byName: (name) => counted(memory.clients.byName(name)),
    },
  }
  const clock = { now: () => nowMs / 1000, monotonicMs: () => nowMs, after: () => () => undefined }
  const watch = (call: () => void) => {
    changed = call
    return () => undefined
  }
  ;({ stores } = rememberClients(under, watch, clock))
})

describe('a remembered client', () => {
  it('is read once, by id and by name apart', async () => {
    for (let round = 0; round < 3; round += 1) {
      expect(await stores.clients.byId('client_1')).toEqual(client)
      expect(await stores.clients.byName('etl')).toEqual(client)
    }
    expect(reads).toBe(2)
  })

  it('is read again after 250 ms, whatever the watch says', async () => {
    await stores.clients.byId('client_1')
    nowMs = 249
    await stores.clients.byId('client_1')
    expect(reads).toBe(1)
    nowMs = 250
    await stores.clients.byId('client_1')
    expect(reads).toBe(2)
  })

  it('is disabled at once for this process', async () => {
    await stores.clients.byName('etl')
    await stores.clients.disable('client_1', 5, 10)
    expect((await stores.clients.byName('etl'))?.disabledAt).toBe(5)
  })

  it('has its new secrets at once for this process', async () => {
    await stores.clients.byName('etl')
    const secrets = [{ id: 's', hash: 'h', createdAt: 1, expiresAt: null }]
    await stores.clients.setSecrets('client_1', secrets)
    expect((await stores.clients.byName('etl'))?.secrets).toEqual(secrets)
  })

  it('is read again when the store tells of a change by another process', async () => {
    await stores.clients.byName('etl')
    await under.clients.disable('client_1', 7, 10)
    changed()
    expect((await stores.clients.byName('etl'))?.disabledAt).toBe(7)
  })

  it('is not remembered when it was read before a change and arrived after it', async () => {
    const reading = stores.clients.byName('etl')
    changed()
    await reading
    await stores.clients.byName('etl')
    expect(reads).toBe(2)
  })

  it('does not remember who is not there', async () => {
    expect(await stores.clients.byName('nobody')).toBeUndefined()
    await stores.clients.byName('nobody')
    expect(reads).toBe(2)
  })
})
