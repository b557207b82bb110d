import { describe, expect, it, vi } from 'vitest'
import { clientWorld, pageClerk, soon } from './client-world.ts'
import { api } from './convex/_generated/api.ts'

describe.each(['ConvexClient', 'ConvexReactClient'] as const)('the real %s', (kind) => {
  it('is signed in by one token, calls, and learns of denials', async () => {
    const { clerk, as, open, keep, ids } = await clientWorld()
    const source = pageClerk(clerk, as('ada', 'org_a'))
    const { client, shown } = open[kind]()
    const { kept, state } = keep(client, source)
    expect(state()).toBe('loading')
    await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['alpha']]), soon)
    expect(source.asked).toEqual([false])
    await kept.mutation(api.projects.rename, { id: ids.projectA, name: 'mine' })
    await vi.waitFor(() => expect(shown.names).toEqual(['mine']), soon)
    const foreign = kept.mutation(api.projects.rename, { id: ids.projectB, name: 'x' })
    await expect(foreign).rejects.toMatchObject({ code: 'access_denied', reason: 'not_found' })
  })

  it('calls with a token of now after a reverification, however young the last one is', async () => {
    const { clerk, as, open, keep, ids, pass } = await clientWorld()
    const source = pageClerk(clerk, as('ada', 'org_a'))
    source.options = { claims: { fva: [30, -1] } }
    const { client, shown } = open[kind]()
    const { kept, state } = keep(client, source)
    await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['alpha']]), soon)
    const remove = () => kept.mutation(api.projects.remove, { id: ids.projectA })
    await expect(remove()).rejects.toMatchObject({ reason: 'step_up_required' })
    source.options = { claims: { fva: [0, -1] } }
    let isRenewed = false
    const renewed = kept.renew().then(() => {
      isRenewed = true
    })
    while (!isRenewed) await pass(0.25, source)
    await renewed
    await remove()
    await vi.waitFor(() => expect(shown.names).toEqual([]), soon)
    expect(source.asked).toEqual([false, true])
    kept.close()
    await expect(kept.renew()).rejects.toMatchObject({ code: 'no_live_token' })
  })
})
