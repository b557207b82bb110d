import type { Adapter, AdapterPayload } from 'oidc-provider'

/**
 * What oidc-provider keeps, of one provider. Its own in-memory adapter does the same, with a warning for each provider
 * that it is for development only. Nothing expires: a test is over before.
 */
export function records(): new (model: string) => Adapter {
  const kept = new Map<string, AdapterPayload>()
  const first = (found: (payload: AdapterPayload) => boolean) => [...kept.values()].find(found)

  return class implements Adapter {
    readonly model: string
    constructor(model: string) {
      this.model = model
    }
    async upsert(id: string, payload: AdapterPayload) {
      kept.set(`${this.model}:${id}`, payload)
    }
    async find(id: string) {
      return kept.get(`${this.model}:${id}`)
    }
    async findByUid(uid: string) {
      return first((payload) => payload.uid === uid && payload.kind === this.model)
    }
    async findByUserCode(userCode: string) {
      return first((payload) => payload.userCode === userCode && payload.kind === this.model)
    }
    async consume(id: string) {
      const payload = await this.find(id)
      if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000)
    }
    async destroy(id: string) {
      kept.delete(`${this.model}:${id}`)
    }
    async revokeByGrantId(grantId: string) {
      for (const [key, payload] of kept) if (payload.grantId === grantId) kept.delete(key)
    }
  }
}
