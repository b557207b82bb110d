import { httpRouter } from 'convex/server'
import { auth } from './auth.ts'

/** Of the tests only. */
export const signingSecret =
  process.env.TEST_CLERK_WEBHOOK_SECRET ?? `whsec_${btoa('a secret of the tests, 32 bytes.')}`

const http = httpRouter()
http.route({ path: '/auth/status', method: 'GET', handler: auth.statusRoute({ origins: ['http://app.test'] }) })
http.route({ path: '/auth/user', method: 'GET', handler: auth.userRoute() })
http.route({
  path: '/auth/webhook',
  method: 'POST',
  handler: auth.webhookRoute({ signingSecrets: () => [signingSecret] }),
})
export default http
