import type { AuthConfig } from 'convex/server'

/** Keys of the suite's own, which `set-up.mjs` makes: Convex takes no token of anybody else. */
export default {
  providers: [
    {
      type: 'customJwt',
      issuer: process.env.TEST_CLERK_ISSUER ?? '',
      applicationID: 'convex',
      jwks: process.env.TEST_JWKS ?? '',
      algorithm: 'RS256',
    },
    {
      type: 'customJwt',
      issuer: process.env.TEST_ES256_ISSUER ?? '',
      applicationID: 'convex',
      jwks: process.env.TEST_ES256_JWKS ?? '',
      algorithm: 'ES256',
    },
  ],
} satisfies AuthConfig
