import { mutationGeneric, queryGeneric } from 'convex/server'

/** What Convex makes of a token. */
export const identity = queryGeneric({ args: {}, handler: (ctx) => ctx.auth.getUserIdentity() })

/** The token itself, which step-up is read from. */
export const request = mutationGeneric({
  args: {},
  handler: async (ctx) => (await ctx.meta.getRequestMetadata()).authToken,
})

/** What runners' tokens are signed with. */
export const sign = mutationGeneric({
  args: {},
  handler: (ctx) => ctx.auth.signJwt({ claims: { sub: 'live', aud: 'live-suite' }, expiresInSeconds: 600 }),
})
